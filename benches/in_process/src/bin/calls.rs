//! Instructions of a call in one process with its service: REST over HTTP/1.1, native gRPC over HTTP/2 (both with our
//! layers), and a plain server on hyper that transcodes nothing. All in user space: callgrind does not see the kernel.
//!
//! Question: what does a JSON call cost beside a native one? Bounds: GetOrder 0.90, 10 lines 1.0, 100 lines 1.5.
//!
//! `cargo run --release -p millrace-bench-in-process --bin calls` prints the table; with `--profile dist` it counts what
//! is shipped. The program starts itself again under valgrind, once for each cell; the caller is a thread of its own and
//! is not counted. The dumps of callgrind stay in the folder that is printed, for `callgrind_annotate`.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use millrace_bench_in_process::caller::{self, Call, Http1};
use millrace_bench_in_process::server;
use millrace_gateway::BoxError;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Calls before the count begins.
const WARM: usize = 50;
/// Calls that are counted.
const CALLS: usize = 200;

/// The calls, and the bound of REST over native gRPC.
const CALLED: [(&str, Call, f64); 3] = [
    ("get", Call::Get, 0.90),
    ("create10", Call::Create(10), 1.0),
    ("create100", Call::Create(100), 1.5),
];
const DOORS: [&str; 3] = ["rest", "grpc", "plain"];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [door, call] => cell(door, call),
        _ => table(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("calls: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one cell, to be counted from outside.
fn cell(door: &str, call: &str) -> Result<(), BoxError> {
    let call = CALLED.iter().find(|(name, ..)| *name == call).ok_or("no such call")?.1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let gateway = runtime.block_on(server::gateway())?;
    let (warm, warmed) = oneshot::channel();
    let (done, finished) = oneshot::channel();
    let caller: std::thread::JoinHandle<Result<(), BoxError>> = match door {
        "grpc" => std::thread::spawn(move || {
            let ready = || {
                let _ = warm.send(());
            };
            let called = caller::grpc(gateway, call, WARM, CALLS, ready);
            let _ = done.send(());
            called
        }),
        _ => {
            let json = json(&runtime, gateway, call)?;
            let server = match door {
                "rest" => gateway,
                _ => runtime.block_on(server::plain(json.clone().into()))?,
            };
            std::thread::spawn(move || {
                let mut connection = Http1::open(server)?;
                let request = call.http1(&json);
                for _ in 0..WARM {
                    connection.call(&request)?;
                }
                let _ = warm.send(());
                for _ in 0..CALLS {
                    connection.call(&request)?;
                }
                let _ = done.send(());
                Ok(())
            })
        }
    };
    runtime.block_on(warmed)?;
    counted(&runtime, finished);
    caller.join().map_err(|_| "the caller panicked")??;
    Ok(())
}

/// What callgrind counts, by its name: the server, until the caller has done its calls.
#[inline(never)]
fn counted(runtime: &Runtime, finished: oneshot::Receiver<()>) {
    let _ = black_box(runtime.block_on(finished));
}

/// The order in JSON, as the gateway writes it.
fn json(runtime: &Runtime, gateway: std::net::SocketAddr, call: Call) -> Result<Vec<u8>, BoxError> {
    let (done, finished) = oneshot::channel();
    std::thread::spawn(move || done.send(caller::order_json(gateway, call)));
    Ok(runtime.block_on(finished)??)
}

fn table() -> Result<(), BoxError> {
    let program = std::env::current_exe()?;
    let folder = program.with_extension("counts");
    std::fs::create_dir_all(&folder)?;
    println!("dumps: {}", folder.display());
    println!(
        "{:<10} {:>12} {:>12} {:>12} {:>10} {:>7}",
        "call", "rest", "grpc", "plain", "rest/grpc", "bound"
    );
    for (name, _, bound) in CALLED {
        let mut counts = Vec::new();
        for door in DOORS {
            counts.push(count(&program, &folder, door, name)?);
        }
        let ratio = counts[0] / counts[1];
        println!(
            "{name:<10} {:>12.0} {:>12.0} {:>12.0} {ratio:>10.2} {bound:>7}",
            counts[0], counts[1], counts[2]
        );
    }
    Ok(())
}

/// Instructions of one call of a cell.
fn count(program: &Path, folder: &Path, door: &str, call: &str) -> Result<f64, BoxError> {
    let out = folder.join(format!("{door}-{call}"));
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=calls::counted"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([door, call])
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("valgrind does not start: {error}; install it with: apt-get install valgrind"))?;
    if !ran.status.success() {
        return Err(format!("{}: {}", ran.status, String::from_utf8_lossy(&ran.stderr)).into());
    }
    let dump = std::fs::read_to_string(&out)?;
    let total = dump.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: f64 = total.ok_or("no total")?.parse()?;
    Ok(total / CALLS as f64)
}
