//! `check` fails for all that `run` would refuse, and for what would never do anything; it names the key and the
//! remedy.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::support::{Gateway, Upstream, binary, descriptors, echo, file, folder, said};

#[test]
fn names_that_cannot_be_are_refused() {
    for (config, parts) in [
        (
            "request_headers = [\"x-tenant\", \"x tenant\"]",
            ["`request_headers[1]`", "\"x tenant\" is no header name"],
        ),
        (
            "request_headers = [\"grpc-timeout\"]",
            ["`request_headers[0]`", "take it out"],
        ),
        (
            "response_trailers = [\"x:y\"]",
            ["`response_trailers[0]`", "is no header name"],
        ),
        (
            "grpc_also = [\"echo.v1.Echo/Get\"]",
            ["`grpc_also[0]`", "write it as in shop.v1.Shop"],
        ),
        ("cors_origins = [\"*\"]", ["`cors_origins[0]`", "list each"]),
        (
            "cors_origins = [\"https://shop.example/\"]",
            ["`cors_origins[0]`", "without a path"],
        ),
        (
            "admin_hosts = [\"metrics:9464\"]",
            ["`admin_hosts[0]`", "without scheme, path and port"],
        ),
        (
            "openapi.servers = [\"shop.example\"]",
            ["`openapi.servers[0]`", "is no base URL"],
        ),
        ("query.ignore = [\"a*b\"]", ["`query.ignore[0]`", "not at its end"]),
        (
            "[[routes]]\nselector = \"echo.v1.Echo/Get\"\n",
            ["`routes[0].selector`", "package.Service.Method"],
        ),
        (
            "[[http.rules]]\nselector = \"echo.v1.Echo/Get\"\nget = \"/v1\"\n",
            ["`http.rules[0].selector`", "package.Service.Method"],
        ),
        (
            "[[upstreams]]\nurl = \"http://127.0.0.1:1\"\nservices = [\"echo.v1.*\"]\n",
            ["`upstreams[0].services[0]`", "is no full name"],
        ),
        (
            "listen = \"0.0.0.0:9464\"",
            ["`admin_listen`", "another port, or `off`"],
        ),
        ("error_domain = \"\"", ["`error_domain`", "as in api.shop.example"]),
    ] {
        let config = file("names", "gateway.toml", config);
        for command in ["check", "run"] {
            let refused = said(&[command, "--descriptors", descriptors(), "--config", &config]);
            assert_eq!(refused.code, 3, "{command} {config}: {}{}", refused.out, refused.err);
            for part in parts {
                assert!(refused.err.contains(part), "{part}: {}", refused.err);
            }
        }
    }
}

#[test]
fn what_never_does_anything_is_found() {
    let two = "upstreams = [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"]";
    for (config, part) in [
        (
            "grpc_also = [\"echo.v1.Ecko\"]",
            "`grpc_also` names the service echo.v1.Ecko, which is not there; did you mean `echo.v1.Echo`?",
        ),
        (
            "grpc_also = [\"other.Service\"]",
            "take it out, or give the descriptors that declare it",
        ),
        (
            "[[upstreams]]\nurl = \"http://127.0.0.1:1\"\nservices = [\"echo.v1.Ecko\"]\n",
            "`upstreams[0].services` names the service echo.v1.Ecko",
        ),
        (
            "[[upstreams]]\nurl = \"http://127.0.0.1:1\"\nservices = [\"echo.v1.Ecko\"]\n",
            "no upstream has the service echo.v1.Echo: add it to `services`",
        ),
        (
            "grpc_also = [\"grpc.health.v1.Healthy\"]",
            "names the service grpc.health.v1.Healthy, which is not there; did you mean `grpc.health.v1.Health`?",
        ),
        (
            "[[http.rules]]\nselector = \"echo.v1.Echo.Git\"\nget = \"/v1\"\n",
            "`http.rules[0].selector`: the rule with selector `echo.v1.Echo.Git` selects no RPC; did you mean \
             `echo.v1.Echo.Get`?",
        ),
        (
            "[[routes]]\nselector = \"*\"\n[[routes]]\nselector = \"echo.v1.Ecko.*\"\n",
            "`routes[1].selector`: the options with selector `echo.v1.Ecko.*` select no RPC; did you mean \
             `echo.v1.Echo.*`?",
        ),
        (two, "`upstreams[1]` (http://127.0.0.1:2) gets no call"),
    ] {
        let config = file("findings", "gateway.toml", config);
        let checked = said(&["check", "--descriptors", descriptors(), "--config", &config]);
        assert_eq!(checked.code, 1, "{}{}", checked.out, checked.err);
        assert!(checked.out.contains(part), "{part}: {}", checked.out);
    }
    // Health and reflection are in no schema, and may be listed.
    let config = file(
        "findings",
        "good.toml",
        "grpc_also = [\"grpc.reflection.v1.ServerReflection\"]\n",
    );
    let checked = said(&["check", "--descriptors", descriptors(), "--config", &config]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
}

