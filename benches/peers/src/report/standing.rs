//! The table of start and memory.

use std::fmt::Write;

use super::Report;
use super::markdown::in_cell;

impl Report {
    pub(super) fn write_standings(&self, text: &mut String) -> std::fmt::Result {
        if self.standings.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "## Start and memory\n\n\
             | unit | services | ms to the first answer | foreign | idle, MiB | loaded (most), MiB \
             | KiB per idle connection |\n|---|--:|--:|--:|--:|--:|--:|"
        )?;
        let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
        for standing in &self.standings {
            if let Some(problem) = &standing.problem {
                let (unit, services) = (&standing.unit, standing.services);
                writeln!(text, "| {unit} | {services} | {} | | | | |", in_cell(problem))?;
                continue;
            }
            let unit = self.units.iter().find(|unit| unit.name == standing.unit);
            let loaded = unit.and_then(|unit| unit.loaded_kib);
            let ready = standing
                .ready_ms
                .map(|ready| format!("{:.0} ({:.0}–{:.0})", ready.median, ready.min, ready.max));
            let connection = match &standing.connection_problem {
                Some(problem) => Some(in_cell(problem)),
                None => standing
                    .connection_kib
                    .map(|kib| format!("{kib:.1} (of {})", standing.connections)),
            };
            writeln!(
                text,
                "| {} | {} | {} | {:.1} % | {} | {} | {} |",
                standing.unit,
                standing.services,
                ready.unwrap_or_else(dash),
                standing.foreign * 100.0,
                standing.idle_kib.map_or_else(dash, mib),
                loaded.map_or_else(dash, |(now, most)| format!("{} ({})", mib(now), mib(most))),
                connection.unwrap_or_else(dash)
            )?;
        }
        writeln!(text)
    }
}

fn dash() -> String {
    "–".to_owned()
}
