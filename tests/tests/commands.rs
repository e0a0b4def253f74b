//! The command line as people and scripts use it: help, pipes that close, wrong flags, keys, load.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use millrace_tests::platform::{Folder, TestPlatform, millrace, millrace_command, millrace_in_shell};
use millrace_tests::rest::Rest;

#[test]
fn help_and_version_tell_what_there_is() {
    let version = millrace(&["--version"], &[]);
    assert_eq!(
        (version.code, version.out.trim()),
        (0, concat!("millrace ", env!("CARGO_PKG_VERSION")))
    );
    let help = millrace(&["--help"], &[]);
    for word in [
        "dev",
        "serve",
        "migrate",
        "key",
        "load",
        "routes",
        "config",
        "new",
        "Exit codes",
        "130",
    ] {
        assert!(help.out.contains(word), "no {word:?} in {}", help.out);
    }
    let serve = millrace(&["serve", "--help"], &[]);
    for word in [
        "MILLRACE_SERVER__LISTEN",
        "127.0.0.1:8080",
        "MILLRACE_SERVER__ADMIN_LISTEN",
        "127.0.0.1:9464",
    ] {
        assert!(serve.out.contains(word), "no {word:?} in {}", serve.out);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    for (line, least) in [
        ("\"$0\" routes | head -n 1", "GET"),
        ("\"$0\" config show | head -n 1", "server"),
        ("\"$0\" --help | head -n 1", "gRPC"),
        ("\"$0\" config check 2>&1 | head -c 1", ""),
        ("\"$0\" serve 2>&1 >/dev/null | true", ""),
    ] {
        let printed = millrace_in_shell(line, &[]);
        assert!(printed.out.contains(least), "{line}: {printed:?}");
        assert!(!printed.err.contains("panicked"), "{line}: {}", printed.err);
    }
}

#[test]
fn wrong_rates_and_times_are_mistakes_in_usage() {
    for (flag, value, says) in [
        ("--rate", "1e-30/s", "2/s"),
        ("--rate", "0/s", "2/s"),
        ("--rate=-1/s", "", "2/s"),
        ("--rate", "NaN/s", "2/s"),
        ("--rate", "inf/s", "2/s"),
        ("--rate", "2", "2/s"),
        ("--for", "30sss", "30s"),
        ("--for", "0s", "30s"),
        ("--duration", "0", "30s"),
        ("--duration", "99999999999999999999h", "30s"),
    ] {
        let arguments: Vec<&str> = ["load", flag, value]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        let printed = millrace(&arguments, &[]);
        assert_eq!(printed.code, 2, "{arguments:?}: {printed:?}");
        assert!(printed.err.contains(says), "{arguments:?}: {}", printed.err);
        assert!(!printed.err.contains("panicked"), "{}", printed.err);
    }
}

#[tokio::test]
async fn load_is_ended_by_a_signal_with_a_summary() {
    let platform = TestPlatform::dev().await;
    let data = platform.folder().path().to_str().unwrap();
    for (signal, code) in [("-INT", 130), ("-TERM", 0)] {
        let (summary, ended) = load_ended_by(signal, data);
        assert_eq!(ended, Some(code), "{signal}: {summary}");
        assert!(summary.contains(" placed, "), "{signal}: {summary}");
    }
}

/// Ends `load` by a signal as soon as it says that it has begun; returns its summary and its exit code.
fn load_ended_by(signal: &str, data: &str) -> (String, Option<i32>) {
    let mut load = millrace_command(&["load", "--rate", "20/s", "--data-dir", data])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut notes = BufReader::new(load.stderr.take().unwrap());
    let mut begun = String::new();
    notes.read_line(&mut begun).unwrap();
    assert!(begun.starts_with("placing 20 orders a second at http://"), "{begun}");
    let sent = std::process::Command::new("kill")
        .args([signal, &load.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let output = load.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn routes_show_who_may_call_under_the_settings() {
    for (open, policy) in [("false", "ADMIN"), ("true", "PUBLIC")] {
        let printed = millrace(&["routes"], &[("MILLRACE_IDENTITY__OPEN_SIGN_UP", open)]);
        let create = printed
            .out
            .lines()
            .find(|line| line.ends_with("IdentityService/CreateUser"));
        assert!(create.unwrap().contains(policy), "{open}: {}", printed.out);
        // Other rights hang on no setting.
        let list = printed
            .out
            .lines()
            .find(|line| line.ends_with("IdentityService/ListUsers"));
        assert!(list.unwrap().contains("ADMIN"), "{}", printed.out);
    }
    let typo = millrace(&["routes"], &[("MILLRACE_IDENTITY__OPEN_SINGUP", "true")]);
    assert_eq!(typo.code, 3, "{typo:?}");
}

#[tokio::test]
async fn a_key_is_made_in_the_databases_whether_a_server_runs_or_not() {
    let folder = Folder::new();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let environment = [
        ("MILLRACE_DATABASE__DATA_DIR", data.as_str()),
        ("MILLRACE_SECRETS__PAGE_TOKEN", "[\"0123456789abcdef0123456789abcdef\"]"),
    ];
    let create = || millrace(&["key", "create", "--admin"], &environment);
    // Nothing is made where there is no schema.
    let early = create();
    assert_eq!((early.code, early.out.as_str()), (3, ""), "{early:?}");
    assert!(early.err.contains("millrace migrate"), "{}", early.err);
    assert_eq!(millrace(&["migrate"], &environment).code, 0);

    let before = create();
    let platform = TestPlatform::start(&folder, &["serve"], &environment).await;
    let beside = create();
    for printed in [&before, &beside] {
        assert_eq!(printed.code, 0, "{printed:?}");
        let key = printed.out.trim();
        // The key and nothing else on standard output, and nowhere else.
        assert!(
            key.starts_with("mr_live_") && printed.out.lines().count() == 1,
            "{printed:?}"
        );
        assert!(
            !printed.err.contains(key) && !platform.output().contains(key),
            "{printed:?}"
        );
        let users = Rest::new(platform.public).with_key(key).get("/v1/users").await;
        users.expect(200);
    }
    assert_ne!(before.out, beside.out);
    // A key that nobody can see is said to be lost, not shown elsewhere.
    let unread = millrace_in_shell("\"$0\" key create --admin >/dev/full", &environment);
    assert_eq!(unread.code, 4, "{unread:?}");
    assert!(
        unread.err.contains("revoke") && !unread.err.contains("mr_live_"),
        "{unread:?}"
    );
}
