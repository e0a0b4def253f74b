//! Facts about the repository that everything else relies on: who may know whom, where a status is made, what every
//! file and every RPC says about itself.

mod dependencies;
mod documents;
mod source;

use std::collections::BTreeSet;
use std::fs;

use millrace_tests::schema::{self, Policy};

use source::{Source, report, root, sources};

/// The names of our domains: the packages whose proto files declare a service.
fn domains() -> BTreeSet<String> {
    let services = schema::pool()
        .services()
        .filter(|service| service.full_name().starts_with("millrace."));
    services
        .filter_map(|service| service.full_name().split('.').nth(1).map(str::to_owned))
        .collect()
}

/// Crate, and the crates of ours that it may name in `[dependencies]` and `[build-dependencies]`: the arrows of
/// ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("gateway/transcode", &[]),
    ("gateway/cli", &[]),
    ("gateway", &["millrace-transcode", "millrace-cli"]),
    ("server/chassis", &["millrace-gateway", "millrace-cli"]),
    ("client", &["millrace-proto"]),
    (
        "server",
        &["millrace-chassis", "millrace-cli", "millrace-proto", "millrace-client"],
    ),
];

#[test]
fn crates_know_only_whom_they_may() {
    let complaints = ARROWS.iter().flat_map(|(folder, allowed)| {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let known = dependencies(&manifest);
        let unwanted = known.into_iter().filter(|name| !allowed.contains(&name.as_str()));
        unwanted
            .map(move |name| format!("{folder}/Cargo.toml: must not depend on {name}"))
            .collect::<Vec<_>>()
    });
    report(complaints.collect());
}

