//! The ratios that ours is meant to reach, so that the table names what it loses.

use serde::Serialize;

use crate::statistics::Claim;
use crate::workload::Cell;

/// Ours, by its name in the table.
pub(crate) const OURS: &str = "millrace-gateway";
/// The limit that all are compared with.
pub(crate) const LIMIT: &str = "hyper-h1-h2";

/// Unit, cell, largest ratio of ours to it.
const GOALS: &[(&str, Cell, f64)] = &[
    (LIMIT, Cell::Get, 1.20),
    ("structured-proxy", Cell::Get, 0.48),
    ("structured-proxy", Cell::Create10, 0.30),
    ("structured-proxy", Cell::Create100, 0.25),
    ("grpc-gateway", Cell::Get, 0.38),
    ("grpc-gateway", Cell::Create10, 0.22),
    ("grpc-gateway", Cell::Create100, 0.15),
    ("envoy", Cell::Get, 0.28),
    ("envoy", Cell::Create10, 0.19),
    ("envoy", Cell::Create100, 0.25),
    ("vanguard", Cell::Get, 0.25),
    ("vanguard", Cell::Create10, 0.20),
    ("vanguard", Cell::Create100, 0.20),
    ("envoy-grpc", Cell::Get, 0.60),
    ("envoy-grpc", Cell::Create10, 0.90),
];

/// What became of a goal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// Compared with.
    pub(crate) unit: &'static str,
    /// The call.
    pub(crate) cell: Cell,
    /// Largest ratio.
    pub(crate) bound: f64,
    /// In words.
    pub(crate) verdict: String,
}

/// All goals; the ratio of a unit and cell, if both were measured.
pub(crate) fn outcomes(ratio: impl Fn(&str, Cell) -> Option<Claim>) -> Vec<Outcome> {
    let outcome = |(unit, cell, bound): &(&'static str, Cell, f64)| Outcome {
        unit,
        cell: *cell,
        bound: *bound,
        verdict: verdict(ratio(unit, *cell), *bound),
    };
    GOALS.iter().map(outcome).collect()
}

fn verdict(claim: Option<Claim>, bound: f64) -> String {
    match claim {
        None => "not measured".to_owned(),
        Some(Claim::None(reason)) => reason.words(),
        // All rounds on one side, or it is not said.
        Some(Claim::Ratio(ratio)) if ratio.max <= bound => format!("reached: {:.2}", ratio.median),
        Some(Claim::Ratio(ratio)) if ratio.min > bound => format!("LOST: {:.2}", ratio.median),
        Some(Claim::Ratio(ratio)) => {
            format!("no claim ({:.2}–{:.2} lies on both sides)", ratio.min, ratio.max)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Reason, Spread};

    #[test]
    fn a_goal_is_reached_or_lost_by_every_round() {
        let claim = |min, median, max| {
            Some(Claim::Ratio(Spread {
                min,
                median,
                max,
                count: 7,
            }))
        };
        for (claim, words) in [
            (claim(0.3, 0.4, 0.48), "reached: 0.40"),
            (claim(0.5, 0.6, 0.7), "LOST: 0.60"),
            (claim(0.4, 0.45, 0.5), "no claim (0.40–0.50 lies on both sides)"),
            (Some(Claim::None(Reason::Overlap)), "no claim (ranges overlap)"),
            (None, "not measured"),
        ] {
            assert_eq!(verdict(claim, 0.48), words);
        }
    }
}
