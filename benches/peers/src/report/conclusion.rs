//! The end of a report: a table for `benches/RESULTS.md`, the goals, and what ours loses.

use std::fmt::Write;

use super::Report;
use super::more::words;
use crate::goals::{OURS, What};
use crate::statistics::Claim;

impl Report {
    /// One table, with all that a reader needs to run it again.
    pub(super) fn write_summary(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "## For `benches/RESULTS.md`\n")?;
        writeln!(
            text,
            "`{}` ({:.0} s). {}; {}.",
            self.command, self.seconds_taken, self.machine, self.build
        )?;
        writeln!(
            text,
            "Ours to each in CPU per call, ratios of {} interleaved rounds: median (min–max).\n",
            self.rounds
        )?;
        write!(text, "| ours to |")?;
        for cell in &self.cells {
            write!(text, " {} |", cell.name())?;
        }
        writeln!(text, "\n|---|{}", "--:|".repeat(self.cells.len()))?;
        for unit in self.units.iter().filter(|unit| unit.name != OURS) {
            write!(text, "| {} {} |", unit.name, unit.version)?;
            for cell in &self.cells {
                let words = match (&unit.not_run, &unit.problem, unit.checked.get(cell)) {
                    (Some(_), ..) => "not run".to_owned(),
                    (_, Some(_), _) => "does not serve".to_owned(),
                    (.., Some(Err(_))) => "wrong answer".to_owned(),
                    _ => self
                        .compared(OURS, &unit.name, What::Cost(*cell))
                        .map_or_else(|| "–".to_owned(), |(_, claim)| words(claim)),
                };
                write!(text, " {words} |")?;
            }
            writeln!(text)?;
        }
        writeln!(text)
    }

    pub(super) fn write_goals(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "## Goals\n\n| ours | to | of | at most | |\n|---|---|---|--:|---|"
        )?;
        for goal in &self.goals {
            let (one, other, what) = (goal.one, goal.other, &goal.what);
            writeln!(text, "| {one} | {other} | {what} | {} | {} |", goal.bound, goal.verdict)?;
        }
        writeln!(text)
    }

    /// What a reader must not have to look for.
    pub(super) fn write_losses(&self, text: &mut String) -> std::fmt::Result {
        let losses = self.losses();
        writeln!(text, "## What ours loses\n")?;
        for loss in &losses {
            writeln!(text, "- {loss}")?;
        }
        if losses.is_empty() {
            writeln!(text, "- nothing that was measured and may be claimed")?;
        }
        let open = self
            .goals
            .iter()
            .filter(|goal| !goal.verdict.starts_with("reached") && !goal.verdict.starts_with("LOST"));
        writeln!(
            text,
            "- without a claim either way: {} of {} goals",
            open.count(),
            self.goals.len()
        )
    }

    /// Goals that are lost, and cells in which another costs less than ours.
    pub(super) fn losses(&self) -> Vec<String> {
        let lost = self.goals.iter().filter(|goal| goal.verdict.starts_with("LOST"));
        let mut losses: Vec<_> = lost
            .map(|goal| {
                let (one, other, what) = (goal.one, goal.other, &goal.what);
                format!(
                    "goal: {one} to {other}, {what}: {}, at most {}",
                    goal.verdict, goal.bound
                )
            })
            .collect();
        for unit in self.units.iter().filter(|unit| unit.name != OURS) {
            for cell in &self.cells {
                if let Some((_, Claim::Ratio(ratio))) = self.compared(OURS, &unit.name, What::Cost(*cell))
                    && ratio.median > 1.0
                {
                    losses.push(format!(
                        "cell: {} costs less, {}: ours {:.2} of it",
                        unit.name,
                        cell.name(),
                        ratio.median
                    ));
                }
            }
        }
        losses
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{report, unit};

    #[test]
    fn what_is_lost_is_said_at_the_end() {
        let report = report(&[("millrace-gateway", 20.0), ("cheaper", 10.0), ("dearer", 90.0)], 7);
        let losses = report.losses();
        assert!(
            losses.contains(&"cell: cheaper costs less, get: ours 2.00 of it".to_owned()),
            "{losses:?}"
        );
        assert!(!losses.iter().any(|loss| loss.contains("dearer")), "{losses:?}");
        let text = report.markdown();
        let end = text.split("## What ours loses").nth(1).unwrap();
        assert!(end.contains("cheaper costs less") && !end.contains("\n## "), "{end}");
    }

    #[test]
    fn too_few_rounds_lose_and_win_nothing() {
        let report = report(&[("millrace-gateway", 20.0), ("cheaper", 10.0)], 6);
        assert!(report.losses().is_empty());
        assert!(
            report.markdown().contains("| cheaper 1 | no claim (6 of 7 rounds) |"),
            "{}",
            report.markdown()
        );
    }

    #[test]
    fn a_unit_that_cannot_says_so_in_its_cells() {
        let mut report = report(&[("millrace-gateway", 20.0)], 7);
        for (name, fault) in [("absent", 0), ("dead", 1), ("liar", 2)] {
            let mut unit = unit(name);
            match fault {
                0 => unit.not_run = Some("not found".to_owned()),
                1 => unit.problem = Some("no answer within 10s: ".to_owned()),
                _ => {
                    let wrong = Err("$.name: missing".to_owned());
                    unit.checked.insert(crate::workload::Cell::Get, wrong);
                }
            }
            report.units.push(unit);
        }
        let text = report.markdown();
        for line in [
            "| absent 1 | not run |",
            "| dead 1 | does not serve |",
            "| liar 1 | wrong answer |",
            "| dead | does not serve |",
            "| liar | wrong answer |",
            "| dead | 1 | **does not serve**: no answer within 10s: |",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