/// The crates of ours that a manifest's shipped code depends on.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut shipped = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            shipped = section.contains("dependencies]") && !section.contains("dev-dependencies");
        } else if shipped && line.starts_with("millrace-") {
            found.push(line.split(['.', ' ', '=']).next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn gateway_and_chassis_know_no_service() {
    let packages: Vec<String> = domains().iter().map(|domain| format!("millrace.{domain}")).collect();
    let mut complaints = Vec::new();
    for file in sources("rs")
        .iter()
        .filter(|file| file.is_below("gateway") || file.is_below("server/chassis"))
    {
        let code = file.code();
        for word in packages
            .iter()
            .map(String::as_str)
            .chain(["millrace_proto", "millrace_server"])
        {
            if code.contains(word) {
                complaints.push(format!("{}: names {word}", file.path));
            }
        }
    }
    report(complaints);
}

#[test]
fn domains_meet_by_grpc_or_events_only() {
    let mut complaints = Vec::new();
    for domain in domains() {
        let own = |file: &&Source| {
            file.is_below(&format!("server/src/{domain}")) || file.path == format!("server/src/{domain}.rs")
        };
        // The tests of a domain may use another to get what they need.
        for file in sources("rs")
            .iter()
            .filter(own)
            .filter(|file| !file.path.ends_with("/tests.rs"))
        {
            let code = file.code();
            for other in domains().iter().filter(|other| **other != domain) {
                for path in [format!("crate::{other}"), format!("super::{other}::")] {
                    if code.contains(&path) {
                        complaints.push(format!(
                            "{}: imports {path}; call it by its generated client",
                            file.path
                        ));
                    }
                }
            }
        }
    }
    report(complaints);
}

/// The files that may make a `tonic::Status`: one for failures of the platform and its services.
const STATUS_MADE_IN: &[&str] = &["server/chassis/src/status.rs"];

#[test]
fn a_status_is_made_in_one_place() {
    let constructors: Vec<String> = [
        "new",
        "with_details",
        "cancelled",
        "unknown",
        "invalid_argument",
        "deadline_exceeded",
        "not_found",
        "already_exists",
        "permission_denied",
        "resource_exhausted",
        "failed_precondition",
        "aborted",
        "out_of_range",
        "unimplemented",
        "internal",
        "unavailable",
        "data_loss",
        "unauthenticated",
        "with_error_details",
        "with_error_details_vec",
    ]
    .map(|constructor| format!("Status::{constructor}("))
    .into();
    let mut complaints = Vec::new();
    for file in sources("rs")
        .iter()
        .filter(|file| file.is_below("server") && !STATUS_MADE_IN.contains(&file.path.as_str()))
    {
        for (index, line) in file.code().lines().enumerate() {
            if constructors.iter().any(|constructor| line.contains(constructor)) {
                complaints.push(format!(
                    "{} (line {} of its code): {}",
                    file.path,
                    index + 1,
                    line.trim()
                ));
            }
        }
    }
    report(complaints);
}

#[test]
fn every_file_says_what_it_is() {
    let mut complaints = Vec::new();
    for file in sources("rs") {
        if !file.text.starts_with("//! ") {
            complaints.push(format!("{}: must open with `//! `", file.path));
        }
        if file.path.ends_with("/mod.rs") {
            complaints.push(format!("{}: name the file by its concept, not mod.rs", file.path));
        }
        if ["utils", "helpers", "common", "misc"]
            .iter()
            .any(|name| file.path.ends_with(&format!("/{name}.rs")))
        {
            complaints.push(format!("{}: name the file by its concept", file.path));
        }
    }
    report(complaints);
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> = sources("rs")
        .into_iter()
        .map(|file| (file.text.lines().count(), file.path))
        .collect();
    lengths.sort();
    let (p90, path) = &lengths[lengths.len() * 9 / 10];
    assert!(*p90 <= 300, "the 90th percentile is {p90} lines ({path}); at most 300");
    report(
        lengths
            .iter()
            .filter(|(lines, _)| *lines > 600)
            .map(|(lines, path)| format!("{path}: {lines} lines"))
            .collect(),
    );
}

#[test]
fn reasons_are_those_of_the_catalogue() {
    let known = schema::reasons();
    let mut complaints = Vec::new();
    for file in sources("rs").iter().filter(|file| !file.is_below("tests")) {
        for reason in reasons_named(&file.code()) {
            if !known.contains(&reason) {
                complaints.push(format!("{}: reason {reason} is not in reason.proto", file.path));
            }
        }
    }
    report(complaints);
}

/// Upper-case literals in the bodies of functions called `reason`, and after `reason:`.
fn reasons_named(code: &str) -> Vec<String> {
    let bodies = code
        .split("fn reason(")
        .skip(1)
        .map(|rest| rest.split("\n    }").next().unwrap_or_default());
    let fields = code
        .split("reason: \"")
        .skip(1)
        .map(|rest| &rest[..rest.find('"').map_or(0, |end| end + 1)]);
    let literals = bodies
        .flat_map(|body| body.split('"').skip(1).step_by(2))
        .chain(fields.map(|rest| rest.trim_end_matches('"')));
    let is_reason =
        |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    literals.filter(is_reason).map(str::to_owned).collect()
}

#[test]
fn the_scans_find_what_they_look_for() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nmillrace-a.workspace = true\nmillrace-b = { path = \"b\" }\n\
                    [dev-dependencies]\nmillrace-c = \"1\"\n[target.'cfg(unix)'.dependencies]\nmillrace-d = \"1\"\n";
    assert_eq!(dependencies(manifest), ["millrace-a", "millrace-b", "millrace-d"]);

    let code = "    fn reason(&self) -> &'static str {\n        match self {\n            Self::A => \"ONE_REASON\",\n        }\n    }\n\
                    let other = \"NOT_A_REASON\";\n    ErrorInfo { reason: \"TWO\", domain: \"millrace\" }\n";
    assert_eq!(reasons_named(code), ["ONE_REASON", "TWO"]);

    let file = Source {
        path: String::new(),
        text: "a\n// b\nc\n#[cfg(test)]\nd\n".into(),
    };
    assert_eq!(file.code(), "a\nc\n");
}

#[test]
fn every_rpc_declares_who_may_call_it_and_whose_data_it_touches() {
    let mut complaints = Vec::new();
    for method in schema::methods().filter(|method| method.full_name().starts_with("millrace.")) {
        if schema::policy(&method) == Policy::Unspecified {
            complaints.push(format!("{}: declares no policy", method.full_name()));
        }
        let shard_key = schema::shard_key(&method);
        let field = shard_key.split_once(":users/").map(|(field, _)| field);
        let request = method.input();
        match field {
            Some(path) if schema::field_at(&request, path).is_none() => {
                complaints.push(format!(
                    "{}: {} has no field {path}",
                    method.full_name(),
                    request.full_name()
                ));
            }
            None if shard_key != "global" && shard_key != "scatter" => {
                complaints.push(format!("{}: shard_key is {shard_key:?}", method.full_name()));
            }
            _ => {}
        }
    }
    report(complaints);
}
