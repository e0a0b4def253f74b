//! Instructions of the codec and of the router, as ratios within one run, against bounds. Where a clock is of no use,
//! on a machine that others share, instructions are: they are the same in every run.
//!
//! Question: how much work is a message, against those who do the same or less, and against a smaller one; and a
//! look-up, against one among fewer routes? Expected: what `codec` and `router` expect of the time.
//!
//! `cargo run --release -p millrace-bench-codec --bin instructions` prints each figure beside its bound, and fails if
//! one is beyond it; so `tests/run` does. With `--profile dist` it counts what is shipped, which takes longer to build.
//!
//! The program starts itself again under valgrind's callgrind, which counts one call of [`counted`] after the other. No
//! figure is compared with a stored one: another compiler moves those. A framework that counts in the same way needs a
//! runner that is installed apart, and knows no ratio between two benches of one run.

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};

use millrace_bench_codec::CORPUS;
use millrace_bench_codec::order::{Contract, Sample, pbjson_read, pbjson_write, serde_both_ways, tokenize};
use millrace_bench_codec::routes::{self, COUNTS, Requests, STRIDE};

/// The argument that tells the program that it runs under valgrind.
const UNDER_VALGRIND: &str = "--under-valgrind";

/// The bounds: one figure, the other, how often the other the first may be at most.
const BOUNDS: [(&str, &str, f64); 12] = [
    ("json_to_wire/plan", "json_to_wire/pbjson", 0.45),
    ("json_to_wire/plan", "json_to_wire/prost_reflect", 0.18),
    ("json_to_wire/plan", "json_to_wire/ignored_any", 2.2),
    ("wire_to_json/plan", "wire_to_json/pbjson", 0.45),
    ("wire_to_json/plan", "wire_to_json/prost_reflect", 0.18),
    ("both_ways/plan", "both_ways/serde", 0.85),
    ("json_to_wire/4 MiB", "json_to_wire/16 kB", 1.3),
    ("wire_to_json/4 MiB", "wire_to_json/16 kB", 1.3),
    ("router/hit/10000", "router/hit/10", 1.5),
    ("router/miss/10000", "router/miss/10", 1.5),
    ("router/other_method/10000", "router/other_method/10", 1.5),
    ("router/backtrack/10000", "router/backtrack/10", 1.5),
];

/// Lines of an order of about 16 kB, and of about 4 MiB.
const SIZES: [(&str, usize); 2] = [("16 kB", 125), ("4 MiB", 32_000)];
/// Look-ups that are counted together.
const LOOK_UPS: usize = 64;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == UNDER_VALGRIND) {
        codec();
        sizes();
        router();
        return ExitCode::SUCCESS;
    }
    match counts() {
        Ok(counts) if report(&counts) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts one piece of work after it was done once. Prints its name, by which the count is found; `units` is what the
/// count is divided by.
fn count(name: &str, units: usize, mut work: impl FnMut()) {
    work();
    println!("{name}\t{units}");
    counted(&mut work);
}

/// What callgrind counts, by its name.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    // So that the call above is no jump, after which this function would be left already.
    black_box(());
}

fn codec() {
    let contract = Contract::load();
    for (lines, text) in CORPUS {
        let sample = contract.sample(text);
        let (json, wire) = (sample.json.as_slice(), sample.wire.as_slice());
        let name = |side: &str| format!("{side}\t{lines}");
        count(&name("json_to_wire/plan"), 1, || {
            drop(contract.codec_read(black_box(json)))
        });
        count(&name("json_to_wire/pbjson"), 1, || drop(pbjson_read(black_box(json))));
        count(&name("json_to_wire/prost_reflect"), 1, || {
            drop(contract.reflect_read(black_box(json)))
        });
        count(&name("json_to_wire/ignored_any"), 1, || tokenize(black_box(json)));
        count(&name("wire_to_json/plan"), 1, || {
            drop(contract.codec_write(black_box(wire)))
        });
        count(&name("wire_to_json/pbjson"), 1, || drop(pbjson_write(black_box(wire))));
        count(&name("wire_to_json/prost_reflect"), 1, || {
            drop(contract.reflect_write(black_box(wire)))
        });
        count(&name("both_ways/plan"), 1, || {
            drop(contract.codec_write(&contract.codec_read(black_box(json))))
        });
        count(&name("both_ways/serde"), 1, || drop(serde_both_ways(black_box(json))));
    }
}

