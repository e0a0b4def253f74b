//! The ratios and figures that ours is meant to reach, so that the table names what it loses.

use serde::Serialize;

use crate::memory::Standing;
use crate::run::Pace;
use crate::statistics::{Claim, Rules};
use crate::workload::Cell;

/// Ours, by its name in the table.
pub(crate) const OURS: &str = "millrace-gateway";
/// The limit that all are compared with.
pub(crate) const LIMIT: &str = "hyper-h1-h2";
/// Whose latency ours is compared with.
pub(crate) const RIVAL: &str = "structured-proxy";
/// Ours among many routes.
const MANY: &str = "millrace-gateway-10000-routes";
/// Idle connections of which the memory is judged.
const IDLE_CONNECTIONS: usize = 10_000;

/// What of two units is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// CPU per call.
    Cost(Cell),
    /// The same of all, the server behind a proxy too.
    Whole(Cell),
    /// CPU per JSON byte.
    Slope,
    /// The latency that 99 of 100 calls do not exceed.
    Latency(Pace),
}

impl What {
    fn words(self) -> String {
        match self {
            Self::Cost(cell) => cell.name().to_owned(),
            Self::Whole(cell) => format!("{}, server and all", cell.name()),
            Self::Slope => "a JSON byte".to_owned(),
            Self::Latency(pace) => format!("p99, {}", pace.words()),
        }
    }
}

/// Ours, the other, what of both, largest ratio.
const GOALS: &[(&str, &str, What, f64)] = &[
    (OURS, LIMIT, What::Cost(Cell::Get), 1.20),
    (OURS, RIVAL, What::Cost(Cell::Get), 0.48),
    (OURS, RIVAL, What::Cost(Cell::Create10), 0.30),
    (OURS, RIVAL, What::Cost(Cell::Create100), 0.25),
    (OURS, RIVAL, What::Slope, 0.35),
    (OURS, "grpc-gateway", What::Cost(Cell::Get), 0.38),
    (OURS, "grpc-gateway", What::Cost(Cell::Create10), 0.22),
    (OURS, "grpc-gateway", What::Cost(Cell::Create100), 0.15),
    (OURS, "envoy", What::Cost(Cell::Get), 0.28),
    (OURS, "envoy", What::Cost(Cell::Create10), 0.19),
    (OURS, "envoy", What::Cost(Cell::Create100), 0.25),
    (OURS, "vanguard", What::Cost(Cell::Get), 0.25),
    (OURS, "vanguard", What::Cost(Cell::Create10), 0.20),
    (OURS, "vanguard", What::Cost(Cell::Create100), 0.20),
    (OURS, "envoy-grpc", What::Cost(Cell::Get), 0.60),
    (OURS, "envoy-grpc", What::Cost(Cell::Create10), 0.90),
    (MANY, OURS, What::Cost(Cell::Get), 1.05),
    ("in-process-rest", "in-process-grpc", What::Cost(Cell::Get), 0.90),
    ("in-process-rest", "in-process-grpc", What::Cost(Cell::Create10), 1.00),
    ("in-process-rest", "in-process-grpc", What::Cost(Cell::Create100), 1.50),
    ("in-process-rest", "in-process-grpc", What::Cost(Cell::Stream), 1.50),
    ("in-process-sse", "in-process-grpc", What::Cost(Cell::Stream), 1.50),
    ("in-process-rest", "in-process-grpc-16", What::Cost(Cell::Get), 0.90),
    (
        "in-process-rest",
        "in-process-grpc-16",
        What::Cost(Cell::Create10),
        1.00,
    ),
    (
        "in-process-rest",
        "in-process-grpc-16",
        What::Cost(Cell::Create100),
        1.50,
    ),
    ("in-process-rest", OURS, What::Whole(Cell::Get), 0.45),
    (OURS, RIVAL, What::Latency(Pace::Own), 0.80),
    (OURS, RIVAL, What::Latency(Pace::Same), 0.80),
];

/// What became of a goal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// Ours.
    pub(crate) one: &'static str,
    /// Compared with; nothing for a figure of its own.
    pub(crate) other: &'static str,
    /// What of both.
    pub(crate) what: String,
    /// At most.
    pub(crate) bound: String,
    /// In words.
    pub(crate) verdict: String,
}

