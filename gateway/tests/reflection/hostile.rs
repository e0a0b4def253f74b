//! Servers that lie, flood or never end: an error, in time, with little memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use millrace_gateway::reflection::{Limits, ReflectionError, fetch};
use tonic::{Code, Status};

use crate::protos::{bare, put};
use crate::scripted::{Asked, Reply, Scripted};
use crate::sockets::over_socket;

async fn refusal(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> String {
    let server = Scripted::new(script);
    let service = over_socket(server.service).await;
    fetch(service, &Limits::default()).await.unwrap_err().to_string()
}

/// A service in one file with these imports; other files as the script says.
async fn imports(imports: &'static [&'static str], file: impl Fn(&str) -> Reply + Send + Sync + 'static) -> String {
    refusal(move |asked| match asked {
        Asked::Services => Reply::services(&["S"]),
        Asked::Symbol(_) => Reply::file(bare("s.proto", imports, Some("S"))),
        Asked::File(name) => file(name),
    })
    .await
}

#[tokio::test]
async fn cycles_are_shown() {
    let cycle = imports(&["a.proto"], |name| match name {
        "a.proto" => Reply::file(bare("a.proto", &["b.proto"], None)),
        _ => Reply::file(bare("b.proto", &["s.proto"], None)),
    });
    assert_eq!(
        cycle.await,
        "files import each other: s.proto → a.proto → b.proto → s.proto"
    );
    let own = imports(&["s.proto"], |_| Reply::Error(Code::NotFound)).await;
    assert_eq!(own, "files import each other: s.proto → s.proto");
}

#[tokio::test]
async fn one_name_has_one_content() {
    let text = imports(&["a.proto", "b.proto"], |name| match name {
        "a.proto" => Reply::Files(vec![bare("a.proto", &[], None), bare("x.proto", &[], None)]),
        _ => Reply::Files(vec![bare("b.proto", &[], None), bare("x.proto", &[], Some("X"))]),
    });
    assert_eq!(text.await, "the server has two versions of the file x.proto");
}

