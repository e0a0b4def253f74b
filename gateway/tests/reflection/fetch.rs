//! Fetching from servers as they are: tonic's in both versions, and the habits of others.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use millrace_gateway::reflection::{Fetched, Limits, ReflectionError, fetch};
use millrace_gateway::{GrpcService, Schema};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_reflection::server::Builder;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::protos::{self, SHOP, bare, compiled, file_of, files, pool};
use crate::scripted::{Asked, Reply, Scripted};
use crate::sockets::over_socket;

/// Any tonic server, boxed.
pub(crate) fn boxed<S>(service: S) -> GrpcService
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(service)
}

fn http_status(status: u16) -> GrpcService {
    boxed(tower::service_fn(move |_| {
        let response = Response::builder().status(status).header("content-type", "text/html");
        std::future::ready(Ok(response.body(Body::empty()).unwrap()))
    }))
}

/// Both answers by path: v1 first, v1alpha second.
fn by_version(v1: GrpcService, v1alpha: GrpcService) -> GrpcService {
    boxed(tower::service_fn(move |request: Request<Body>| {
        let mut service = match request.uri().path().starts_with("/grpc.reflection.v1.") {
            true => v1.clone(),
            false => v1alpha.clone(),
        };
        service.call(request)
    }))
}

/// The stream breaks off.
fn resets() -> GrpcService {
    boxed(tower::service_fn(|_| {
        let broken = futures_util::stream::iter([Err::<Frame<Bytes>, _>(Status::internal("broken"))]);
        std::future::ready(Ok(Response::new(Body::new(StreamBody::new(broken)))))
    }))
}

fn unimplemented() -> GrpcService {
    boxed(tower::service_fn(|_| {
        std::future::ready(Ok(Status::unimplemented("").into_http()))
    }))
}

fn routes(fetched: &Fetched) -> Vec<String> {
    let schema = Schema::builder().descriptors(&fetched.descriptor_set).build().unwrap();
    schema
        .routes()
        .map(|route| format!("{} {}", route.http_method(), route.path()))
        .collect()
}

async fn fetched(service: GrpcService) -> Fetched {
    fetch(over_socket(service).await, &Limits::default()).await.unwrap()
}

#[tokio::test]
async fn tonics_servers_of_both_versions_give_the_same() {
    let set = compiled(&[SHOP]);
    let builder = || Builder::configure().register_encoded_file_descriptor_set(&set);
    let v1 = boxed(builder().build_v1().unwrap());
    let v1alpha = boxed(builder().build_v1alpha().unwrap());
    // What servers without v1 answer.
    for (at, service) in [
        v1.clone(),
        by_version(unimplemented(), v1alpha.clone()),
        by_version(http_status(404), v1alpha.clone()),
        by_version(http_status(415), v1alpha.clone()),
        by_version(resets(), v1alpha),
    ]
    .into_iter()
    .enumerate()
    {
        let fetched = fetched(service).await;
        assert_eq!(fetched.services, ["shop.v1.Shop"], "{at}");
        assert!(fetched.warnings.is_empty(), "{at}: {:?}", fetched.warnings);
        assert_eq!(routes(&fetched), ["GET /v1/items/{id}"], "{at}");
        // Byte for byte what the server was given, comments and options included.
        for (name, bytes) in files(&fetched.descriptor_set) {
            assert_eq!(bytes, file_of(&set, &name), "{at}: {name}");
        }
    }
}

#[tokio::test]
async fn a_server_without_reflection_says_so_in_both_versions() {
    let error = fetch(over_socket(http_status(404)).await, &Limits::default())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ReflectionError::Unsupported { .. }), "{text}");
    assert!(
        text.contains("v1 answered UNIMPLEMENTED") && text.contains("v1alpha answered UNIMPLEMENTED"),
        "{text}"
    );
}

/// It may well offer reflection: nobody could ask it.
#[tokio::test]
async fn a_server_that_is_away_is_not_one_without_reflection() {
    let away = BoxCloneSyncService::new(tower::service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Status::unavailable("connection refused").into_http())
    }));
    let error = fetch(away, &Limits::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(error.is_away(), "{text}");
    assert_eq!(text, "the server cannot be reached: UNAVAILABLE (connection refused)");
}

/// tonic ends the stream where a file is not there; the rest is asked on a new one.
#[tokio::test]
async fn googles_files_that_a_server_lacks_are_supplied() {
    let set = compiled(&[SHOP]);
    let mut own = Vec::new();
    protos::put(&mut own, 1, &file_of(&set, SHOP.0));
    let service = Builder::configure()
        .register_encoded_file_descriptor_set(&own)
        .build_v1()
        .unwrap();
    let fetched = fetched(boxed(service)).await;
    assert_eq!(routes(&fetched), ["GET /v1/items/{id}"]);
    let names: Vec<_> = files(&fetched.descriptor_set)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let place = |name: &str| names.iter().position(|known| known == name).unwrap();
    assert!(
        place("google/protobuf/descriptor.proto") < place("google/api/annotations.proto"),
        "{names:?}"
    );
    assert!(
        place("google/api/http.proto") < place("google/api/annotations.proto"),
        "{names:?}"
    );
    assert_eq!(place(SHOP.0), names.len() - 1, "{names:?}");
}

