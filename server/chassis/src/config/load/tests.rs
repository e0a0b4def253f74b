//! Sources that win over each other, and the words of every mistake.

use std::io::Write;

use serde_json::json;

use super::*;
use crate::config::{DatabaseSection, Limits, Secrets, Server};

#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    server: Server,
    limits: Limits,
    database: DatabaseSection,
    secrets: Secrets,
}

fn loaded(file: &str, environment: &[(&str, &str)], flags: Vec<Flag>) -> Result<Loaded<Settings>, ConfigError> {
    let mut toml = tempfile::NamedTempFile::new().unwrap();
    toml.write_all(file.as_bytes()).unwrap();
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(Some(toml.path()), environment, flags)
}

#[test]
fn later_sources_win_and_are_named() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"off\"\n[limits]\ncalls = 7\nstreams = 8";
    let environment = [
        ("MILLRACE_SERVER__LISTEN", "127.0.0.1:2"),
        ("MILLRACE_LIMITS__CALLS", "9"),
        (
            "MILLRACE_DATABASE__SHARDS",
            "[\"postgres://u:pw@h/1?password=x\", \"postgres://u@h/2\"]",
        ),
        ("MILLRACE_SECRETS__PAGE_TOKEN", "[hush]"),
        ("MILLRACE_SHOPPER_KEY", "not a setting"),
        (
            "MILLRACE_GATEWAY_QUERY__UNKNOWN",
            "a setting of the stand-alone gateway",
        ),
        ("PATH", "/bin"),
    ];
    let loaded = loaded(file, &environment, vec![("server.listen", "127.0.0.1:3".into())]).unwrap();
    let server = &loaded.settings.server;
    assert_eq!((server.listen.port(), server.admin_listen), (3, None));
    assert_eq!((loaded.settings.limits.calls, loaded.settings.limits.streams), (9, 8));

    let shown = loaded.show();
    let find = |key: &str| shown.iter().find(|setting| setting.key == key).unwrap();
    assert_eq!(find("server.listen").source, "flag");
    assert_eq!(find("limits.calls").source, "environment MILLRACE_LIMITS__CALLS");
    assert_eq!(find("limits.idle_ms").source, "default");
    assert_eq!(find("secrets.page_token").value, HIDDEN);
    assert_eq!(
        find("database.shards").value,
        "[\"postgres://u:[redacted]@h/1?password=[redacted]\", \"postgres://u@h/2\"]"
    );
    let printed = format!("{shown:?}{loaded:?}{:?}", loaded.settings);
    assert!(!printed.contains("pw@") && !printed.contains("hush"), "{printed}");
}

#[test]
fn a_list_in_a_variable_may_have_commas_alone() {
    for text in [
        "postgres://h/1,postgres://h/2",
        " postgres://h/1, postgres://h/2,",
        "[\"postgres://h/1\", \"postgres://h/2\"]",
    ] {
        let loaded = loaded("", &[("MILLRACE_DATABASE__SHARDS", text)], Vec::new()).unwrap();
        assert_eq!(
            loaded.settings.database.shards,
            ["postgres://h/1", "postgres://h/2"],
            "{text}"
        );
    }
    let environment = [
        ("MILLRACE_DATABASE__SHARDS", "postgres://h/1"),
        ("MILLRACE_SERVER__CORS_ORIGINS", ""),
        ("MILLRACE_SERVER__ADMIN_HOSTS", "7"),
        ("MILLRACE_DATABASE__GLOBAL", "postgres://h,h2/1"),
    ];
    let settings = loaded("", &environment, Vec::new()).unwrap().settings;
    assert_eq!(settings.database.shards, ["postgres://h/1"]);
    assert_eq!(settings.server.cors_origins, Vec::<String>::new());
    assert_eq!(settings.server.admin_hosts, ["7"]);
    assert_eq!(settings.database.global.as_deref(), Some("postgres://h,h2/1"));
}

#[test]
fn a_variable_is_read_as_its_key_is_and_brackets_nest_no_deeper() {
    // Text, a list, and a key without a default.
    for (default, text, expected) in [
        (json!("x"), "[::1]", json!("[::1]")),
        (json!("x"), "[a, b]", json!("[a, b]")),
        (json!("x"), "\"7\"", json!("7")),
        (json!([]), "[::1]", json!(["::1"])),
        (json!([]), "::1, [::2]", json!(["::1", "[::2]"])),
        (json!([]), "[a, [b]]", json!(["a", "[b]"])),
        (json!([]), "[\"a\", 7, x]", json!(["a", 7, "x"])),
        (Value::Null, "[::1]", json!("[::1]")),
        (Value::Null, "[fe80::1:2]", json!("[fe80::1:2]")),
        (Value::Null, "[a]", json!(["a"])),
        (Value::Null, "7", json!(7)),
        (json!(7), "[7]", json!("[7]")),
    ] {
        assert_eq!(variable(text, Some(&default)), expected, "{default} {text}");
    }
    assert_eq!(variable("[::1]", None), json!("[::1]"));
    // Deeper than any stack.
    let deep = "[".repeat(1 << 20) + &"]".repeat(1 << 20);
    for default in [json!("x"), json!([]), json!(7), Value::Null] {
        let read = variable(&deep, Some(&default));
        assert!(read.is_string() || read.as_array().is_some_and(|list| list.iter().all(Value::is_string)));
    }
}

