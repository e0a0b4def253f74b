//! What the crates depend on: nothing without a use, nothing from elsewhere, nothing that was trimmed, nothing twice
//! without a reason, and only under licences that ours allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use millrace_tests::parts;
use serde_json::Value;

use super::source::{Source, report, root, sources};

/// Licences that may be joined with MIT or Apache-2.0, and ask for no more than to be passed on.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages that are there in several versions until those that need the older ones move on, and in how many.
const SEVERAL: &[(&str, usize)] = &[
    ("base64", 2),
    ("foldhash", 2),
    ("getrandom", 2),
    ("hashbrown", 2),
    ("itertools", 3),
    ("prettyplease", 2),
    ("syn", 2),
    ("synstructure", 2),
    ("unicode-width", 2),
    ("wasi", 2),
    ("windows-sys", 2),
];

/// What ARCHITECTURE.md says was left out: any TLS but rustls with ring, and libpq.
const BANNED: &[&str] = &["aws-lc-sys", "native-tls", "openssl-sys", "pq-sys"];

/// What only the stand-alone gateway needs: the platform embeds its library without the feature.
const STANDALONE_ONLY: &[&str] = &["rustls", "serde-saphyr"];

/// A dependency that no source names, and why it is there.
const UNNAMED: &[(&str, &str)] = &[
    // Its feature `bundled` makes diesel's SQLite ours.
    ("millrace-chassis", "libsqlite3-sys"),
    // Its generated code names it.
    ("millrace-bench-codec", "pbjson-types"),
];

/// What code names that tonic and prost generate.
const GENERATED: &[&str] = &["prost", "prost-types", "tonic", "tonic-prost"];

/// The workspace and all that it depends on on this machine, as cargo tells it.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let rustc = parts::run(Command::new("rustc").arg("-vV"));
        let host = rustc.out.lines().find_map(|line| line.strip_prefix("host: "));
        let cargo = parts::optional("CARGO").unwrap_or_else(|| "cargo".to_owned());
        let told = parts::run(
            Command::new(cargo)
                .args(["metadata", "--locked", "--format-version=1"])
                .arg(format!("--filter-platform={}", host.expect("rustc names its host")))
                .current_dir(root()),
        );
        assert!(told.success, "{}", told.err);
        serde_json::from_str(&told.out).unwrap()
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn packages() -> impl Iterator<Item = &'static Value> {
    metadata()["packages"].as_array().unwrap().iter()
}

/// The packages of the workspace.
fn ours() -> impl Iterator<Item = &'static Value> {
    packages().filter(|package| package["source"].is_null())
}

/// The `[[package]]`s of `Cargo.lock`, on whatever machine they are used: name, and the other lines.
fn locked() -> Vec<(String, String)> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let packages = lock.split("[[package]]\nname = \"").skip(1);
    packages
        .filter_map(|package| package.split_once("\"\n"))
        .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
        .collect()
}

#[test]
fn every_dependency_has_a_use() {
    let folders: Vec<PathBuf> = ours().map(folder).collect();
    let all = sources("rs");
    let mut complaints = Vec::new();
    for package in ours() {
        let own: Vec<&Source> = all
            .iter()
            .filter(|file| is_of(file, &folder(package), &folders))
            .collect();
        let dependencies = package["dependencies"].as_array().unwrap();
        let generates = dependencies
            .iter()
            .any(|other| matches!(text(other, "name"), "prost-build" | "tonic-prost-build"));
        for dependency in dependencies {
            let (name, kind) = (text(dependency, "name"), text(dependency, "kind"));
            let is_named = own
                .iter()
                .filter(|file| may_name(kind, file.path.as_str(), &folder(package)))
                .any(|file| names(&file.text, name));
            let is_excused = (generates && kind.is_empty() && GENERATED.contains(&name))
                || UNNAMED.contains(&(text(package, "name"), name));
            if !is_named && !is_excused {
                complaints.push(format!(
                    "{}: no source of it names {name}",
                    text(package, "manifest_path")
                ));
            }
        }
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let taken: BTreeSet<&str> = ours()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .map(|dependency| text(dependency, "name"))
        .collect();
    for name in declared(&manifest) {
        if !taken.contains(name) {
            complaints.push(format!("Cargo.toml: no crate takes {name}"));
        }
    }
    report(complaints);
}

/// The folder of a package, below the root.
fn folder(package: &Value) -> PathBuf {
    let manifest = Path::new(text(package, "manifest_path"));
    let folder = manifest.parent().expect("it is in a folder");
    folder.strip_prefix(root()).expect("ours are below the root").to_owned()
}

/// Whether a file belongs to the package in a folder, and not to one in a folder further down.
fn is_of(file: &Source, folder: &Path, folders: &[PathBuf]) -> bool {
    let path = Path::new(&file.path);
    let nearest = folders
        .iter()
        .filter(|other| path.starts_with(other))
        .max_by_key(|other| other.components().count());
    nearest.is_some_and(|nearest| nearest == folder)
}

/// Whether a dependency of this kind has its use in such a file.
fn may_name(kind: &str, path: &str, folder: &Path) -> bool {
    let path = Path::new(path).strip_prefix(folder).unwrap_or(Path::new(path));
    match kind {
        "build" => path == Path::new("build.rs"),
        "dev" => path != Path::new("build.rs"),
        _ => path.starts_with("src"),
    }
}

/// Whether a text has a crate's identifier as a word.
fn names(text: &str, name: &str) -> bool {
    let name = name.replace('-', "_");
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.match_indices(&name).any(|(start, _)| {
        let (before, after) = (&text.as_bytes()[..start], &text.as_bytes()[start + name.len()..]);
        !is_part(before.last()) && !is_part(after.first())
    })
}

/// The names in `[workspace.dependencies]`.
fn declared(manifest: &str) -> impl Iterator<Item = &str> {
    let (_, section) = manifest.split_once("[workspace.dependencies]\n").unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name)
}

