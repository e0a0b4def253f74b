//! `tests/run` on a stranger's machine: what it says where a part is missing or too old, and that its lowest versions
//! are those that the parts ask for. Programs that are missing here are played by scripts in a folder that is the PATH.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_tests::parts::{self, Printed};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A machine that has only the programs of every system, and these scripts.
struct Machine(TempDir);

impl Machine {
    fn with(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bash", "cksum", "cut", "dirname", "env", "grep", "head", "sed", "sort"] {
            let found = parts::run(Command::new("sh").args(["-c", &format!("command -v {name}")]));
            symlink(found.out.trim(), folder.path().join(name)).unwrap();
        }
        for (name, script) in programs {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    fn bash(&self, arguments: &[&str]) -> Printed {
        let mut bash = Command::new("bash");
        bash.args(arguments).env("PATH", self.0.path()).current_dir(root());
        parts::run(&mut bash)
    }

    /// Runs a function of `tests/parts/install.sh`.
    fn call(&self, function: &str) -> Printed {
        let line = format!("root=$PWD tools=/nowhere; . tests/parts/install.sh; {function}");
        self.bash(&["-c", &line])
    }
}

#[test]
fn flags_and_a_missing_cargo_are_told_at_once() {
    let machine = Machine::with(&[]);
    let help = machine.bash(&["tests/run", "--help"]);
    assert_eq!(help.code, 0, "{help:?}");
    assert!(
        help.out.contains("tests/run --quick") && !help.out.contains("set -"),
        "{help:?}"
    );
    assert_eq!(machine.bash(&["tests/run", "--fast"]).code, 2);
    let without = machine.bash(&["tests/run", "--quick"]);
    assert_eq!(without.code, 4, "{without:?}");
    assert!(without.err.contains("missing: cargo"), "{without:?}");
}

#[test]
fn missing_packages_are_named_with_the_command() {
    let other = tempfile::NamedTempFile::new().unwrap();
    fs::write(other.path(), "ID=other\n").unwrap();
    let machine = Machine::with(&[]);
    let call = format!(
        "postgres_bin() {{ :; }}; OS_RELEASE={}; require_packages; echo went on",
        other.path().display()
    );
    let told = machine.call(&call);
    assert_eq!(told.code, 4, "{told:?}");
    for part in ["missing: postgresql ", "chromium", "python3-venv", "apt-get install -y"] {
        assert!(told.err.contains(part), "no {part:?}: {told:?}");
    }
    assert_eq!(told.out, "");
}

#[test]
fn programs_that_are_too_old_are_replaced() {
    for (version, good) in [
        ("v18.20.4", false),
        ("v20.20.2", false),
        ("v22.0.0", true),
        ("v100.1.0", true),
        ("", false),
    ] {
        let node = format!("echo {version}");
        let told = Machine::with(&[("node", &node), ("npm", "")]).call("has_node");
        assert_eq!(told.success, good, "Node {version}: {told:?}");
    }
    assert!(
        !Machine::with(&[("node", "echo v22.0.0")]).call("has_node").success,
        "npm is missing"
    );
    for (version, good) in [
        ("go1.19.8", false),
        ("go1.24.9", false),
        ("go1.25.0", true),
        ("go1.26.8", true),
    ] {
        let told = Machine::with(&[("go", &format!("echo {version}"))]).call("go_program");
        assert_eq!(!told.out.starts_with("/nowhere/go-"), good, "{version}: {told:?}");
    }
}

/// The lowest Node is the highest that a package of the lock files asks for.
#[test]
fn the_lowest_node_is_what_the_packages_ask_for() {
    let mut most = 0;
    for folder in ["tests/browser", "server/console"] {
        let lock = fs::read_to_string(root().join(folder).join("package-lock.json")).unwrap();
        let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
        for package in lock["packages"].as_object().unwrap().values() {
            let asked = package["engines"]["node"].as_str().unwrap_or_default();
            let asked = asked.trim_start_matches(">=").split('.').next().unwrap_or_default();
            most = most.max(asked.parse().unwrap_or(0));
        }
    }
    let told = Machine::with(&[]).call("echo $node_min");
    assert_eq!(told.out.trim(), most.to_string());
}
