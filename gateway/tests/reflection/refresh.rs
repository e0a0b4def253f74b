//! The refresher: sources asked again, schemas judged, exchanged or kept.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_gateway::admin;
use millrace_gateway::heartbeat::Heartbeat;
use millrace_gateway::probes::Probes;
use millrace_gateway::reflection::Limits;
use millrace_gateway::reload::{
    Metrics, Origin, Outcome, Refresher, Reloads, Report, SchemaSource, Settings, StartError,
};
use millrace_gateway::signals::Hangups;
use millrace_gateway::{Gateway, HttpService};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::protos::{SHOP, compiled, files};
use crate::scripted::{Asked, Reply, Scripted};
use crate::stage::{built, get};

/// A server whose schema the test changes; `None` is a server that is away.
type Told = Arc<Mutex<Option<Vec<u8>>>>;

fn server(told: &Told) -> Scripted {
    let told = told.clone();
    Scripted::new(move |asked| {
        let Some(set) = told.lock().unwrap().clone() else {
            return Reply::End(Status::unavailable("away"));
        };
        let files = files(&set);
        let file = match asked {
            Asked::Services => return Reply::services(&["shop.v1.Shop"]),
            Asked::Symbol(_) => files.iter().find(|(name, _)| name == SHOP.0),
            Asked::File(name) => files.iter().find(|(known, _)| known == name),
        };
        file.map_or(Reply::Error(Code::NotFound), |(_, bytes)| Reply::file(bytes.clone()))
    })
}

/// The shop with one text in it changed.
fn shop(old: &str, new: &str) -> Vec<u8> {
    compiled(&[(SHOP.0, &SHOP.1.replace(old, new))])
}

fn settings() -> Settings {
    Settings {
        interval: None,
        allow_breaking: false,
        random: Arc::new(|| 0.5),
    }
}

fn reflected(server: &Scripted) -> SchemaSource {
    SchemaSource {
        name: "http://shop".to_owned(),
        origin: Origin::Reflection {
            service: server.service.clone(),
            limits: Limits::default(),
        },
        services: None,
        except: Vec::new(),
        polled: true,
    }
}

struct Running {
    service: HttpService,
    reloads: Reloads,
    registry: Registry,
    drain: watch::Sender<bool>,
    run: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(sources: Vec<SchemaSource>, settings: Settings, hangups: Option<Hangups>) -> Self {
        let mut registry = Registry::default();
        let inner = Scripted::new(|_| Reply::Hang).service;
        let build: millrace_gateway::reload::Build =
            Arc::new(move |merged| Ok(built(&merged.descriptor_set, inner.clone())?));
        let refresher = Refresher::start(sources, build, settings, Metrics::new(&mut registry)).await;
        let refresher = refresher.unwrap_or_else(|error| panic!("{error:?}"));
        let (drain, draining) = watch::channel(false);
        Self {
            service: refresher.service(),
            reloads: refresher.reloads(),
            registry,
            drain,
            run: tokio::spawn(refresher.run(hangups, draining)),
        }
    }

