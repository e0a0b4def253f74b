//! The tables, in Markdown.

use std::fmt::Write;

use super::more::words;
use super::{Report, UnitReport};
use crate::goals::{LIMIT, OURS};
use crate::stage::Checked;
use crate::statistics::{Claim, Spread};
use crate::workload::Cell;

/// A core that was less busy was not what held the calls up: its cost is that of a unit that waits.
const SATURATED: f64 = 0.90;

impl Report {
    /// All tables.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        self.write_head(text)?;
        self.write_units(text)?;
        if self.rounds > 0 {
            self.write_costs(text)?;
            self.write_ratios(text, "Ours to each: ratios of the same round", |unit, cell| {
                (unit != OURS).then(|| self.ratio(OURS, unit, cell))
            })?;
            self.write_ratios(text, "Each to the plain hyper proxy", |unit, cell| {
                (unit != LIMIT).then(|| self.ratio(unit, LIMIT, cell))
            })?;
            self.write_slopes(text)?;
            self.write_rounds(text)?;
        }
        self.write_latencies(text)?;
        self.write_standings(text)?;
        self.write_summary(text)?;
        self.write_goals(text)?;
        self.write_losses(text)
    }

    fn write_head(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "`{}`\n", self.command)?;
        writeln!(text, "- machine: {}", self.machine)?;
        writeln!(text, "- build: {}", self.build)?;
        if !self.build.contains("profile dist") {
            writeln!(text, "- **not the shipped profile**: nothing here is a figure")?;
        }
        match (self.cores.unit, self.cores.others) {
            (Some(unit), Some(others)) => {
                writeln!(
                    text,
                    "- pinned: unit under test on core {unit}, generator and backend on core {others}"
                )?;
            }
            _ => writeln!(text, "- **not pinned**: ratios move with what the scheduler does")?,
        }
        writeln!(
            text,
            "- {} rounds of {} s; a measurement counts with at most {:.0} % of the machine used by others and {:.0} % \
             stolen; a ratio takes {} rounds and ranges that do not overlap\n",
            self.rounds,
            self.seconds,
            self.rules.foreign_max * 100.0,
            self.rules.steal_max * 100.0,
            self.rules.rounds_min
        )
    }

    fn write_units(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "## Units\n\n| unit | version | answers | |\n|---|---|---|---|")?;
        for unit in &self.units {
            let answers = match (&unit.not_run, &unit.problem) {
                (Some(why), _) => format!("**not run**: {why}"),
                (_, Some(problem)) => format!("**does not serve**: {}", in_cell(problem)),
                _ => said_of(&unit.checked),
            };
            writeln!(text, "| {} | {} | {answers} | {} |", unit.name, unit.version, unit.note)?;
        }
        writeln!(text)
    }

    fn write_columns(&self, text: &mut String, title: &str) -> std::fmt::Result {
        writeln!(text, "## {title}\n")?;
        write!(text, "| unit |")?;
        for cell in &self.cells {
            write!(text, " {} |", cell.name())?;
        }
        writeln!(text, "\n|---|{}", "--:|".repeat(self.cells.len()))
    }

    fn write_costs(&self, text: &mut String) -> std::fmt::Result {
        self.write_columns(
            text,
            "CPU microseconds per call (stream: per message): median (min–max) of the rounds that count",
        )?;
        let mut waiting = false;
        for unit in self.units.iter().filter(|unit| unit.not_run.is_none()) {
            write!(text, "| {} |", unit.name)?;
            for cell in &self.cells {
                let words = self.cost_words(unit, *cell);
                waiting |= words.contains('~');
                write!(text, " {words} |")?;
            }
            writeln!(text)?;
        }
        if waiting {
            writeln!(
                text,
                "\n`~`: its core was less than {:.0} % busy; it waited for the others.",
                SATURATED * 100.0
            )?;
        }
        writeln!(text)
    }

    fn cost_words(&self, unit: &UnitReport, cell: Cell) -> String {
        // What exactly is in the table of units.
        if unit.problem.is_some() {
            return "does not serve".to_owned();
        }
        match unit.checked.get(&cell) {
            None => return "–".to_owned(),
            Some(Err(_)) => return "wrong answer".to_owned(),
            Some(Ok(_)) => {}
        }
        let samples = self.samples_of(&unit.name, cell);
        if let Some(problem) = samples.iter().find_map(|sample| sample.problem.as_deref()) {
            return format!("failed: {}", in_cell(problem));
        }
        let kept = samples.iter().filter(|sample| self.rules.keeps(&sample.as_round()));
        let kept: Vec<_> = kept.collect();
        let Some(costs) = Spread::of(kept.iter().map(|sample| sample.cost_us)) else {
            let all = Spread::of(samples.iter().map(|sample| sample.cost_us));
            let loud = all.map(|all| format!(", loud {:.1}", all.median)).unwrap_or_default();
            return format!("no claim (0 of {} rounds{loud})", samples.len());
        };
        let busy = Spread::of(kept.iter().map(|sample| sample.busy));
        let waits = busy.is_some_and(|busy| busy.median < SATURATED);
        format!(
            "{}{} ({}–{})",
            if waits { "~" } else { "" },
            figure(costs.median),
            figure(costs.min),
            figure(costs.max)
        )
    }

    fn write_ratios(
        &self,
        text: &mut String,
        title: &str,
        ratio: impl Fn(&str, Cell) -> Option<Option<Claim>>,
    ) -> std::fmt::Result {
        self.write_columns(text, title)?;
        for unit in self.units.iter().filter(|unit| unit.not_run.is_none()) {
            let claims: Vec<_> = self.cells.iter().map(|cell| ratio(&unit.name, *cell)).collect();
            // A unit itself, and one that nothing was measured of.
            if claims.iter().all(|claim| !matches!(claim, Some(Some(_)))) {
                continue;
            }
            let words = claims.into_iter().flatten().map(|claim| match claim {
                None => "–".to_owned(),
                Some(claim) => words(claim),
            });
            writeln!(text, "| {} | {} |", unit.name, words.collect::<Vec<_>>().join(" | "))?;
        }
        writeln!(text)
    }

    fn write_rounds(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "## Rounds\n\n\
             | round | waited for quiet, s | foreign, before | foreign, median and max | steal, max | taken again | dropped |\n\
             |--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for (round, (share, waited)) in self.waits.iter().enumerate() {
            let samples: Vec<_> = self.samples.iter().filter(|sample| sample.round == round).collect();
            let Some(foreign) = Spread::of(samples.iter().map(|sample| sample.foreign)) else {
                continue;
            };
            let steal = samples.iter().map(|sample| sample.steal).fold(0.0, f64::max);
            let dropped = samples
                .iter()
                .filter(|sample| !self.rules.keeps(&sample.as_round()))
                .count();
            let again: usize = samples.iter().map(|sample| sample.again).sum();
            writeln!(
                text,
                "| {} | {waited:.1} | {:.1} % | {:.1} %, {:.1} % | {:.1} % | {again} | {dropped} of {} |",
                round + 1,
                share * 100.0,
                foreign.median * 100.0,
                foreign.max * 100.0,
                steal * 100.0,
                samples.len()
            )?;
        }
        writeln!(text)
    }
}

pub(super) fn figure(cost: f64) -> String {
    if cost >= 100.0 {
        format!("{cost:.0}")
    } else if cost >= 10.0 {
        format!("{cost:.1}")
    } else {
        format!("{cost:.2}")
    }
}

/// One line, without what would end the cell of a table.
pub(super) fn in_cell(text: &str) -> String {
    text.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn said_of(checked: &Checked) -> String {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for (cell, outcome) in checked {
        let words = match outcome {
            Ok(printing) => printing.words(),
            Err(difference) => format!("**wrong** ({})", in_cell(difference)),
        };
        match said.iter_mut().find(|(other, _)| *other == words) {
            Some((_, cells)) => cells.push(cell.name()),
            None => said.push((words, vec![cell.name()])),
        }
    }
    if said.is_empty() {
        return "not asked".to_owned();
    }
    let said = said
        .iter()
        .map(|(words, cells)| format!("{words}: {}", cells.join(", ")));
    said.collect::<Vec<_>>().join("; ")
}