#[test]
fn all_comes_from_one_registry_and_nothing_that_was_trimmed_is_back() {
    let mut complaints = Vec::new();
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for (name, rest) in locked() {
        let source = rest.lines().find_map(|line| line.strip_prefix("source = "));
        let is_known = match source {
            Some(source) => source.starts_with("\"registry+") && source.ends_with("/crates.io-index\""),
            None => ours().any(|package| text(package, "name") == name),
        };
        if !is_known {
            complaints.push(format!("{name} comes from {}", source.unwrap_or("nowhere")));
        }
        if source.is_some() && !rest.contains("\nchecksum = \"") {
            complaints.push(format!("{name} has no checksum"));
        }
        if BANNED.contains(&name.as_str()) {
            complaints.push(format!("{name} is back, which ARCHITECTURE.md says was trimmed"));
        }
        *versions.entry(name).or_default() += 1;
    }
    for (name, count) in versions {
        let known = SEVERAL.iter().find(|(several, _)| *several == name);
        if count > known.map_or(1, |(_, most)| *most) {
            complaints.push(format!("{name} is there in {count} versions"));
        }
    }
    report(complaints);
}

#[test]
fn the_platform_leaves_out_what_only_the_proxy_needs() {
    let cargo = parts::optional("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let tree = parts::run(
        Command::new(cargo)
            .args([
                "tree",
                "--locked",
                "--package=millrace-server",
                "--edges=normal",
                "--prefix=none",
            ])
            .current_dir(root()),
    );
    assert!(tree.success, "{}", tree.err);
    let taken: BTreeSet<&str> = tree.out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(taken.contains("millrace-gateway"), "{}", tree.out);
    let complaints = STANDALONE_ONLY.iter().filter(|name| taken.contains(**name));
    report(complaints.map(|name| format!("millrace-server takes {name}")).collect());
}

#[test]
fn licences_allow_ours() {
    let complaints = packages().filter(|package| !is_allowed(text(package, "license")));
    report(
        complaints
            .map(|package| format!("{} is under {:?}", text(package, "name"), text(package, "license")))
            .collect(),
    );
}

/// Whether an SPDX expression leaves a choice that is allowed. The slash is an old spelling of OR.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.trim().replace(" / ", " OR ").replace('/', " OR ");
    let choices = outside_parentheses(&expression, " OR ");
    if choices.len() > 1 {
        return choices.into_iter().any(is_allowed);
    }
    let parts = outside_parentheses(&expression, " AND ");
    if parts.len() > 1 {
        return parts.into_iter().all(is_allowed);
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner),
        None => LICENCES.contains(&expression.as_str()),
    }
}

/// Splits a text where the separator is in no parentheses.
fn outside_parentheses<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(separator) {
        let before = &text[..at];
        if before.matches('(').count() == before.matches(')').count() {
            pieces.push(&text[start..at]);
            start = at + separator.len();
        }
    }
    pieces.push(&text[start..]);
    pieces
}

#[test]
fn architecture_counts_the_packages() {
    let count = locked().len();
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let sentence = format!("`Cargo.lock` has {count} packages.");
    assert!(page.contains(&sentence), "ARCHITECTURE.md does not say: {sentence}");
}

#[test]
fn the_rules_find_what_they_look_for() {
    for (expression, allowed) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("MIT AND GPL-3.0 OR GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression), allowed, "{expression}");
    }
    assert!(names("use tokio_stream::X;", "tokio-stream"));
    assert!(!names("use tokio_stream::X;", "tokio"));
    let manifest =
        "[workspace]\n[workspace.dependencies]\n# Ours.\na = \"1\"\nb-c = { path = \"b\" }\n\n[profile.dev]\nd = 1\n";
    assert_eq!(declared(manifest).collect::<Vec<_>>(), ["a", "b-c"]);
    assert!(may_name("", "server/src/lib.rs", Path::new("server")));
    assert!(!may_name("", "server/tests/a.rs", Path::new("server")));
    assert!(may_name("build", "server/build.rs", Path::new("server")));
}
