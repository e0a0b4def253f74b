//! The harness from end to end, once and short, with what needs no installation: so that it does not rot. Nothing is
//! said about time.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where cargo puts this package's example, which is our gateway.
fn gateway() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_millrace-bench-peers"));
    own.parent().unwrap().join("examples/gateway")
}

fn run(arguments: &[&str]) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("raw.json");
    let output = Command::new(env!("CARGO_BIN_EXE_millrace-bench-peers"))
        .args(["run", "--quiet-wait", "0", "--start-max", "60"])
        .arg("--json")
        .arg(&json)
        .arg("--gateway")
        .arg(gateway())
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let raw = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    (raw, String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_round_of_ours_and_the_limit() {
    let (raw, text) = run(&[
        "--units",
        "millrace-gateway,hyper-h1-h2,tonic,in-process-rest,in-process-sse,in-process-grpc,in-process-grpc-16",
        "--rounds",
        "1",
        "--seconds",
        "0.2",
        "--warm",
        "0",
        "--open-rounds",
        "1",
        "--open-seconds",
        "0.2",
        "--starts",
        "1",
        "--connections",
        "5",
    ]);
    let samples = raw["samples"].as_array().unwrap();
    // Five calls each, but for the limit's stream; one of server-sent events.
    assert_eq!(samples.len(), 29, "{text}");
    for sample in samples {
        assert_eq!(sample["problem"], Value::Null, "{sample}");
        assert!(sample["counts"]["calls"].as_u64() > Some(0), "{sample}");
        assert!(sample["cost_us"].as_f64() > Some(0.0), "{sample}");
    }
    // Ours and the limit, each at two rates. On a busy machine they may not keep up; then that is said.
    let open = raw["open"].as_array().unwrap();
    assert_eq!(open.len(), 4, "{text}");
    for open in open {
        assert!(open["rate"].as_f64() > Some(0.0), "{open}");
        assert!(open["counts"]["p99_us"].as_f64() > Some(0.0), "{open}");
    }
    assert!(text.contains("## What ours loses"), "{text}");
    for unit in raw["units"].as_array().unwrap() {
        assert_eq!(unit["problem"], Value::Null, "{unit}");
        for (cell, checked) in unit["checked"].as_object().unwrap() {
            assert!(checked["Ok"].is_object(), "{cell}: {unit}");
        }
    }
    // One round is no claim, whatever it shows.
    assert!(text.contains("no claim ("), "{text}");
    let goals = raw["goals"].as_array().unwrap();
    assert!(goals.iter().any(|goal| goal["verdict"] == "not measured"), "{goals:?}");
    let standings = raw["standings"].as_array().unwrap();
    // Of the three units that are one program, one stands for all.
    assert_eq!(standings.len(), 4, "{text}");
    for standing in standings {
        assert_eq!(standing["problem"], Value::Null, "{standing}");
        assert!(standing["idle_kib"].as_u64() > Some(0), "{standing}");
    }
    assert_eq!(standings[0]["services"], 10, "{standings:?}");
}

#[test]
fn what_is_not_there_is_named() {
    let (raw, text) = run(&[
        "--units",
        "structured-proxy",
        "--tools",
        "/nowhere",
        "--rounds",
        "0",
        "--open-rounds",
        "0",
        "--starts",
        "0",
    ]);
    assert!(
        text.contains("**not run**: not found at /nowhere/structured-proxy-"),
        "{text}"
    );
    assert!(
        text.contains("benches/peers/structured-proxy/install.sh /nowhere"),
        "{text}"
    );
    assert_eq!(raw["samples"].as_array().map(Vec::len), Some(0));
}
