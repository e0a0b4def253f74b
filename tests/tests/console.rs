//! The page at `/`: in a real browser, and built again from its sources.
//!
//! The browser tests are Node programs in `tests/browser/`; each starts a platform of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_tests::parts;

/// Runs one file of `tests/browser/` by Node's own test runner, which reads what `tests/run` put into the environment.
fn node_test(file: &str) {
    parts::variable("MILLRACE_BIN");
    run(Command::new("node")
        .args(["--test", "--test-reporter=spec", file])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/browser")));
}

fn run(command: &mut Command) {
    let printed = parts::run(command);
    assert!(printed.success, "{command:?}:\n{}\n{}", printed.out, printed.err);
}

#[test]
#[ignore = "needs Node and Chromium"]
fn works_from_its_own_and_another_origin() {
    node_test("console.test.mjs");
}

#[test]
#[ignore = "needs Node and Chromium"]
fn survives_broken_connections() {
    node_test("console_cut.test.mjs");
}

#[test]
#[ignore = "needs Node and Chromium"]
fn is_accessible() {
    node_test("console_accessible.test.mjs");
}

#[test]
#[ignore = "needs Node and Chromium"]
fn is_safe() {
    node_test("console_safe.test.mjs");
}

#[test]
#[ignore = "needs Node and Chromium"]
fn text_mode_of_grpc_web() {
    node_test("text_mode.test.mjs");
}

/// The bundle that is committed is what the sources and the proto files give, byte for byte, and not too large. The
/// build runs in a copy, so that a failure leaves the repository as it was.
#[test]
#[ignore = "needs Node and buf"]
fn is_built_from_its_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let committed = root.join("server/console");
    let copy = tempfile::tempdir().unwrap();
    copy_files(&root.join("proto"), &copy.path().join("proto"));
    fs::copy(root.join("LICENSE-APACHE"), copy.path().join("LICENSE-APACHE")).unwrap();
    let console = copy.path().join("server/console");
    copy_files(&committed, &console);
    let modules = PathBuf::from(parts::variable("MILLRACE_CONSOLE_MODULES"));
    std::os::unix::fs::symlink(modules, console.join("node_modules")).unwrap();

    parts::variable("MILLRACE_BUF");
    run(Command::new("npm").args(["run", "build"]).current_dir(&console));
    run(Command::new("npm").arg("test").current_dir(&console));
    let (before, after) = (files(&committed.join("dist")), files(&console.join("dist")));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, bytes) in before {
        assert!(
            bytes == after[&name],
            "dist/{} is not what the sources give: in server/console run `npm ci --ignore-scripts`, then `npm run build`",
            name.display()
        );
    }
}

/// Copies a folder but for what npm installed.
fn copy_files(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The files below a folder, by their paths in it, without what npm installed.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_name() == "node_modules" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}
