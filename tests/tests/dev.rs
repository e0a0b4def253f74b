//! `millrace dev` in a folder that is not as it should be, and what it leaves there.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use millrace_tests::platform::{Folder, TestPlatform, millrace, millrace_after, small_disk};

/// A start on free ports.
fn dev<'a>(data: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let data = data.to_str().unwrap();
    let start = [
        "dev",
        "--data-dir",
        data,
        "--no-sample-data",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "off",
    ];
    [&start[..], more].concat()
}

#[tokio::test]
async fn keys_are_their_owners_whatever_the_umask() {
    let folder = Folder::new();
    let platform = TestPlatform::dev_after(&folder, "umask 000").await;
    for file in [
        "dev.env",
        "page_token.secret",
        "global.db",
        "shard-000.db",
        "shard-000.db-wal",
        "millrace.lock",
    ] {
        let path = folder.path().join(file);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
    }
    // Its output is no terminal, so it shows no key.
    let keys = platform.keys();
    let output = platform.output_with(&["Keys       in "]).await;
    assert!(
        !output.contains(&keys.shopper) && !output.contains(&keys.operator),
        "{output}"
    );
}

#[tokio::test]
async fn a_folder_in_use_names_its_process() {
    let platform = TestPlatform::dev().await;
    let printed = millrace(&dev(platform.folder().path(), &[]), &[]);
    assert_eq!(printed.code, 4, "{printed:?}");
    let folder = platform.folder().path().to_str().unwrap();
    for part in [folder, &format!("pid {}", platform.pid()), "--data-dir"] {
        assert!(printed.err.contains(part), "no {part:?} in {}", printed.err);
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Nobody, not even root, makes a folder there.
    let read_only = Path::new("/proc/millrace");
    for data in [file.as_path(), read_only] {
        let printed = millrace(&dev(data, &[]), &[]);
        assert_eq!(printed.code, 4, "{printed:?}");
        assert!(printed.err.contains(data.to_str().unwrap()), "{}", printed.err);
        assert!(printed.err.contains("--data-dir"), "{}", printed.err);
    }
}

#[test]
fn a_full_disk_is_named_at_the_start() {
    let folder = Folder::new();
    for blocks in [0, 4, 40] {
        let data = folder.path().join(format!("at-{blocks}"));
        let printed = millrace_after(&small_disk(blocks), &dev(&data, &[]));
        assert_eq!(printed.code, 4, "{blocks}: {printed:?}");
        assert!(
            printed.err.contains(data.to_str().unwrap()),
            "{blocks}: {}",
            printed.err
        );
        assert!(!printed.err.contains("panicked"), "{blocks}: {}", printed.err);
        assert!(!data.join("dev.env").exists(), "{blocks}: half a start leaves no keys");
    }
}

#[tokio::test]
async fn a_folder_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    drop(TestPlatform::dev_with(&folder, &["--no-sample-data"]).await);
    let database = folder.path().join("shard-001.db");
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    connection
        .batch_execute(
            "INSERT INTO schema_ledger SELECT module, 'from_the_future', digest, applied_at FROM schema_ledger LIMIT 1",
        )
        .unwrap();
    drop(connection);
    let printed = millrace(&dev(folder.path(), &[]), &[]);
    assert_eq!(printed.code, 3, "{printed:?}");
    for part in ["shard 1", "newer", "from_the_future"] {
        assert!(printed.err.contains(part), "no {part:?} in {}", printed.err);
    }
}

#[tokio::test]
async fn a_taken_address_is_moved_only_where_nobody_asked_for_it() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let data = folder.path().to_str().unwrap();
    let public = ["dev", "--data-dir", data, "--listen", &taken, "--admin-listen", "off"];
    let admin = [
        "dev",
        "--data-dir",
        data,
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        &taken,
    ];
    let by_environment = ["dev", "--data-dir", data, "--admin-listen", "off"];
    let environment = [("MILLRACE_SERVER__LISTEN", taken.as_str())];
    for (arguments, environment, flag) in [
        (&public[..], &[][..], "--listen"),
        (&admin[..], &[][..], "--admin-listen"),
        (&by_environment[..], &environment[..], "--listen"),
    ] {
        let printed = millrace(arguments, environment);
        assert_eq!(printed.code, 4, "{arguments:?}: {printed:?}");
        for part in [taken.as_str(), flag, "stop what listens there"] {
            assert!(printed.err.contains(part), "no {part:?} in {}", printed.err);
        }
    }
}