/// Per byte of JSON.
fn sizes() {
    let contract = Contract::load();
    for (size, lines) in SIZES {
        let sample = Sample::repeated(CORPUS[2].1, lines);
        let bytes = sample.json.len();
        count(&format!("json_to_wire/{size}\tbyte"), bytes, || {
            drop(contract.codec_read(black_box(&sample.json)))
        });
        count(&format!("wire_to_json/{size}\tbyte"), bytes, || {
            drop(contract.codec_write(black_box(&sample.wire)))
        });
    }
}

/// Per look-up.
fn router() {
    for routes in COUNTS {
        let schema = routes::schema(routes);
        for (kind, requests) in Requests::of(routes).kinds() {
            count(&format!("router/{kind}/{routes}\tlook-up"), LOOK_UPS, || {
                for at in 0..LOOK_UPS {
                    let (method, path) = &requests[at * STRIDE % requests.len()];
                    let _ = black_box(schema.find(black_box(method), black_box(path)).is_ok());
                }
            });
        }
    }
}

/// Instructions by side, and below it by what they were counted for: lines of an order, a byte, a look-up.
type Counts = HashMap<String, Vec<(String, f64)>>;

/// Runs the program under valgrind, which writes a file after each call of [`counted`].
fn counts() -> Result<Counts, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let folder = program.with_extension("counts");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let out = folder.join("out");
    let ran = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=instructions::counted",
            "--dump-after=instructions::counted",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(&program)
        .arg(UNDER_VALGRIND)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("valgrind does not start: {error}; install it with: apt-get install valgrind"))?;
    if !ran.status.success() {
        return Err(format!("{}: {}", ran.status, String::from_utf8_lossy(&ran.stderr)).into());
    }
    let mut counts = Counts::new();
    for (at, line) in (1..).zip(String::from_utf8(ran.stdout)?.lines()) {
        let [side, of, units] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("{line:?} is no name of a count").into());
        };
        let dump = std::fs::read_to_string(folder.join(format!("out.{at}")))?;
        let instructions = total(&dump).ok_or_else(|| format!("no total for {line:?}"))?;
        let units: f64 = units.parse()?;
        counts
            .entry(side.to_owned())
            .or_default()
            .push((of.to_owned(), instructions / units));
    }
    Ok(counts)
}

/// All instructions of a file of callgrind's.
fn total(dump: &str) -> Option<f64> {
    let line = dump.lines().find_map(|line| line.strip_prefix("totals: "))?;
    line.parse().ok().filter(|total| *total > 0.0)
}

/// Prints each figure beside its bound; whether all are within.
fn report(counts: &Counts) -> bool {
    let mut names: Vec<_> = counts.keys().collect();
    names.sort();
    println!("{:<28} {:>8} {:>16}", "counted", "of", "instructions");
    for name in names {
        for (of, instructions) in &counts[name] {
            println!("{name:<28} {of:>8} {instructions:>16.1}");
        }
    }
    println!(
        "\n{:<28} {:<28} {:>8} {:>7} {:>7}",
        "figure", "against", "of", "ratio", "bound"
    );
    let mut are_within = true;
    for (side, other, bound) in BOUNDS {
        for ((of, instructions), (_, others)) in counts[side].iter().zip(&counts[other]) {
            let ratio = instructions / others;
            let verdict = if ratio <= bound { "" } else { "  beyond" };
            are_within &= ratio <= bound;
            println!("{side:<28} {other:<28} {of:>8} {ratio:>7.3} {bound:>7}{verdict}");
        }
    }
    are_within
}
