//! Settings that make no sense: `config check`, `serve` and `dev` refuse the same, name key, source and remedy, and
//! name all of it at once.

use std::path::PathBuf;

use millrace_tests::platform::{Folder, millrace};

/// Settings with which `serve` could start.
const GOOD: &str = r#"
[database]
global = "postgres://millrace:hush@127.0.0.1:1/global"
shards = ["postgres://millrace:hush@127.0.0.1:1/shard0", "postgres://millrace:hush@127.0.0.1:1/shard1"]
[secrets]
page_token = ["0123456789abcdef0123456789abcdef"]
"#;

fn file(folder: &Folder, text: &str) -> String {
    let path: PathBuf = folder.path().join("millrace.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn check_refuses_all_that_a_start_refuses() {
    let folder = Folder::new();
    let good = millrace(&["config", "check", "--config", &file(&folder, GOOD)], &[]);
    assert_eq!(good.code, 0, "{good:?}");
    let replaced = |from: &str, to: &str| GOOD.replace(from, to);
    let added = |text: &str| format!("{GOOD}{text}");
    for (text, says) in [
        (added("[limits]\ncalls = 0"), "`limits.calls`"),
        (added("[limits]\nmessage_bytes = 9000000"), "`limits.message_bytes`"),
        (added("[limits]\nidle_ms = 9223372036854775807"), "`limits.idle_ms`"),
        (added("[log]\nfilter = \"millrace=loud\""), "`log.filter`"),
        (
            added("[identity]\nkey_environment = \"Live\""),
            "`identity.key_environment`",
        ),
        (
            added("[server]\ncors_origins = [\"https://shop.example/\"]"),
            "without a path",
        ),
        (added("[server]\ncors_origins = [\"*\"]"), "`*`"),
        (added("[server]\nlisten = \"localhost:80\""), "`server.listen`"),
        (
            added("[server]\nlisten = \"127.0.0.1:81\"\nadmin_listen = \"127.0.0.1:81\""),
            "`server.admin_listen`",
        ),
        (
            replaced("postgres://millrace:hush@127.0.0.1:1/global", "mysql://h/x"),
            "postgres://",
        ),
        (replaced("/shard1", "/shard0"), "shard 1 names 127.0.0.1:1/shard0"),
        (replaced("/global", "/shard0"), "as `database.global` does"),
        (
            replaced("0123456789abcdef0123456789abcdef", "hush"),
            "`secrets.page_token`",
        ),
        (
            replaced("page_token = [\"0123456789abcdef0123456789abcdef\"]", ""),
            "is missing",
        ),
    ] {
        let path = file(&folder, &text);
        let checked = millrace(&["config", "check", "--config", &path], &[]);
        let served = millrace(&["serve", "--config", &path], &[]);
        assert_eq!((checked.code, served.code), (3, 3), "{text}: {checked:?} {served:?}");
        assert_eq!(checked.err, served.err, "{text}");
        assert!(
            checked.err.contains(says),
            "{text} does not say {says:?}: {}",
            checked.err
        );
        assert!(!checked.err.contains("hush"), "a secret is shown: {}", checked.err);
        assert_eq!(checked.out, "");
    }
}

#[test]
fn all_mistakes_are_named_at_once_with_their_sources() {
    let folder = Folder::new();
    let path = file(
        &folder,
        "[limits]\ncalls = 0\n[server]\nlisen = 1\n[log]\nfilter = \"a=b=c\"",
    );
    let environment = [("MILLRACE_LIMITS__STREAMS", "many"), ("MILLRACE_LIMITS__BODY_MS", "0")];
    let data = folder.path().join("data");
    let dev = ["dev", "--config", &path, "--data-dir", data.to_str().unwrap()];
    for (arguments, more) in [
        (
            &["config", "check", "--config", &path][..],
            &["`database.global` is missing"][..],
        ),
        (&dev[..], &[]),
    ] {
        let printed = millrace(arguments, &environment);
        assert_eq!(printed.code, 3, "{printed:?}");
        let common = [
            "`limits.calls` (",
            "millrace.toml",
            "did you mean `server.listen`?",
            "`log.filter`",
            "`limits.streams` (environment MILLRACE_LIMITS__STREAMS)",
            "`limits.body_ms` (environment MILLRACE_LIMITS__BODY_MS) is 0; it must be 1 to",
        ];
        for part in common.iter().chain(more) {
            assert!(printed.err.contains(part), "no {part:?} in {}", printed.err);
        }
    }
    assert!(!data.exists(), "nothing is made for settings that are wrong");
}

#[test]
fn flags_that_contradict_each_other_are_a_mistake_in_usage() {
    let folder = Folder::new();
    let address = "127.0.0.1:9";
    let flags = ["--listen", address, "--admin-listen", address];
    let data = folder.path().to_str().unwrap();
    let dev = [&["dev", "--data-dir", data], &flags[..]].concat();
    let path = file(&folder, GOOD);
    let serve = [&["serve", "--config", &path], &flags[..]].concat();
    for arguments in [dev, serve] {
        let printed = millrace(&arguments, &[]);
        assert_eq!(printed.code, 2, "{printed:?}");
        assert!(printed.err.contains("`server.admin_listen` (flag)"), "{}", printed.err);
    }
}

#[test]
fn show_says_where_a_socket_is_and_no_password() {
    let folder = Folder::new();
    let text = GOOD.replace(
        "postgres://millrace:hush@127.0.0.1:1/global",
        "postgres:///global?host=/no/such/folder&user=u&password=hush",
    );
    let path = file(&folder, &text);
    let shown = millrace(&["config", "show", "--config", &path], &[]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("host=/no/such/folder"), "{}", shown.out);
    assert!(!shown.out.contains("hush"), "{}", shown.out);
    // A server that is not there is named by its socket.
    let migrated = millrace(&["migrate", "--config", &path], &[]);
    assert_eq!(migrated.code, 4, "{migrated:?}");
    assert!(
        migrated.err.contains("u@unix:/no/such/folder/.s.PGSQL.5432/global"),
        "{}",
        migrated.err
    );
}

#[test]
fn variables_hold_lists_and_defaults_are_shown() {
    let folder = Folder::new();
    let path = file(&folder, GOOD);
    let shards = "postgres://millrace@127.0.0.1:1/a, postgres://millrace@127.0.0.1:1/b";
    let shown = millrace(
        &["config", "show", "--config", &path],
        &[("MILLRACE_DATABASE__SHARDS", shards)],
    );
    assert_eq!(shown.code, 0, "{shown:?}");
    let value = |key: &str| {
        let line = shown.out.lines().find(|line| line.split(' ').next() == Some(key));
        let (_, rest) = line.unwrap().split_once('=').unwrap();
        rest.split_once("  #").unwrap().0.trim().to_owned()
    };
    assert_eq!(
        value("database.shards"),
        r#"["postgres://millrace@127.0.0.1:1/a", "postgres://millrace@127.0.0.1:1/b"]"#
    );
    assert_eq!(value("database.pool_size"), "5");
    assert_eq!(value("database.connection_age_max_s"), "1800");
    let refused = millrace(
        &["config", "check", "--config", &path],
        &[("MILLRACE_SERVER__LISTEN", "nowhere")],
    );
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("as in 127.0.0.1:8080"), "{}", refused.err);
}
