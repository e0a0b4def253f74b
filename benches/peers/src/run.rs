//! The run: start, check, rounds in rotating order, memory, report.

mod line;
mod open;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::child::is_program;
use crate::clock::now;
use crate::measure::Calm;
use crate::memory::Standings;
use crate::proc::{self, resident_kib};
use crate::quiet::quiet;
use crate::report::Report;
use crate::servers::backend::Schema;
use crate::stage::{Behind, Cores};
use crate::statistics::Rules;
use crate::unit::{self, Places};
use crate::workload::Cell;
use line::Line;
pub(crate) use open::{CALL, OpenSample, Pace};

/// What is measured, and how.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Rounds; a ratio is claimed of 7 that count.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Seconds of calls before each measurement.
    #[arg(long, default_value_t = 0.25)]
    warm: f64,
    /// Rounds at fixed rates, for latency; 0 leaves them out.
    #[arg(long, default_value_t = 7)]
    open_rounds: usize,
    /// Seconds of each measurement at a fixed rate.
    #[arg(long, default_value_t = 1.5)]
    open_seconds: f64,
    /// Units, by name; all without.
    #[arg(long, visible_alias = "only", value_delimiter = ',')]
    units: Vec<String>,
    /// Calls; all without.
    #[arg(long, value_delimiter = ',')]
    cells: Vec<Cell>,
    /// Fewest rounds that count, for a claim.
    #[arg(long, default_value_t = 7)]
    claim_rounds: usize,
    /// Percent of the machine that others may use in a measurement that counts.
    #[arg(long, default_value_t = 5.0)]
    foreign_max: f64,
    /// Percent of the machine that its host may take.
    #[arg(long, default_value_t = 2.0)]
    steal_max: f64,
    /// How often a measurement that others or the host disturb is tried, at most, in its round.
    #[arg(long, default_value_t = 5)]
    tries: usize,
    /// Longest wait for quiet before each round, in seconds.
    #[arg(long, default_value_t = 20.0)]
    quiet_wait: f64,
    /// Longest start of a unit, in seconds.
    #[arg(long, default_value_t = 10.0)]
    start_max: f64,
    /// Starts of each unit for the table of start and memory; 0 leaves it out.
    #[arg(long, default_value_t = 7)]
    starts: usize,
    /// Idle connections for that table; fewer if fewer files may be open.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Leaves all processes where the scheduler puts them.
    #[arg(long)]
    no_pin: bool,
    /// Where the raw figures go, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where install scripts installed; `target/tools` of the workspace without.
    #[arg(long)]
    tools: Option<PathBuf>,
    /// Our gateway; the one beside this program without.
    #[arg(long)]
    gateway: Option<PathBuf>,
}

impl RunArgs {
    /// Runs, and prints the tables.
    ///
    /// # Errors
    ///
    /// The harness itself cannot work. A unit that cannot says so in its cells.
    pub(crate) fn run(&self) -> io::Result<()> {
        let begin = now();
        let work = tempfile::tempdir()?;
        let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let workspace = package.join("../..").canonicalize()?;
        let places = Places {
            tools: self.tools.clone().unwrap_or_else(|| workspace.join("target/tools")),
            own: std::env::current_exe()?,
            gateway: self.gateway.clone(),
            work: work.path().to_owned(),
            package,
        };
        let units = unit::chosen(unit::all(&places)?, &self.units).map_err(io::Error::other)?;
        let cores = self.cores();
        let mut lines: Vec<Line> = units.into_iter().map(|unit| Line::new(unit, &places)).collect();
        let mut report = self.report(&places, cores);
        if self.rounds + self.open_rounds > 0 {
            self.measure(&mut lines, &places, cores, &mut report)?;
        }
        if self.starts > 0 {
            self.stand(&mut lines, &places, cores, &mut report);
        }
        report.units = lines.into_iter().map(|line| line.report).collect();
        report.seconds_taken = begin.elapsed().as_secs_f64();
        report.conclude();
        writeln!(io::stdout(), "{}", report.markdown())?;
        if let Some(path) = &self.json {
            fs::write(path, serde_json::to_vec_pretty(&report).map_err(io::Error::other)?)?;
        }
        Ok(())
    }

    /// The last core for the unit: interrupts tend to go to the first.
    fn cores(&self) -> Cores {
        let last = proc::processors() - 1;
        let pins = !self.no_pin && last > 0 && is_program("/usr/bin/taskset".as_ref());
        Cores {
            unit: pins.then_some(last),
            others: pins.then_some(0),
        }
    }