#[test]
fn what_nobody_has_set_is_shown_as_it_holds() {
    let shown = loaded("[database]\npool_size = 7", &[], Vec::new()).unwrap().show();
    for (key, value, source) in [
        ("database.connection_age_max_s", "1800", "default"),
        ("database.connection_idle_max_s", "600", "default"),
        ("database.global", "unset", "default"),
    ] {
        let line = shown.iter().find(|line| line.key == key).unwrap();
        assert_eq!((line.value.as_str(), line.source.as_str()), (value, source), "{key}");
    }
    assert!(
        shown
            .iter()
            .any(|line| line.key == "database.pool_size" && line.value == "7")
    );
}

#[test]
fn mistakes_name_the_key_the_source_and_the_remedy() {
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c [&'c str]);
    let cases: &[Case<'_>] = &[
        (
            "[server]\nlisen = 1",
            &[],
            &["`server.lisen`", "did you mean `server.listen`?"],
        ),
        ("[servre]\nlisten = 1", &[], &["`servre`", "did you mean `server`?"]),
        ("[server]\nzzz = 1", &[], &["unknown setting `server.zzz`"]),
        (
            "",
            &[("MILLRACE_LIMIT__CALLS", "1")],
            &["`limit`", "MILLRACE_LIMIT__CALLS", "`limits`"],
        ),
        (
            "",
            &[("MILLRACE_LIMITS__CALLS", "many")],
            &["`limits.calls`", "MILLRACE_LIMITS__CALLS", "many"],
        ),
        (
            "[server]\nlisten = \"nowhere\"",
            &[],
            &[
                "`server.listen`",
                "`nowhere` is not an IP address and a port, as in 127.0.0.1:8080",
            ],
        ),
        (
            "[server]\nadmin_listen = \"of\"",
            &[],
            &["`server.admin_listen`", "`off`"],
        ),
        ("[server", &[], &["not valid TOML", "line 1"]),
        (
            "[secrets]\npage_token = \"hush-hush\"",
            &[],
            &["`secrets.page_token`", "wrong type"],
        ),
        (
            "",
            &[("MILLRACE_DATABASE__GLOBAL", "[hush-hush]")],
            &["`database.global`", "wrong type"],
        ),
        (
            "[database]\nglobal = \"postgres://u:hush-hush@h/g\nshards = []",
            &[],
            &["line 2"],
        ),
    ];
    for (file, environment, expected) in cases {
        let error = loaded(file, environment, Vec::new()).unwrap_err().to_string();
        for part in *expected {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
        assert!(!error.contains("hush-hush"), "a secret is shown: {error:?}");
    }
    let error = loaded(
        "[server]\nlisen = 1\nlisten = \"nowhere\"",
        &[("MILLRACE_LIMITS__CALLS", "many")],
        Vec::new(),
    );
    let all_at_once = error.unwrap_err().to_string();
    for part in [
        "3 settings are wrong",
        "`server.lisen`",
        "`server.listen`",
        "`limits.calls`",
    ] {
        assert!(all_at_once.contains(part), "{all_at_once:?} lacks {part:?}");
    }
    let missing = load::<Settings>(Some(Path::new("/no/such/file")), [], []).unwrap_err();
    assert!(missing.to_string().contains("/no/such/file"));
}

#[test]
fn checks_follow_loading_and_name_the_source() {
    let environment = [
        ("MILLRACE_LIMITS__CALLS", "0"),
        ("MILLRACE_DATABASE__GLOBAL", "7"),
        ("MILLRACE_SERVER__CORS_ORIGINS", "[\"*\"]"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let check = |settings: &Settings, problems: &mut Problems| {
        settings.server.check(problems);
        settings.limits.check(problems);
        settings.database.check(problems);
    };
    let flags: Vec<Flag> = vec![("limits.message_bytes", 0.into())];
    let found = load_checked(None, environment, flags, check).unwrap_err();
    assert!(!found.is_by_flags());
    assert_eq!(
        found.to_string(),
        "4 settings are wrong:\n\
         - setting `database.global` (environment MILLRACE_DATABASE__GLOBAL) has the wrong type; a list is written \
         [\"...\", \"...\"]\n\
         - setting `server.cors_origins` (environment MILLRACE_SERVER__CORS_ORIGINS) is `*`; it must be one origin, as in \
         `https://shop.example` or `http://localhost:3000`; list each, a `*` stands for nothing\n\
         - setting `limits.calls` (environment MILLRACE_LIMITS__CALLS) is 0; it must be 1 to 1000000\n\
         - setting `limits.message_bytes` (flag) is 0; it must be 1 to 4194304"
    );
}
