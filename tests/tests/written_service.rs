//! `millrace new service NAME`: what it writes compiles (in `tests/fixtures/new_service`, word for word), serves on
//! every door, and never costs anybody a file.

use std::fs;
use std::path::Path;

use millrace_tests::platform::millrace;
use millrace_tests::rest::Rest;
use new_service_fixture::WRITTEN;
use new_service_fixture::millrace::parcels::v1::PingRequest;
use new_service_fixture::millrace::parcels::v1::parcels_service_client::ParcelsServiceClient;
use serde_json::json;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::new_service::InProcess;

/// A source tree as far as the command reads it.
fn tree() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::create_dir_all(root.path().join("server/src")).unwrap();
    for file in ["server/src/modules.rs", "server/src/lib.rs"] {
        fs::copy(ours.join(file), root.path().join(file)).unwrap();
    }
    root
}

#[test]
fn the_command_writes_what_is_known_to_compile() {
    let root = tree();
    let folder = root.path().to_str().unwrap();
    let text = |path: String| fs::read_to_string(root.path().join(path)).unwrap();
    for (name, proto, module) in WRITTEN {
        let printed = millrace(&["new", "service", name, "--root", folder], &[]);
        assert!(printed.success, "{name}: {printed:?}");
        assert_eq!(text(format!("proto/millrace/{name}/v1/{name}.proto")), *proto, "{name}");
        assert_eq!(text(format!("server/src/{name}.rs")), *module, "{name}");
        assert!(
            text("server/src/lib.rs".into()).contains(&format!("pub mod {name};\n")),
            "{name}"
        );
        let mounted = format!("        crate::{name}::module(platform),\n");
        assert!(text("server/src/modules.rs".into()).contains(&mounted), "{name}");
    }
}

#[test]
fn a_name_that_cannot_be_is_refused_and_changes_nothing() {
    let root = tree();
    let folder = root.path().to_str().unwrap();
    let before = ["server/src/modules.rs", "server/src/lib.rs"].map(|file| fs::read(root.path().join(file)).unwrap());
    // Exit code, and what the message names.
    for (name, code, part) in [
        ("Shipping", 2, "small letters"),
        ("shipping-zones", 2, "small letters"),
        ("struct", 2, "word of Rust"),
        ("google", 2, "hide"),
        ("lib", 1, "server/src/lib.rs exists"),
    ] {
        let printed = millrace(&["new", "service", name, "--root", folder], &[]);
        assert_eq!(printed.code, code, "{name}: {printed:?}");
        assert!(printed.err.contains(part), "{name}: {printed:?}");
        assert!(!root.path().join("proto").exists(), "{name}");
    }
    let printed = millrace(&["new", "service", "shipping", "--root", "/nowhere"], &[]);
    assert_eq!(printed.code, 4, "{printed:?}");
    assert!(printed.err.contains("/nowhere/server/src/modules.rs"), "{printed:?}");
    let after = ["server/src/modules.rs", "server/src/lib.rs"].map(|file| fs::read(root.path().join(file)).unwrap());
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_written_service_answers_on_rest_and_grpc() {
    let platform = InProcess::start(new_service_fixture::written).await;
    let address = platform.running.public_addr;
    let rest = Rest::new(address);
    for (name, _, _) in WRITTEN {
        let answer = rest.get(&format!("/v1/{name}:ping?text=tea")).await.expect(200);
        assert_eq!(answer, json!({"text": "tea"}), "{name}");
        let long = "x".repeat(101);
        rest.get(&format!("/v1/{name}:ping?text={long}"))
            .await
            .refuses(400, "INVALID_FIELD");
    }

    let channel = Endpoint::new(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = ParcelsServiceClient::new(channel);
    let answer = client.ping(PingRequest { text: "tea".into() }).await.unwrap();
    assert_eq!(answer.into_inner().text, "tea");
    let refused = client.ping(PingRequest { text: "x".repeat(101) }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    platform.running.shutdown();
    platform.running.wait().await;
}
