//! What a byte costs: the line `a + b * bytes` nearest to the costs of calls of different sizes.

/// A line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Of no bytes.
    pub(crate) fixed: f64,
    /// Of each byte.
    pub(crate) slope: f64,
}

/// The line with the least squares; none through points of one size.
pub(crate) fn fit(points: &[(f64, f64)]) -> Option<Line> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (bytes, cost) = (mean(|point| point.0), mean(|point| point.1));
    let (mut together, mut alone) = (0.0, 0.0);
    for point in points {
        together += (point.0 - bytes) * (point.1 - cost);
        alone += (point.0 - bytes).powi(2);
    }
    (alone > 0.0).then(|| {
        let slope = together / alone;
        let fixed = cost - slope * bytes;
        Line { fixed, slope }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_give_the_line() {
        let line = fit(&[(0.0, 20.0), (1_000.0, 22.0), (10_000.0, 40.0)]).unwrap();
        assert!(
            (line.fixed - 20.0).abs() < 1e-9 && (line.slope - 0.002).abs() < 1e-12,
            "{line:?}"
        );
        assert_eq!(fit(&[(5.0, 1.0), (5.0, 2.0)]), None);
        assert_eq!(fit(&[]), None);
    }
}
