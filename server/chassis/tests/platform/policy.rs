//! Who may call what, and what the handler learns of it.

use prost::Message;

use crate::support::{Named, Person, frame, named, options, start};

/// A key as a header, none for nobody.
fn key(who: &str) -> Vec<(&'static str, String)> {
    match who {
        "" => Vec::new(),
        who => vec![("authorization", format!("Bearer mr_{who}"))],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_decided_by_method_caller_and_user_named() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    // Method, who, name in the request; then code, and the name and user that the handler saw.
    let cases: &[(&str, &str, &str, i32, &str, &str)] = &[
        // The owner, under the number and as `me`.
        ("Get", "alice", "users/7", 0, "users/7", "7"),
        ("Get", "alice", "users/me", 0, "users/7", "7"),
        ("ListThings", "alice", "users/me/things/-", 0, "users/7/things/-", "7"),
        // Another user's and nobody's look alike; so does what the handler would refuse.
        ("Get", "bob", "users/7", 5, "", ""),
        ("Get", "bob", "users/0", 5, "", ""),
        ("Get", "bob", "users/x y", 5, "", ""),
        ("Get", "bob", "users/7/what?", 5, "", ""),
        // Operators pass, but there is still no user `x`.
        ("Get", "admin", "users/7", 0, "users/7", "7"),
        ("Get", "admin", "users/me", 0, "users/9", "9"),
        ("Get", "admin", "users/x", 5, "", ""),
        // Nobody is asked for a credential first.
        ("Get", "", "users/7", 16, "", ""),
        ("Get", "", "users/me", 16, "", ""),
        ("Get", "", "", 16, "", ""),
        // A request that names no user.
        ("Get", "alice", "", 3, "", ""),
        ("Get", "alice", "users/", 3, "", ""),
        // One that names more than the form has; of somebody else's it says no more than above.
        ("Get", "alice", "users/7/things/1", 3, "", ""),
        ("Get", "alice", "users/me/", 3, "", ""),
        ("Get", "admin", "users/8/things/1", 3, "", ""),
        ("Get", "alice", "things/7", 3, "", ""),
        // All users: for operators, and only where a list is asked for.
        ("ListThings", "", "users/-/things/1", 16, "", ""),
        ("ListThings", "alice", "users/-/things/1", 7, "", ""),
        ("ListThings", "admin", "users/-/things/1", 0, "users/-/things/1", ""),
        ("Get", "alice", "users/-", 7, "", ""),
        ("Get", "admin", "users/-", 5, "", ""),
        // Methods that touch no user's data.
        ("Show", "", "x", 0, "x", ""),
        ("Show", "bob", "x", 0, "x", ""),
        ("Count", "", "x", 16, "", ""),
        ("Count", "bob", "x", 7, "", ""),
        ("Count", "admin", "x", 0, "x", ""),
        ("Enter", "bob", "x", 7, "", ""),
        // A bad key is refused where none is needed, too.
        ("Show", "mallory", "x", 16, "", ""),
        ("Count", "mallory", "x", 16, "", ""),
    ];
    for (method, who, name, code, seen, scope) in cases {
        let what = format!("{method} of {name:?} by {who:?}");
        let key = key(who);
        let headers: Vec<_> = key.iter().map(|(header, value)| (*header, value.as_str())).collect();
        let reply = grpc
            .call(&format!("/test.v1.Shop/{method}"), &headers, &named(name))
            .await;
        assert_eq!(reply.code(), *code, "{what}: {:?}", reply.status);
        if *code == 0 {
            assert_eq!(reply.message::<Named>(), named(seen), "{what}");
            assert_eq!(reply.header("scope"), *scope, "{what}");
        } else {
            assert!(
                reply.messages.is_empty() && !reply.reason().is_empty(),
                "{what}: {reply:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_opens_a_method() {
    let mut open = options();
    open.switches.insert("shop.open".to_owned(), true);
    let stage = start(open).await;
    let grpc = stage.grpc().await;
    assert_eq!(grpc.call("/test.v1.Shop/Enter", &[], &named("x")).await.code(), 0);
    assert_eq!(grpc.call("/test.v1.Shop/Count", &[], &named("x")).await.code(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_request_dodges_the_check() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let alice = [("x-api-key", "mr_alice")];
    let nested = |name: &str| Named {
        name: String::new(),
        person: Some(Person { name: name.to_owned() }),
    };

    // One message down, where `me` becomes the number without a loss.
    let reply = grpc.call("/test.v1.Shop/Update", &alice, &nested("users/me")).await;
    assert_eq!(
        (reply.message::<Named>(), reply.header("caller")),
        (nested("users/7"), "7")
    );
    assert_eq!(
        grpc.call("/test.v1.Shop/Update", &alice, &nested("users/8"))
            .await
            .code(),
        5
    );
    assert_eq!(
        grpc.call("/test.v1.Shop/Update", &alice, &named("users/7"))
            .await
            .code(),
        3
    );

    // The field twice: the last one is what a decoder takes, so it is what counts.
    let twice = |first: &str, last: &str| {
        let message = [named(first).encode_to_vec(), named(last).encode_to_vec()].concat();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        bytes::Bytes::from([&[0][..], &length, &message].concat())
    };
    assert_eq!(
        grpc.send("/test.v1.Shop/Get", &alice, twice("users/8", "users/7"))
            .await
            .code(),
        0
    );
    assert_eq!(
        grpc.send("/test.v1.Shop/Get", &alice, twice("users/7", "users/8"))
            .await
            .code(),
        5
    );
    let merged = grpc
        .send("/test.v1.Shop/Get", &alice, twice("users/8", "users/me"))
        .await;
    assert_eq!(merged.message::<Named>(), named("users/7"));

    // Nothing, half a message, no message of the type, a compressed one.
    assert_eq!(
        grpc.send("/test.v1.Shop/Get", &alice, bytes::Bytes::new()).await.code(),
        3
    );
    assert_eq!(
        grpc.send("/test.v1.Shop/Get", &alice, frame(&named("users/7")).slice(..9))
            .await
            .code(),
        3
    );
    assert_eq!(
        grpc.send(
            "/test.v1.Shop/Get",
            &alice,
            bytes::Bytes::from_static(b"\0\0\0\0\x02\x08\x01")
        )
        .await
        .code(),
        3
    );
    assert_eq!(
        grpc.send("/test.v1.Shop/Get", &alice, bytes::Bytes::from_static(b"\x01\0\0\0\0"))
            .await
            .code(),
        12
    );

    // Two credentials that differ, and one that is none.
    let two = [("x-api-key", "mr_alice"), ("authorization", "Bearer mr_bob")];
    let basic = [("authorization", "Basic YTpi")];
    for headers in [&two[..], &basic[..]] {
        let reply = grpc.call("/test.v1.Shop/Show", headers, &named("x")).await;
        assert_eq!((reply.code(), reply.reason().as_str()), (16, "UNAUTHENTICATED"));
    }
}
