//! What is mounted, what is refused at start, and what follows from a module.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use millrace_chassis::{Module, chassis};
use millrace_gateway::drain::begun;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::support::{PROTO, descriptors, frame, named, options, shop, start, start_with};

async fn refused(proto: &str) -> String {
    match start_with(options(), [shop(proto)]).await {
        Ok(_) => panic!("a module that is not complete was mounted"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_does_not_say_what_it_needs_refuses_to_start() {
    let show = "option (millrace.api.v1.policy) = POLICY_PUBLIC;\n    option (millrace.api.v1.shard_key) = \"global\";";
    let with = |options: &str| PROTO.replacen(show, options, 1);
    let policy = "option (millrace.api.v1.policy) = POLICY_OWNER;";
    let key = |key: &str| with(&format!("{policy} option (millrace.api.v1.shard_key) = \"{key}\";"));
    let cases = [
        (
            with("option (millrace.api.v1.shard_key) = \"global\";"),
            "no option (millrace.api.v1.policy)",
        ),
        (
            with(
                "option (millrace.api.v1.policy) = POLICY_UNSPECIFIED; option (millrace.api.v1.shard_key) = \"global\";",
            ),
            "no option (millrace.api.v1.policy)",
        ),
        (
            with("option (millrace.api.v1.policy) = POLICY_PUBLIC;"),
            "no option (millrace.api.v1.shard_key)",
        ),
        (
            with(&format!("{show} option (millrace.api.v1.open_by) = \"shop.opne\";")),
            "`shop.opne` names no setting",
        ),
        (key("global"), "names no user"),
        (key("scatter"), "names no user"),
        (key(""), "must be `global`, `scatter` or `field:pattern`"),
        (key("name:things/*"), "does not begin with `users/*`"),
        (key("nme:users/*"), "names a field that the request does not have"),
        (key("person:users/*"), "must lead through messages to a string"),
        (key("name.name:users/*"), "must lead through messages to a string"),
        (
            with("option (millrace.api.v1.policy) = POLICY_PUBLIC; option (millrace.api.v1.shard_key) = \"scatter\";"),
            "opens all users' data",
        ),
    ];
    for (proto, expected) in cases {
        let error = refused(&proto).await;
        assert!(
            error.contains("test.v1.Shop/Show") && error.contains(expected),
            "{error:?} lacks {expected:?}"
        );
    }
}

#[test]
fn routes_are_listed_from_descriptors_alone() {
    let switches = |open| std::collections::BTreeMap::from([("shop.open".to_owned(), open)]);
    let lines = chassis::routes(&[descriptors(PROTO)], &switches(true)).unwrap();
    let texts: Vec<_> = lines
        .iter()
        .map(|line| {
            let (method, path) = line.http.clone().unwrap_or_default();
            format!("{method} {path} {} {} {}", line.rpc, line.policy, line.shard_key)
        })
        .collect();
    assert_eq!(texts[0], "POST /v1/things test.v1.Shop/Make PUBLIC global");
    assert_eq!(texts[3], "GET /v1/{name=users/*} test.v1.Shop/Get OWNER name:users/*");
    assert_eq!(texts[6], "  test.v1.Shop/Enter PUBLIC global", "{texts:#?}");
    assert_eq!(texts.len(), 13);
    let shut = chassis::routes(&[descriptors(PROTO)], &switches(false)).unwrap();
    assert_eq!((shut[6].rpc.as_str(), shut[6].policy), ("test.v1.Shop/Enter", "ADMIN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_claims_on_one_thing_refuse_to_start() {
    let twice = start_with(options(), [shop(PROTO), shop(PROTO)]).await.err().unwrap();
    assert!(twice.to_string().contains("test.v1.Shop is mounted twice"), "{twice}");
    let empty = Module::new("other", descriptors(PROTO)).authenticator(Arc::new(NoKeys));
    let keys = start_with(options(), [shop(PROTO), empty]).await.err().unwrap();
    assert!(
        keys.to_string()
            .contains("module other is the second with an authenticator"),
        "{keys}"
    );
    let stage = start(options()).await;
    let mut taken = options();
    taken.server.listen = stage.address;
    let error = start_with(taken.clone(), [shop(PROTO)]).await.err().unwrap();
    assert!(error.to_string().contains(&stage.address.to_string()), "{error}");
    taken.free_port_if_taken.public = true;
    let other = start_with(taken, [shop(PROTO)]).await.unwrap();
    assert_ne!(other.address.port(), stage.address.port());
}

struct NoKeys;

impl millrace_chassis::caller::Authenticator for NoKeys {
    fn authenticate<'a>(
        &'a self,
        _: &'a str,
    ) -> std::pin::Pin<
        Box<
            dyn Future<Output = Result<Option<millrace_chassis::Caller>, millrace_chassis::shard::StoreError>>
                + Send
                + 'a,
        >,
    > {
        Box::pin(std::future::ready(Ok(None)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_unimplemented() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    for path in ["/test.v1.Shop/Nope", "/test.v2.Shop/Get", "/nope", "/", reflection] {
        assert_eq!(grpc.call(path, &[], &named("x")).await.code(), 12, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_shows_files_with_their_options() {
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

    let mut options = options();
    options.server.reflection = true;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let ask = |question| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let listed = grpc
            .call(&path, &[], &ask(MessageRequest::ListServices(String::new())))
            .await;
        let Some(MessageResponse::ListServicesResponse(list)) =
            listed.message::<ServerReflectionResponse>().message_response
        else {
            panic!("{listed:?}");
        };
        let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        names.sort();
        let reflection = [
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ];
        assert_eq!(
            names,
            [&["grpc.health.v1.Health"], &reflection[..], &["test.v1.Shop"]].concat()
        );

        for (symbol, part) in [
            ("test.v1.Shop", b"person.name:users/*".as_slice()),
            // Comments, and what details of errors are made of.
            ("test.v1.Shop", b"A shop that says what it saw."),
            ("google.rpc.ErrorInfo", b"google/rpc/error_details.proto"),
        ] {
            let question = MessageRequest::FileContainingSymbol(symbol.to_owned());
            let found = grpc.call(&path, &[], &ask(question)).await;
            assert_eq!(found.code(), 0);
            assert!(
                found.messages.windows(part.len()).any(|window| window == part),
                "{version} {symbol}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_run_until_the_drain() {
    let (started, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (on_start, on_end) = (Arc::clone(&started), Arc::clone(&ended));
    let has_started = Arc::new(Notify::new());
    let starting = Arc::clone(&has_started);
    let module = shop(PROTO).worker(
        "counter",
        Arc::new(move |mut draining| {
            on_start.fetch_add(1, Ordering::SeqCst);
            starting.notify_one();
            let on_end = Arc::clone(&on_end);
            Box::pin(async move {
                begun(&mut draining).await;
                on_end.fetch_add(1, Ordering::SeqCst);
            })
        }),
    );
    let stage = start_with(options(), [module]).await.unwrap();
    has_started.notified().await;
    assert_eq!((started.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (1, 0));
    stage.running.shutdown();
    stage.running.wait().await;
    assert_eq!((started.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_passes_the_whole_stack() {
    let stage = start(options()).await;
    let call = |path: &str, key: &str| {
        let request = http::Request::post(format!("http://local{path}"))
            .header("content-type", "application/grpc")
            .header("x-api-key", key)
            .body(tonic::body::Body::new(http_body_util::Full::new(frame(&named(
                "users/me",
            )))))
            .unwrap();
        let channel = stage.running.channel();
        async move {
            let response = channel.oneshot(request).await.unwrap();
            (
                response.headers().get("grpc-status").cloned(),
                response.headers().get("scope").cloned(),
            )
        }
    };
    assert_eq!(
        call("/test.v1.Shop/Get", "mr_alice").await,
        (None, Some("7".parse().unwrap()))
    );
    assert_eq!(
        call("/test.v1.Shop/Get", "mr_mallory").await.0,
        Some("16".parse().unwrap())
    );
    assert_eq!(
        call("/test.v1.Shop/Nope", "mr_alice").await.0,
        Some("12".parse().unwrap())
    );
}
