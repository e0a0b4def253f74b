//! What may be said of measured rounds: which count, what lies in the middle, and when there is no claim.

use serde::Serialize;

/// Middle and ends of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
    /// How many there are.
    pub(crate) count: usize,
}

impl Spread {
    /// Of at least one figure.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let half = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[half - 1], figures[half])
        } else {
            figures[half]
        };
        let count = figures.len();
        Some(Self {
            median,
            min,
            max,
            count,
        })
    }
}

/// What a round has to be for counting, and how many must.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Rules {
    /// Largest share of the machine that others may have used.
    pub(crate) foreign_max: f64,
    /// Largest share of the machine that its host may have taken.
    pub(crate) steal_max: f64,
    /// Fewest rounds that count, for a claim.
    pub(crate) rounds_min: usize,
    /// Largest part of a latency that may be the generator's own lateness.
    pub(crate) late_max: f64,
}

/// One cell of one unit in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Round {
    /// Counts from 0; rounds of the same number are compared.
    pub(crate) number: usize,
    /// Microseconds of CPU per call.
    pub(crate) cost: f64,
    /// Share of the machine that others used meanwhile.
    pub(crate) foreign: f64,
    /// Share of the machine that its host took.
    pub(crate) steal: f64,
    /// Of a latency, the part that is the generator's own lateness.
    pub(crate) late: f64,
}

impl Rules {
    /// Whether the round was quiet enough.
    pub(crate) fn keeps(&self, round: &Round) -> bool {
        round.foreign <= self.foreign_max && round.steal <= self.steal_max && round.late <= self.late_max
    }

    /// The ratio of two units' costs, round by round, if one of them may be said to cost less.
    pub(crate) fn claim(&self, one: &[Round], other: &[Round]) -> Claim {
        let kept = |side: &[Round], against: &[Round]| {
            let kept = side.iter().filter(|round| {
                let with = pair(round, against);
                self.keeps(round) && with.is_some_and(|with| self.keeps(with))
            });
            Spread::of(kept.map(|round| round.cost))
        };
        match (self.ratios(one, other), kept(one, other), kept(other, one)) {
            (Claim::Ratio(ratios), Some(one), Some(other)) if one.max < other.min || other.max < one.min => {
                Claim::Ratio(ratios)
            }
            (Claim::Ratio(_), _, _) => Claim::None(Reason::Overlap),
            (none, _, _) => none,
        }
    }

    /// The ratio of two units' costs, round by round, if enough rounds count. That one costs less is not said by it.
    pub(crate) fn ratios(&self, one: &[Round], other: &[Round]) -> Claim {
        let pairs: Vec<_> = one.iter().filter_map(|one| Some((one, pair(one, other)?))).collect();
        let stolen = pairs
            .iter()
            .filter(|(one, other)| one.steal.max(other.steal) > self.steal_max);
        let stolen = stolen.count();
        let late = pairs
            .iter()
            .filter(|(one, other)| one.late.max(other.late) > self.late_max);
        let late = late.count();
        let kept: Vec<_> = pairs
            .iter()
            .filter(|(one, other)| self.keeps(one) && self.keeps(other))
            .collect();
        let ratios = Spread::of(kept.iter().map(|(one, other)| one.cost / other.cost));
        let Some(ratios) = ratios.filter(|ratios| ratios.count >= self.rounds_min) else {
            // A third of what was asked for: then the host is the reason, and not this machine's other work.
            if stolen * 3 > pairs.len() {
                return Claim::None(Reason::Steal { rounds: stolen });
            }
            if late * 3 > pairs.len() {
                return Claim::None(Reason::Late { rounds: late });
            }
            let (kept, needed) = (kept.len(), self.rounds_min);
            return Claim::None(Reason::FewRounds { kept, needed });
        };
        Claim::Ratio(ratios)
    }
}

fn pair<'a>(one: &Round, other: &'a [Round]) -> Option<&'a Round> {
    other.iter().find(|other| other.number == one.number)
}

/// A ratio, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claim {
    /// Of the rounds that count.
    Ratio(Spread),
    /// Nothing can be said.
    None(Reason),
}

/// Why there is no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Too few rounds were quiet.
    FewRounds {
        /// That count.
        kept: usize,
        /// That would have to.
        needed: usize,
    },
    /// The machine's host took too much.
    Steal {
        /// In which it did.
        rounds: usize,
    },
    /// The generator was so late that it measured itself.
    Late {
        /// In which it was.
        rounds: usize,
    },
    /// The dearest round of the one costs as much as the cheapest of the other.
    Overlap,
}