    /// Whether a path is bound: HEAD is refused as not found, or its method is not allowed.
    async fn has(&self, path: &str) -> bool {
        get(&self.service, path).await.0 != 404
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

fn sentences(report: &Report) -> Vec<String> {
    report.changes.iter().map(ToString::to_string).collect()
}

/// A route that no GET reaches, so that no call hangs on the inner service: 405 where it is bound.
const MORE: &str = "rpc Sell(Item) returns (Item) { option (google.api.http) = { post: \"/v1/sales\" body: \"*\" }; }
    rpc WatchItems";

#[tokio::test]
async fn harmless_changes_are_served_and_breaking_ones_refused() {
    let told: Told = Arc::new(Mutex::new(Some(shop("", ""))));
    let server = server(&told);
    let running = Running::start(vec![reflected(&server)], settings(), None).await;
    assert_eq!(running.reloads.reload().await.outcome, Outcome::Unchanged);
    assert!(!running.has("/v1/sales").await);

    *told.lock().unwrap() = Some(shop("rpc WatchItems", MORE));
    let report = running.reloads.reload().await;
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(
        sentences(&report),
        ["the RPC shop.v1.Shop/Sell is new", "the route POST /v1/sales is new"]
    );
    assert!(running.has("/v1/sales").await);

    *told.lock().unwrap() = Some(shop("", ""));
    let report = running.reloads.reload().await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert_eq!(
        sentences(&report),
        [
            "breaking: the RPC shop.v1.Shop/Sell is gone",
            "breaking: the route POST /v1/sales is gone"
        ]
    );
    assert!(running.has("/v1/sales").await, "the old schema stays");
    let details = serde_json::Value::Object(running.reloads.details());
    assert_eq!(details["schema"]["last_refresh"], "refused");
    assert_eq!(details["schema"]["why"][0], "the RPC shop.v1.Shop/Sell is gone");

    // A source that is away is told, and changes nothing.
    *told.lock().unwrap() = None;
    let report = running.reloads.reload().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.failures[0].starts_with("http://shop: the server cannot be reached: UNAVAILABLE (away)"),
        "{report:?}"
    );
    assert!(running.has("/v1/sales").await);
    assert_eq!(running.reloads.details()["schema"]["unapplied_refreshes"], 2);

    // Nor does a schema that cannot be served.
    *told.lock().unwrap() = Some(shop("get: \"/v1/items/{id}\"", "get: \"/v1/items/{nothing}\""));
    let report = running.reloads.reload().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.failures[0].contains("names the unknown field `nothing`"),
        "{report:?}"
    );