/// A server that has the files of a set; questions about others get an error.
fn server_of(set: &[u8], services: &[&str], symbols: &[(&str, &str)]) -> Scripted {
    let known: BTreeMap<_, _> = files(set).into_iter().collect();
    let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
    let symbols: BTreeMap<String, String> = symbols
        .iter()
        .map(|(symbol, file)| ((*symbol).to_owned(), (*file).to_owned()))
        .collect();
    Scripted::new(move |asked| {
        let file = match asked {
            Asked::Services => return Reply::Services(services.clone()),
            Asked::Symbol(name) => symbols.get(name).and_then(|file| known.get(file)),
            Asked::File(name) => known.get(name),
        };
        file.map_or(Reply::Error(Code::NotFound), |file| Reply::file(file.clone()))
    })
}

#[tokio::test]
async fn one_stream_carries_every_question() {
    let set = compiled(&[SHOP]);
    let server = server_of(&set, &["shop.v1.Shop"], &[("shop.v1.Shop", SHOP.0)]);
    let fetched = fetched(server.service.clone()).await;
    assert_eq!(files(&fetched.descriptor_set).len(), 5);
    assert_eq!(server.streams(), 1);
    assert_eq!(
        server.asked().len(),
        6,
        "the list, the service, its two imports, and theirs: {:?}",
        server.asked()
    );
}