#[tokio::test]
async fn schemas_without_end_end() {
    // Each file imports the next, or a hundred new ones.
    let row = imports(&["0.proto"], |name| {
        let number: u32 = name.trim_end_matches(".proto").parse().unwrap();
        Reply::file(bare(name, &[&format!("{}.proto", number + 1)], None))
    });
    assert_eq!(
        row.await,
        "the server's schema is too large: imports in a row, at most 128"
    );
    let next = AtomicUsize::new(0);
    let wide = imports(&["x.proto"], move |name| {
        let start = next.fetch_add(100, Ordering::SeqCst);
        let names: Vec<String> = (start..start + 100).map(|number| format!("{number}.proto")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Reply::file(bare(name, &names, None))
    });
    assert_eq!(wide.await, "the server's schema is too large: files, at most 4096");
    let services = refusal(|_| Reply::Services((0..3_000).map(|number| format!("S{number}")).collect()));
    assert_eq!(
        services.await,
        "the server's schema is too large: services, at most 2048"
    );
}

#[tokio::test]
async fn large_answers_are_refused() {
    let big = imports(&["big.proto"], |name| {
        let mut file = bare(name, &[], None);
        put(&mut file, 8, &vec![0; 3 << 20]);
        Reply::file(file)
    });
    assert_eq!(
        big.await,
        format!(
            "the server's schema is too large: bytes of one file, at most {}",
            2 << 20
        )
    );
    let sum = imports(&["0", "1", "2", "3", "4", "5"], |name| {
        let mut file = bare(name, &[], None);
        put(&mut file, 9, &vec![0; 3 << 19]);
        Reply::file(file)
    });
    assert_eq!(
        sum.await,
        format!(
            "the server's schema is too large: bytes of all files, at most {}",
            8 << 20
        )
    );
    // Announced, never sent: refused before anything is kept.
    let announced = refusal(|_| Reply::Raw(Bytes::from_static(&[0, 0x7f, 0xff, 0xff, 0xff])));
    assert!(
        announced
            .await
            .starts_with("reflection of the list of services failed: OUT_OF_RANGE")
    );
    let types = imports(&["t.proto"], |name| {
        let mut file = bare(name, &[], None);
        let mut message = Vec::new();
        put(&mut message, 1, b"M");
        (0..10_001).for_each(|_| put(&mut file, 4, &message));
        Reply::file(file)
    });
    assert_eq!(
        types.await,
        "the server's schema is too large: messages, enums and services, at most 10000"
    );
    let members = imports(&["m.proto"], |name| {
        let (mut file, mut message) = (bare(name, &[], None), Vec::new());
        put(&mut message, 1, b"M");
        (0..200_001).for_each(|_| put(&mut message, 2, b""));
        put(&mut file, 4, &message);
        Reply::file(file)
    });
    assert_eq!(
        members.await,
        "the server's schema is too large: fields, enum values, methods and imports, at most 200000"
    );
}

#[tokio::test]
async fn malformed_answers_are_refused() {
    let deep = (0..80).fold(Vec::new(), |inner, _| {
        let mut message = Vec::new();
        put(&mut message, 1, b"M");
        put(&mut message, 3, &inner);
        message
    });
    let nested = {
        let mut file = bare("x.proto", &[], None);
        put(&mut file, 4, &deep);
        file
    };
    let long_name = bare(&"x".repeat(2_000), &[], None);
    for file in [
        b"\x0a\xff".to_vec(),
        b"".to_vec(),
        b"\x0a\x03a\nb".to_vec(),
        nested,
        long_name,
    ] {
        let text = imports(&["x.proto"], move |_| Reply::file(file.clone())).await;
        assert_eq!(
            text,
            "the answer to the file x.proto is malformed: not a file descriptor"
        );
    }
    let text = imports(&["x.proto"], |_| Reply::Message(b"\x22\xff\x01".to_vec())).await;
    assert_eq!(
        text,
        "the answer to the file x.proto is malformed: not a message of the reflection protocol"
    );
}

#[tokio::test]
async fn another_file_than_the_one_that_was_asked_for_does_not_stand_for_it() {
    // Only its name is used, so it is left out; nothing is taken for it.
    let server = Scripted::new(|asked| match asked {
        Asked::Services => Reply::services(&["S"]),
        Asked::Symbol(_) => Reply::file(bare("s.proto", &["x.proto"], Some("S"))),
        Asked::File(_) => Reply::file(bare("y.proto", &[], None)),
    });
    let fetched = fetch(over_socket(server.service).await, &Limits::default())
        .await
        .unwrap();
    assert_eq!(
        fetched.warnings,
        ["s.proto imports x.proto, which the server does not have; only options need it: left out"]
    );
    assert_eq!(crate::protos::files(&fetched.descriptor_set).len(), 1);
}

#[tokio::test]
async fn a_server_with_nothing_says_so() {
    let none = refusal(|_| Reply::services(&["grpc.health.v1.Health"])).await;
    assert_eq!(none, "the server lists no service whose descriptors can be had");
    let unknown = refusal(|asked| match asked {
        Asked::Services => Reply::services(&["S"]),
        _ => Reply::End(Status::not_found("gone")),
    });
    assert_eq!(
        unknown.await,
        "the server lists no service whose descriptors can be had: the server lists S, but has no descriptor of it: \
         NOT_FOUND (gone)"
    );
    let denied = refusal(|asked| match asked {
        Asked::Services => Reply::services(&["S"]),
        _ => Reply::End(Status::permission_denied("not you")),
    });
    assert_eq!(
        denied.await,
        "reflection of the file of S failed: PERMISSION_DENIED (not you)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_costs_the_limit() {
    for hangs_at in [
        Asked::Services,
        Asked::Symbol("S".to_owned()),
        Asked::File("a.proto".to_owned()),
    ] {
        let server = Scripted::new(move |asked| match asked {
            asked if *asked == hangs_at => Reply::Hang,
            Asked::Services => Reply::services(&["S"]),
            _ => Reply::file(bare("s.proto", &["a.proto"], Some("S"))),
        });
        let error = fetch(server.service, &Limits::default()).await.unwrap_err();
        assert_eq!(error, ReflectionError::TooSlow(Duration::from_secs(10)));
    }
}