/// All goals; the ratio, and whether one may be said to cost less, if both were measured.
pub(crate) fn outcomes(ratio: impl Fn(&str, &str, What) -> Option<(Claim, Claim)>) -> Vec<Outcome> {
    let outcome = |(one, other, what, bound): &(&'static str, &'static str, What, f64)| {
        let claim = ratio(one, other, *what).map(|(ratios, less)| {
            // A bound of 1 and more may be kept by two that are alike: then their ranges overlap, and should.
            if *bound < 1.0 { less } else { ratios }
        });
        Outcome {
            one,
            other,
            what: what.words(),
            bound: format!("{bound:.2}"),
            verdict: verdict(claim, *bound),
        }
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

/// Figures of start and memory that are goals by themselves.
pub(crate) fn standing_outcomes(standings: &[Standing], rules: &Rules) -> Vec<Outcome> {
    let of = |unit: &str| standings.iter().find(|standing| standing.unit == unit);
    let outcome = |one, what: String, bound: String, verdict: String| Outcome {
        one,
        other: "–",
        what,
        bound,
        verdict,
    };
    let mut outcomes = Vec::new();
    for (unit, millis) in [(OURS, 40.0), (MANY, 250.0)] {
        let verdict = of(unit).map_or_else(unmeasured, |standing| start_verdict(standing, rules, millis));
        outcomes.push(outcome(unit, "start".to_owned(), format!("{millis} ms"), verdict));
    }
    let idle = of(OURS).and_then(|standing| standing.idle_kib);
    let idle = idle.map(|kib| figure_verdict(kib as f64 / 1024.0, 15.0, "MiB"));
    let what = "idle with 10 services".to_owned();
    outcomes.push(outcome(
        OURS,
        what,
        "15 MiB".to_owned(),
        idle.unwrap_or_else(unmeasured),
    ));
    let connection = of(OURS).filter(|standing| standing.connections >= IDLE_CONNECTIONS);
    let connection = connection.and_then(|standing| standing.connection_kib);
    let connection = connection.map(|kib| figure_verdict(kib, 15.0, "KiB"));
    let what = format!("an idle connection of {IDLE_CONNECTIONS}");
    outcomes.push(outcome(
        OURS,
        what,
        "15 KiB".to_owned(),
        connection.unwrap_or_else(unmeasured),
    ));
    outcomes
}

fn unmeasured() -> String {
    "not measured".to_owned()
}

fn figure_verdict(figure: f64, bound: f64, unit: &str) -> String {
    let word = if figure <= bound { "reached" } else { "LOST" };
    format!("{word}: {figure:.1} {unit}")
}

fn start_verdict(standing: &Standing, rules: &Rules, bound: f64) -> String {
    let Some(ready) = standing.ready_ms else {
        return unmeasured();
    };
    if standing.foreign > rules.foreign_max || standing.steal > rules.steal_max {
        return format!(
            "no claim (others had {:.0} %)",
            (standing.foreign + standing.steal) * 100.0
        );
    }
    if ready.max <= bound || ready.min > bound {
        return figure_verdict(ready.median, bound, "ms");
    }
    format!("no claim ({:.0}–{:.0} ms lies on both sides)", ready.min, ready.max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Reason, Spread};

    fn spread(min: f64, median: f64, max: f64) -> Spread {
        let count = 7;
        Spread {
            min,
            median,
            max,
            count,
        }
    }

    #[test]
    fn a_goal_is_reached_or_lost_by_every_round() {
        let claim = |min, median, max| Some(Claim::Ratio(spread(min, median, max)));
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

    #[test]
    fn only_a_bound_below_one_needs_ranges_apart() {
        let ratios = Claim::Ratio(spread(0.8, 0.85, 0.9));
        let outcomes = outcomes(|_, _, _| Some((ratios, Claim::None(Reason::Overlap))));
        for outcome in outcomes {
            let bound: f64 = outcome.bound.parse().unwrap();
            let expected = if bound < 1.0 {
                "no claim (ranges overlap)"
            } else {
                "reached: 0.85"
            };
            assert_eq!(outcome.verdict, expected, "{outcome:?}");
        }
    }

    #[test]
    fn starts_beside_foreign_work_claim_nothing() {
        let rules = Rules {
            foreign_max: 0.05,
            steal_max: 0.02,
            rounds_min: 7,
            late_max: 0.5,
        };
        let standing = |foreign, ready| Standing {
            unit: OURS.to_owned(),
            services: 10,
            ready_ms: Some(ready),
            foreign,
            steal: 0.0,
            idle_kib: Some(20 * 1024),
            connection_kib: Some(11.0),
            connections: 1_000,
            connection_problem: None,
            problem: None,
        };
        for (foreign, ready, words) in [
            (0.01, spread(10.0, 11.0, 39.0), "reached: 11.0 ms"),
            (0.01, spread(41.0, 50.0, 60.0), "LOST: 50.0 ms"),
            (0.01, spread(30.0, 35.0, 50.0), "no claim (30–50 ms lies on both sides)"),
            (0.20, spread(10.0, 11.0, 12.0), "no claim (others had 20 %)"),
        ] {
            let outcomes = standing_outcomes(&[standing(foreign, ready)], &rules);
            assert_eq!(outcomes[0].verdict, words);
            assert_eq!(outcomes[1].verdict, "not measured");
            assert_eq!(outcomes[2].verdict, "LOST: 20.0 MiB");
            // Of too few connections.
            assert_eq!(outcomes[3].verdict, "not measured");
        }
    }
}