#[tokio::test]
async fn several_files_at_once_need_no_more_questions() {
    let set = compiled(&[SHOP]);
    let all: Vec<_> = files(&set).into_iter().map(|(_, bytes)| bytes).collect();
    let server = Scripted::new(move |asked| match asked {
        Asked::Services => Reply::services(&["shop.v1.Shop"]),
        _ => Reply::Files(all.clone()),
    });
    assert_eq!(routes(&fetched(server.service.clone()).await), ["GET /v1/items/{id}"]);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_stream_that_takes_one_question_is_opened_again() {
    let set = compiled(&[SHOP]);
    let known: BTreeMap<_, _> = files(&set).into_iter().collect();
    // It answers each file, and ends the stream without a word at every second question.
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Scripted::new(move |asked| {
        if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2 == 1 {
            return Reply::End(Status::ok(""));
        }
        match asked {
            Asked::Services => Reply::services(&["shop.v1.Shop"]),
            Asked::Symbol(_) => Reply::file(known[SHOP.0].clone()),
            Asked::File(name) => Reply::file(known[name].clone()),
        }
    });
    assert_eq!(routes(&fetched(server.service.clone()).await), ["GET /v1/items/{id}"]);
    assert!(server.streams() > 1);
}

#[tokio::test]
async fn services_of_the_plumbing_are_not_exposed_and_unresolved_ones_are_named() {
    let set = compiled(&[SHOP]);
    let listed = [
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "grpc.health.v1.Health",
        "grpc.channelz.v1.Channelz",
        "shop.v1.Gone",
        "shop.v1.Lied",
        "not a\nname",
        "shop.v1.Shop",
        "shop.v1.Shop",
    ];
    let server = server_of(&set, &listed, &[("shop.v1.Shop", SHOP.0), ("shop.v1.Lied", SHOP.0)]);
    let fetched = fetched(server.service.clone()).await;
    assert_eq!(fetched.services, ["shop.v1.Shop"]);
    assert_eq!(
        fetched.warnings,
        [
            r"the server lists `not a\nname`, which is no name of a service",
            r"the server lists shop.v1.Gone, but has no descriptor of it: NOT_FOUND (no\nsuch thing)",
            "the server lists shop.v1.Lied, but the file that it gives for it does not define it",
        ]
    );
    let asked = server.asked();
    assert!(
        !asked
            .iter()
            .any(|(_, asked)| matches!(asked, Asked::Symbol(name) if name.starts_with("grpc.")))
    );
}

#[tokio::test]
async fn an_import_that_only_options_need_is_left_out() {
    let sources = [
        (
            "acme/options.proto",
            r#"syntax = "proto3"; package acme; import "google/protobuf/descriptor.proto";
            extend google.protobuf.MethodOptions { string owner = 50000; }"#,
        ),
        (
            "acme/types.proto",
            r#"syntax = "proto3"; package acme; message Thing { string name = 1; }"#,
        ),
        (
            "acme/public.proto",
            r#"syntax = "proto3"; package acme; import public "acme/types.proto";"#,
        ),
        (
            "acme/acme.proto",
            r#"syntax = "proto3"; package acme;
            import "acme/options.proto"; import public "acme/public.proto"; import "google/api/annotations.proto";
            service Acme { rpc Get(Thing) returns (Thing) {
                option (acme.owner) = "me"; option (google.api.http) = { get: "/v1/{name=things/*}" }; } }"#,
        ),
    ];
    let set = compiled(&sources);
    let without = |missing: &str| {
        let mut left = Vec::new();
        for (name, bytes) in files(&set) {
            if name != missing {
                protos::put(&mut left, 1, &bytes);
            }
        }
        server_of(&left, &["acme.Acme"], &[("acme.Acme", "acme/acme.proto")])
    };
    let fetched = fetched(without("acme/options.proto").service).await;
    assert_eq!(routes(&fetched), ["GET /v1/{name=things/*}"]);
    assert_eq!(
        fetched.warnings,
        ["acme/acme.proto imports acme/options.proto, which the server does not have; only options need it: left out"]
    );
    let acme = pool(&fetched.descriptor_set)
        .get_file_by_name("acme/acme.proto")
        .unwrap();
    let public: Vec<_> = acme.public_dependencies().map(|file| file.name().to_owned()).collect();
    assert_eq!(public, ["acme/public.proto"], "public imports are counted anew");

    for (missing, expected) in [
        (
            "acme/types.proto",
            "the type acme.Thing that acme/acme.proto uses is in none of the files that it imports",
        ),
        (
            "acme/public.proto",
            "the file acme/public.proto is missing: acme/acme.proto imports it and uses acme.Thing, and the server \
             does not have it",
        ),
    ] {
        let error = fetch(without(missing).service, &Limits::default()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn dropped_options_are_noticed_and_undeclared_ones_declared() {
    let set = compiled(&[SHOP]);
    let plain = SHOP
        .1
        .replace(r#"option (google.api.http) = { get: "/v1/items/{id}" };"#, "");
    let stripped = compiled(&[(SHOP.0, &plain)]);
    let server = server_of(&stripped, &["shop.v1.Shop"], &[("shop.v1.Shop", SHOP.0)]);
    let fetched_stripped = fetched(server.service).await;
    assert!(fetched_stripped.warnings[0].contains("the server's reflection seems to drop options"));
    assert!(routes(&fetched_stripped).is_empty());

    // The rule is there, and the import that declares it was taken away.
    let shop = file_of(&set, SHOP.0);
    let mut import = Vec::new();
    protos::put(&mut import, 3, b"google/api/annotations.proto");
    let at = shop.windows(import.len()).position(|window| window == import).unwrap();
    let bytes = [&shop[..at], &shop[at + import.len()..]].concat();
    let server = Scripted::new(move |asked| match asked {
        Asked::Services => Reply::services(&["shop.v1.Shop"]),
        Asked::Symbol(_) => Reply::file(bytes.clone()),
        Asked::File(_) => Reply::Error(Code::NotFound),
    });
    assert_eq!(routes(&fetched(server.service).await), ["GET /v1/items/{id}"]);
}

#[tokio::test]
async fn imports_that_a_server_leaves_out_are_found() {
    let stock = (
        "stock_v1.proto",
        r#"syntax = "proto3"; package stock.v1; message Place { string id = 1; }"#,
    );
    let shop = (
        "shop_v1.proto",
        r#"syntax = "proto3"; package shop.v1;
        import "stock_v1.proto"; import "google/protobuf/timestamp.proto";
        service Shop { rpc Find(stock.v1.Place) returns (Item); }
        message Item { stock.v1.Place place = 1; google.protobuf.Timestamp made = 2; }"#,
    );
    let set = compiled(&[stock, shop]);
    let mut bytes = file_of(&set, shop.0);
    for name in [stock.0, "google/protobuf/timestamp.proto"] {
        let mut import = Vec::new();
        protos::put(&mut import, 3, name.as_bytes());
        let at = bytes.windows(import.len()).position(|window| window == import).unwrap();
        bytes.drain(at..at + import.len());
    }
    let stock = file_of(&set, stock.0);
    // As grpc-js does: what a file needs comes with it.
    let server = Scripted::new(move |asked| match asked {
        Asked::Services => Reply::services(&["shop.v1.Shop"]),
        Asked::Symbol(_) => Reply::Files(vec![bytes.clone(), stock.clone()]),
        Asked::File(_) => Reply::Error(Code::NotFound),
    });
    let fetched = fetched(server.service).await;
    assert_eq!(
        pool(&fetched.descriptor_set)
            .get_file_by_name("shop_v1.proto")
            .unwrap()
            .dependencies()
            .count(),
        2
    );
    assert!(
        fetched.warnings[0].contains("leaves imports out"),
        "{:?}",
        fetched.warnings
    );
}

#[tokio::test]
async fn v1alpha_is_asked_when_v1_misbehaves() {
    let misbehave: [fn() -> Reply; 4] = [
        || Reply::Error(Code::Unimplemented),
        || Reply::End(Status::internal("stream reset")),
        || Reply::End(Status::ok("")),
        || Reply::Raw("<html>".into()),
    ];
    for misbehaved in misbehave {
        let server = Scripted::by_version(move |version, asked| match (version, asked) {
            ("v1", _) => misbehaved(),
            (_, Asked::Services) => Reply::services(&["Bare"]),
            _ => Reply::file(bare("bare.proto", &[], Some("Bare"))),
        });
        assert_eq!(fetched(server.service.clone()).await.services, ["Bare"]);
    }
}