impl Reason {
    /// For the cell of a table.
    pub(crate) fn words(self) -> String {
        match self {
            Self::FewRounds { kept, needed } => format!("no claim ({kept} of {needed} rounds)"),
            Self::Steal { rounds } => format!("no claim (steal in {rounds} rounds)"),
            Self::Late { rounds } => format!("no claim (the generator was late in {rounds} rounds)"),
            Self::Overlap => "no claim (ranges overlap)".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        foreign_max: 0.05,
        steal_max: 0.02,
        rounds_min: 3,
        late_max: 0.5,
    };

    fn rounds(costs: &[f64]) -> Vec<Round> {
        let round = |(number, cost): (usize, &f64)| Round {
            number,
            cost: *cost,
            foreign: 0.01,
            steal: 0.0,
            late: 0.0,
        };
        costs.iter().enumerate().map(round).collect()
    }

    #[test]
    fn the_middle_of_odd_and_even_counts() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max, odd.count), (2.0, 1.0, 3.0, 3));
        assert!((Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap().median - 2.5).abs() < 1e-9);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let Claim::Ratio(ratios) = RULES.claim(&rounds(&[10.0, 20.0, 30.0]), &rounds(&[40.0, 40.0, 60.0])) else {
            panic!("no claim");
        };
        assert_eq!((ratios.median, ratios.min, ratios.max), (0.5, 0.25, 0.5));
    }

    #[test]
    fn loud_rounds_are_dropped_from_both() {
        let (mut one, other) = (rounds(&[10.0, 10.0, 10.0, 90.0]), rounds(&[20.0, 20.0, 20.0, 20.0]));
        one[3].foreign = 0.051;
        let Claim::Ratio(ratios) = RULES.claim(&one, &other) else {
            panic!("no claim");
        };
        assert_eq!((ratios.count, ratios.max), (3, 0.5));
        one[2].foreign = 0.2;
        let few = Reason::FewRounds { kept: 2, needed: 3 };
        assert_eq!(RULES.claim(&one, &other), Claim::None(few));
        assert_eq!(few.words(), "no claim (2 of 3 rounds)");
    }

    #[test]
    fn steal_is_named_as_the_reason() {
        let (mut one, other) = (rounds(&[10.0, 10.0, 10.0]), rounds(&[20.0, 20.0, 20.0]));
        one[0].steal = 0.3;
        one[1].steal = 0.3;
        assert_eq!(RULES.claim(&one, &other), Claim::None(Reason::Steal { rounds: 2 }));
    }

    #[test]
    fn ranges_that_overlap_claim_nothing() {
        let claim = RULES.claim(&rounds(&[10.0, 12.0, 11.0]), &rounds(&[12.0, 14.0, 13.0]));
        assert_eq!(claim, Claim::None(Reason::Overlap));
        let claim = RULES.claim(&rounds(&[10.0, 11.9, 11.0]), &rounds(&[12.0, 14.0, 13.0]));
        assert!(matches!(claim, Claim::Ratio(_)), "{claim:?}");
        // How far apart they are is known all the same.
        let ratios = RULES.ratios(&rounds(&[10.0, 12.0, 11.0]), &rounds(&[12.0, 14.0, 13.0]));
        assert!(
            matches!(ratios, Claim::Ratio(ratios) if ratios.max < 0.86),
            "{ratios:?}"
        );
    }

    #[test]
    fn a_late_generator_measured_itself() {
        let (mut one, other) = (rounds(&[10.0, 10.0, 10.0]), rounds(&[20.0, 20.0, 20.0]));
        one[0].late = 0.6;
        one[2].late = 0.6;
        let late = Reason::Late { rounds: 2 };
        assert_eq!(RULES.claim(&one, &other), Claim::None(late));
        assert_eq!(late.words(), "no claim (the generator was late in 2 rounds)");
    }

    #[test]
    fn a_round_that_only_one_has_is_none() {
        let claim = RULES.claim(&rounds(&[10.0, 10.0, 10.0]), &rounds(&[20.0, 20.0]));
        assert_eq!(claim, Claim::None(Reason::FewRounds { kept: 2, needed: 3 }));
    }
}