    fn cells(&self) -> &[Cell] {
        if self.cells.is_empty() { &Cell::ALL } else { &self.cells }
    }

    fn report(&self, places: &Places, cores: Cores) -> Report {
        let words: Vec<_> = std::env::args().collect();
        Report {
            command: words.join(" "),
            machine: proc::machine(),
            build: build(places),
            cores,
            rules: Rules {
                foreign_max: self.foreign_max / 100.0,
                steal_max: self.steal_max / 100.0,
                rounds_min: self.claim_rounds,
                late_max: 0.5,
            },
            rounds: self.rounds,
            seconds: self.seconds,
            cells: self.cells().to_vec(),
            units: Vec::new(),
            samples: Vec::new(),
            open: Vec::new(),
            open_rounds: self.open_rounds,
            seconds_taken: 0.0,
            waits: Vec::new(),
            standings: Vec::new(),
            goals: Vec::new(),
        }
    }

    fn measure(&self, lines: &mut [Line], places: &Places, cores: Cores, report: &mut Report) -> io::Result<()> {
        let behind = Behind::start(places, cores, Schema::Orders)?;
        for line in lines.iter_mut() {
            line.start(
                places,
                cores,
                &behind,
                Duration::from_secs_f64(self.start_max),
                self.cells(),
            );
        }
        for round in 0..self.rounds {
            let patience = Duration::from_secs_f64(self.quiet_wait);
            let (share, waited) = quiet(self.foreign_max / 100.0, patience, &behind.pids())?;
            report.waits.push((share, waited.as_secs_f64()));
            note(&format!(
                "round {} of {}: others have {:.1} %",
                round + 1,
                self.rounds,
                share * 100.0
            ));
            for cell in self.cells() {
                // Who comes first changes from round to round.
                for place in 0..lines.len() {
                    let line = &mut lines[(place + round) % lines.len()];
                    self.sample(line, places, cores, &behind, *cell, round, report)?;
                }
            }
        }
        if self.open_rounds > 0 {
            self.open(lines, places, cores, &behind, report)?;
        }
        self.count_syscalls(lines, places, cores, &behind);
        for line in lines {
            line.report.loaded_kib = line
                .running
                .as_ref()
                .and_then(|running| resident_kib(running.process.pid()).ok());
            // It has to be gone before memory is looked at.
            line.running = None;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one measurement is all of this")]
    fn sample(
        &self,
        line: &mut Line,
        places: &Places,
        cores: Cores,
        behind: &Behind,
        cell: Cell,
        round: usize,
        report: &mut Report,
    ) -> io::Result<()> {
        if !matches!(line.report.checked.get(&cell), Some(Ok(_))) || !line.still_runs(round) {
            return Ok(());
        }
        let Some(load) = line.load(places, cores, behind, cell, None) else {
            return Ok(());
        };
        let calm = self.calm(&report.rules);
        let duration = Duration::from_secs_f64(self.seconds);
        let sample = load.measure_calm(&line.unit.name, round, duration, &calm)?;
        report.samples.push(sample);
        Ok(())
    }

    fn calm<'a>(&self, rules: &'a Rules) -> Calm<'a> {
        Calm {
            rules,
            tries: self.tries,
            warm: Duration::from_secs_f64(self.warm),
        }
    }

    fn stand(&self, lines: &mut [Line], places: &Places, cores: Cores, report: &mut Report) {
        let standings = Standings {
            starts: self.starts,
            // Some are needed for other things.
            connections: self.connections.min(proc::open_files().saturating_sub(1_000)),
            foreign_max: self.foreign_max / 100.0,
            patience: Duration::from_secs_f64(self.quiet_wait),
            start_max: Duration::from_secs_f64(self.start_max),
        };
        for line in lines {
            if let Some(program) = line.program.as_ref().filter(|_| !line.unit.only_calls) {
                note(&format!("start and memory of {}", line.unit.name));
                report.standings.push(standings.of(&line.unit, program, places, cores));
            }
        }
    }
}

fn build(places: &Places) -> String {
    let said = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).current_dir(&places.package).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.unwrap_or_default()
    };
    let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    let profile = places.own.parent().and_then(|folder| folder.file_name());
    format!(
        "commit {}{}, profile {}, {}",
        said("git", &["rev-parse", "--short=12", "HEAD"]),
        if changed { " with changes" } else { "" },
        profile.unwrap_or_default().to_string_lossy(),
        said("rustc", &["--version"])
    )
}

/// What is going on, beside the tables.
fn note(text: &str) {
    // Nobody has to read it.
    let _ = writeln!(io::stderr(), "{text}");
}