    *told.lock().unwrap() = Some(shop("rpc WatchItems", MORE));
    assert_eq!(running.reloads.reload().await.outcome, Outcome::Unchanged);
    assert_eq!(
        serde_json::Value::Object(running.reloads.details()),
        serde_json::json!({"schema": {"last_refresh": "unchanged"}})
    );
    let metrics = running.metrics();
    for line in [
        "schema_refreshes_total{outcome=\"applied\"} 1",
        "schema_refreshes_total{outcome=\"refused\"} 1",
        "schema_refreshes_total{outcome=\"failed\"} 2",
        "schema_refreshes_total{outcome=\"unchanged\"} 2",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    running.drain.send(true).unwrap();
    running.run.await.unwrap();
    assert_eq!(
        running.reloads.reload().await.outcome,
        Outcome::Failed,
        "it answers when nobody refreshes"
    );
}

#[tokio::test]
async fn breaking_changes_pass_where_they_are_allowed() {
    let told: Told = Arc::new(Mutex::new(Some(shop("rpc WatchItems", MORE))));
    let server = server(&told);
    let settings = Settings {
        allow_breaking: true,
        ..settings()
    };
    let running = Running::start(vec![reflected(&server)], settings, None).await;
    *told.lock().unwrap() = Some(shop("", ""));
    let report = running.reloads.reload().await;
    assert_eq!(report.outcome, Outcome::Applied);
    assert!(report.changes[0].breaking);
    assert!(!running.has("/v1/sales").await);
}

/// Waits for a refresh that nobody is told of.
async fn until_bound(running: &Running, step: Duration) {
    let bound = async {
        while !running.has("/v1/sales").await {
            tokio::time::sleep(step).await;
        }
    };
    tokio::time::timeout(step * 1_000, bound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn polled_sources_are_asked_by_the_interval() {
    let told: Told = Arc::new(Mutex::new(Some(shop("", ""))));
    let server = server(&told);
    let settings = Settings {
        interval: Some(Duration::from_secs(60)),
        ..settings()
    };
    let running = Running::start(vec![reflected(&server)], settings, None).await;
    *told.lock().unwrap() = Some(shop("rpc WatchItems", MORE));
    let start = tokio::time::Instant::now();
    until_bound(&running, Duration::from_secs(1)).await;
    assert!(start.elapsed() >= Duration::from_secs(60), "{:?}", start.elapsed());
}

#[tokio::test]
async fn files_are_read_again_on_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("shop.binpb");
    std::fs::write(&path, shop("", "")).unwrap();
    let source = SchemaSource {
        name: "files".to_owned(),
        origin: Origin::Files(vec![path.clone()]),
        services: None,
        except: Vec::new(),
        polled: false,
    };
    let hangups = Hangups::watch().unwrap();
    let running = Running::start(vec![source], settings(), Some(hangups)).await;
    std::fs::write(&path, shop("rpc WatchItems", MORE)).unwrap();
    let own = std::process::id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-HUP", &own])
        .status()
        .unwrap();
    assert!(killed.success());
    until_bound(&running, Duration::from_millis(10)).await;

    std::fs::remove_file(&path).unwrap();
    let report = running.reloads.reload().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.failures[0].contains("shop.binpb"), "{report:?}");
    assert!(running.has("/v1/sales").await);
}

#[tokio::test]
async fn two_servers_with_one_service_are_refused_at_the_start() {
    let told: Told = Arc::new(Mutex::new(Some(shop("", ""))));
    let (one, two) = (server(&told), server(&told));
    let build: millrace_gateway::reload::Build = Arc::new(|_| Err("not asked".into()));
    let metrics = Metrics::new(&mut Registry::default());
    let sources = vec![reflected(&one), reflected(&two)];
    let refused = Refresher::start(sources, build, settings(), metrics)
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, StartError::Merge(_)), "{refused:?}");
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{request}content-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn an_admin_may_ask_and_a_page_may_not() {
    let told: Told = Arc::new(Mutex::new(Some(shop("", ""))));
    let server = server(&told);
    let running = Running::start(vec![reflected(&server)], settings(), None).await;
    let details = running.reloads.clone();
    let probes = Probes::new(Heartbeat::start(), || Ok(())).with_details(move || details.details());
    let listener = millrace_gateway::serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Gateway::builder().build().unwrap();
    let actions = vec![running.reloads.action()];
    let hosts = vec!["admin.internal".to_owned()];
    let admin = admin::start_with(&gateway, listener, probes, Registry::default(), hosts, actions).unwrap();

    let post = "POST /schema/reload HTTP/1.1\r\nhost: localhost\r\n";
    *told.lock().unwrap() = Some(shop("rpc WatchItems", MORE));
    for (request, status, part) in [
        (
            "GET /schema/reload HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            "405 ",
            "allow: POST",
        ),
        (
            post.replace("localhost", "admin.internal"),
            "421 ",
            "the host name is not this server's",
        ),
        (
            post.replace("localhost", "evil.example"),
            "421 ",
            "the host name is not this server's",
        ),
        (
            format!("{post}origin: http://localhost:3000\r\n"),
            "403 ",
            "pages of this origin may not call",
        ),
        (
            format!("{post}sec-fetch-site: cross-site\r\n"),
            "403 ",
            "pages of this origin may not call",
        ),
        (
            "POST /readiness HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            "405 ",
            "allow: GET, HEAD",
        ),
        (
            post.to_owned(),
            "200 ",
            r#"{"breaking":false,"change":"the route POST /v1/sales is new"}"#,
        ),
        (
            "GET /readiness HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            "200 ",
            r#""last_refresh":"applied""#,
        ),
    ] {
        let text = ask(address, &request).await;
        assert!(
            text["HTTP/1.1 ".len()..].starts_with(status) && text.contains(part),
            "{request}{text}"
        );
    }
    *told.lock().unwrap() = Some(shop("", ""));
    let refused = ask(address, post).await;
    assert!(
        refused.contains("409 ") && refused.contains(r#""outcome":"refused""#),
        "{refused}"
    );
    *told.lock().unwrap() = None;
    assert!(ask(address, post).await.contains("503 "));
    let ready = ask(address, "GET /readiness HTTP/1.1\r\nhost: localhost\r\n").await;
    assert!(
        ready.contains("200 ") && ready.contains(r#""last_refresh":"failed""#),
        "{ready}"
    );
    admin.stop().await;
}
