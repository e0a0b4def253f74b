//! The tables beside that of cost: what a byte costs, system calls, and latencies at fixed rates.

use std::fmt::Write;

use super::Report;
use super::markdown::{figure, in_cell};
use crate::goals::{OURS, RIVAL, What};
use crate::run::{CALL, OpenSample, Pace};
use crate::slope::fit;
use crate::statistics::{Claim, Spread};

impl Report {
    pub(super) fn write_slopes(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "## What a byte costs: `a + b · bytes` through the unary calls, bytes of JSON in and out\n\n\
             | unit | a, µs | b, ns | ours to it, b | system calls of a {} |\n|---|--:|--:|--:|--:|",
            CALL.name()
        )?;
        for unit in self.units.iter().filter(|unit| unit.not_run.is_none()) {
            let slopes = self.slope_rounds(&unit.name);
            let slope = Spread::of(
                slopes
                    .iter()
                    .filter(|round| self.rules.keeps(round))
                    .map(|round| round.cost),
            );
            let slope = slope.map_or_else(|| "–".to_owned(), |slope| range(slope, 1_000.0));
            let fixed = self
                .fixed_cost(&unit.name)
                .map_or_else(|| "–".to_owned(), |fixed| range(fixed, 1.0));
            let ratio = (unit.name != OURS).then(|| self.compared(OURS, &unit.name, What::Slope));
            let ratio = ratio
                .flatten()
                .map_or_else(|| "–".to_owned(), |(_, claim)| words(claim));
            let calls = match &unit.syscalls {
                None => "–".to_owned(),
                Some(Ok(calls)) => format!("{calls:.1}"),
                Some(Err(why)) => format!("not counted: {}", in_cell(why)),
            };
            writeln!(text, "| {} | {fixed} | {slope} | {ratio} | {calls} |", unit.name)?;
        }
        writeln!(text)
    }

    fn fixed_cost(&self, unit: &str) -> Option<Spread> {
        let rounds = self.lines_of(unit);
        let kept = rounds.iter().filter(|(round, _)| self.rules.keeps(round));
        Spread::of(kept.map(|(_, line)| line.fixed))
    }

    /// Each round's line, with the loudest of its measurements' shares.
    pub(super) fn lines_of(&self, unit: &str) -> Vec<(crate::statistics::Round, crate::slope::Line)> {
        let of_round = |number: usize| {
            let (mut points, mut loudest) = (Vec::new(), None::<crate::statistics::Round>);
            for cell in &self.cells {
                let Some(bytes) = cell.json_bytes() else { continue };
                let rounds = self.rounds_of(unit, *cell);
                let Some(round) = rounds.iter().find(|round| round.number == number) else {
                    continue;
                };
                points.push((bytes as f64, round.cost));
                let loud = loudest.get_or_insert(*round);
                loud.foreign = loud.foreign.max(round.foreign);
                loud.steal = loud.steal.max(round.steal);
            }
            let line = fit(&points)?;
            Some((
                crate::statistics::Round {
                    cost: line.slope,
                    ..loudest?
                },
                line,
            ))
        };
        (0..self.rounds).filter_map(of_round).collect()
    }

    pub(super) fn write_latencies(&self, text: &mut String) -> std::fmt::Result {
        if self.open.is_empty() {
            return Ok(());
        }
        for pace in Pace::ALL {
            writeln!(
                text,
                "## Latency of a {} in µs, open loop, {}\n\n\
                 | unit | calls/s | p50 | p99 | p99 to {RIVAL}'s | generator late, p99 | CPU µs per call |\n\
                 |---|--:|--:|--:|--:|--:|--:|",
                CALL.name(),
                pace.words()
            )?;
            for unit in &self.units {
                let samples = self.open_of(&unit.name, pace);
                let rates = samples.iter().filter_map(|open| open.sample.rate);
                let Some(Spread { median: rate, .. }) = Spread::of(rates) else {
                    continue;
                };
                if let Some(problem) = samples.iter().find_map(|open| open.sample.problem.as_deref()) {
                    writeln!(
                        text,
                        "| {} | {rate:.0} | failed: {} | | | | |",
                        unit.name,
                        in_cell(problem)
                    )?;
                    continue;
                }
                let kept: Vec<_> = samples
                    .iter()
                    .filter(|open| self.rules.keeps(&open.sample.as_latency_round()))
                    .collect();
                let spread = |of: fn(&OpenSample) -> f64| Spread::of(kept.iter().map(|open| of(open)));
                let told = |of| spread(of).map_or_else(|| "no claim".to_owned(), |spread| range(spread, 1.0));
                let late = Spread::of(samples.iter().map(|open| open.sample.counts.late_p99_us));
                let what = What::Latency(pace);
                let ratio = (unit.name != RIVAL).then(|| self.compared(&unit.name, RIVAL, what));
                let ratio = ratio
                    .flatten()
                    .map_or_else(|| "–".to_owned(), |(_, claim)| words(claim));
                writeln!(
                    text,
                    "| {} | {rate:.0} | {} | {} | {ratio} | {} | {} |",
                    unit.name,
                    told(|open| open.sample.counts.p50_us),
                    told(|open| open.sample.counts.p99_us),
                    late.map_or_else(|| "–".to_owned(), |late| range(late, 1.0)),
                    told(|open| open.sample.cost_us)
                )?;
            }
            writeln!(text)?;
        }
        Ok(())
    }

    pub(super) fn open_of(&self, unit: &str, pace: Pace) -> Vec<&OpenSample> {
        let open = self.open.iter();
        open.filter(|open| open.sample.unit == unit && open.pace == pace)
            .collect()
    }
}

fn range(spread: Spread, times: f64) -> String {
    let [median, min, max] = [spread.median, spread.min, spread.max].map(|value| figure(value * times));
    format!("{median} ({min}–{max})")
}

pub(super) fn words(claim: Claim) -> String {
    match claim {
        Claim::None(reason) => reason.words(),
        Claim::Ratio(ratio) => format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max),
    }
}