#[test]
fn run_warns_of_what_check_finds() {
    let upstream = Upstream::start();
    let config = file("warned", "gateway.toml", "grpc_also = [\"echo.v1.Ecko\"]\n");
    let mut command = binary(&[
        "--upstream",
        &upstream.url,
        "--descriptors",
        descriptors(),
        "--config",
        &config,
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "off",
    ]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.contains("the gateway serves"))
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        said.iter()
            .any(|line| line.contains("`grpc_also` names the service echo.v1.Ecko")),
        "{said:?}"
    );
}

#[test]
fn descriptors_without_a_service_are_refused() {
    let messages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut compiler = protox::Compiler::new([messages]).unwrap();
    compiler
        .include_imports(true)
        .open_files(["google/api/http.proto"])
        .unwrap();
    let messages = file("empty", "messages.binpb", compiler.encode_file_descriptor_set());
    for (descriptors, part) in [
        ("/dev/null", "the descriptor set holds no file"),
        (messages.as_str(), "the descriptor set holds no service"),
    ] {
        for command in ["check", "run", "routes"] {
            let refused = said(&[
                command,
                "--descriptors",
                descriptors,
                "--upstream",
                "http://127.0.0.1:1",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "off",
            ]);
            assert_eq!(refused.code, 3, "{command}: {}{}", refused.out, refused.err);
            assert!(refused.err.contains(part), "{command}: {}", refused.err);
        }
    }
}

#[test]
fn files_that_a_start_would_read_are_read() {
    let config = file(
        "tls",
        "gateway.toml",
        "tls.cert_file = \"/nowhere.pem\"\ntls.key_file = \"/nowhere.pem\"\n",
    );
    let checked = said(&["check", "--descriptors", descriptors(), "--config", &config]);
    assert_eq!(checked.code, 3, "{}{}", checked.out, checked.err);
    assert!(checked.err.contains("/nowhere.pem"), "{}", checked.err);
}

#[cfg(unix)]
#[test]
fn a_file_that_never_ends_is_none() {
    let pipe = folder("endless").join("pipe");
    if !pipe.exists() {
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
    }
    let pipe = pipe.to_str().unwrap();
    let known = ["--descriptors", descriptors()];
    for (endless, part) in [
        (pipe, "it is a pipe, which may never end"),
        ("/dev/zero", "it is larger than "),
    ] {
        let tls = format!("tls.cert_file = {endless:?}\ntls.key_file = {endless:?}\n");
        let tls = file("endless", "tls.toml", tls);
        let roots = format!("[[upstreams]]\nurl = \"https://127.0.0.1:1\"\ntls.ca_file = {endless:?}\n");
        let roots = file("endless", "roots.toml", roots);
        for (arguments, code) in [
            (&["check", "--descriptors", endless][..], 4),
            (&["check", known[0], known[1], "--config", endless], 4),
            (&["check", known[0], known[1], "--config", &tls], 3),
            (&["check", known[0], known[1], "--config", &roots], 3),
        ] {
            let refused = said(arguments);
            assert_eq!(refused.code, code, "{arguments:?}: {}{}", refused.out, refused.err);
            assert!(refused.err.contains(part), "{arguments:?}: {}", refused.err);
        }
    }
}

#[test]
fn a_schema_of_which_nothing_is_served_is_found() {
    let without_rules = echo(
        "nothing",
        &[
            (r#"option (google.api.http) = {get: "/v1/items/{item_id}"};"#, ""),
            (r#"option (google.api.http) = {post: "/v1/items" body: "*"};"#, ""),
        ],
    );
    let descriptors = file("nothing", "echo.binpb", without_rules);
    for (config, code, part) in [
        ("", 1, "nothing is served: no RPC has an HTTP rule"),
        ("rpc_paths = true\n", 0, "3 routes; over gRPC 3 of 3 RPCs"),
        ("grpc = \"all\"\n", 0, "0 routes; over gRPC 3 of 3 RPCs"),
    ] {
        let config = file("nothing", "gateway.toml", config);
        let checked = said(&["check", "--descriptors", &descriptors, "--config", &config]);
        assert_eq!(checked.code, code, "{}{}", checked.out, checked.err);
        assert!(checked.out.contains(part), "{part}: {}", checked.out);
        // A list without a line is no failure, but nobody should have to guess why.
        for form in [&[][..], &["--json"]] {
            let listing = ["routes", "--descriptors", &descriptors, "--config", &config];
            let listed = said(&[&listing[..], form].concat());
            let has_routes = !listed.out.is_empty();
            assert_eq!((listed.code, has_routes), (0, part.starts_with('3')), "{}", listed.out);
            for remedy in ["annotate RPCs", "`http.rules`", "--config", "`rpc_paths = true`"] {
                assert_eq!(listed.err.contains(remedy), !has_routes, "{remedy}: {}", listed.err);
            }
        }
    }
}

#[test]
fn rpcs_are_counted_alike_everywhere() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    let counted = gateway.serves["rpcs"].as_str().unwrap();
    assert_eq!(counted, "2 of 3 RPCs");
    let checked = said(&["check", "--descriptors", descriptors()]);
    assert!(
        checked.out.contains(&format!("2 routes; over gRPC {counted}")),
        "{}",
        checked.out
    );
}
