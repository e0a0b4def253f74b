//! Sources over each other, and what is said of mistakes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;

use super::super::keys::{ROUTE_KEYS, UPSTREAM_KEYS};
use super::super::{Grpc, RouteSettings, UpstreamSettings};
use super::*;
use crate::edge::Forwarding;
use crate::reflection::Limits;

/// A file of this name with this text.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("millrace-gateway-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn variable(name: &str, text: &str) -> (String, String) {
    (format!("{PREFIX}{name}"), text.to_owned())
}

#[test]
fn every_default_fits_and_no_key_is_there_twice() {
    let mut settings = Settings::unset();
    for key in keys().filter(|key| !key.default.is_empty()) {
        let set = key.slot.set(&mut settings, &key.slot.parse(key.default));
        assert!(set.is_ok(), "{}: {set:?}", key.name);
    }
    for key in UPSTREAM_KEYS.iter().filter(|key| !key.default.is_empty()) {
        let set = key
            .slot
            .set(&mut UpstreamSettings::unset(), &key.slot.parse(key.default));
        assert!(set.is_ok(), "{}: {set:?}", key.name);
    }
    for key in ROUTE_KEYS.iter().filter(|key| !key.default.is_empty()) {
        let set = key
            .slot
            .set(&mut RouteSettings::default(), &key.slot.parse(key.default));
        assert!(set.is_ok(), "{}: {set:?}", key.name);
    }
    let names: BTreeSet<_> = keys().map(|key| key.name).collect();
    assert_eq!(names.len(), keys().count());
    assert!(
        keys().all(|key| key.about.ends_with('.')),
        "an explanation is a sentence"
    );
}

#[test]
fn the_later_source_wins() {
    let path = file(
        "order.toml",
        "grpc = \"all\"\nlisten = \"127.0.0.1:1\"\n[query]\nignore = [\"a\"]\nunknown = \"ignore\"\n[limits]\nbody_ms = 5\n",
    );
    let environment = [
        variable("LISTEN", "127.0.0.1:2"),
        variable("QUERY__IGNORE", "b, c*"),
        ("OTHER".into(), "x".into()),
    ];
    let loaded = load(Some(&path), environment, [("listen", json!("127.0.0.1:3"))]).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.listen.port(), 3);
    assert_eq!(settings.grpc, Grpc::All);
    assert_eq!(settings.options.query_ignore, ["b", "c*"]);
    assert!(settings.options.query_unknown_ignored);
    assert_eq!(settings.limits.body.as_millis(), 5);
    // Untouched.
    assert_eq!(settings.limits.body_bytes, 1 << 20);
    assert_eq!(settings.admin_listen.map(|address| address.port()), Some(9464));
    for (key, source) in [
        ("listen", "flag"),
        ("query.ignore", "environment MILLRACE_GATEWAY_QUERY__IGNORE"),
        ("grpc", path.to_str().unwrap()),
    ] {
        assert_eq!(loaded.given(key).unwrap().source, source);
    }
    assert!(loaded.given("limits.body_bytes").is_none());
}

#[test]
fn a_service_configuration_is_a_settings_file() {
    let yaml = file(
        "service.yaml",
        "type: google.api.Service\nconfig_version: 3\nname: shop.example.com\ntitle: Shop\napis:\n- name: shop.v1.Shop\n\
         http:\n  rules:\n  - selector: shop.v1.Shop.Get\n    get: /v1/items/{id}\n    additional_bindings:\n    \
         - post: /v1/items:get\n      body: '*'\n",
    );
    let toml = file(
        "service.toml",
        "type = \"google.api.Service\"\nconfig_version = 3\nname = \"shop.example.com\"\ntitle = \"Shop\"\n\
         [[http.rules]]\nselector = \"shop.v1.Shop.Get\"\nget = \"/v1/items/{id}\"\n\
         additional_bindings = [{ post = \"/v1/items:get\", body = \"*\" }]\n",
    );
    let read = |path: &Path| load(Some(path), [], []).unwrap().settings;
    let (yaml, toml) = (read(&yaml), read(&toml));
    assert_eq!(yaml.options.rules, toml.options.rules);
    assert_eq!(yaml.options.rules[0].additional[0].path, "/v1/items:get");
    assert_eq!(yaml.openapi.title, "Shop");
}

#[test]
fn all_mistakes_are_said_at_once() {
    let path = file(
        "mistakes.toml",
        "lisen = \"127.0.0.1:1\"\ngrpc = \"most\"\n[qeury]\nignore = []\n[limits]\nbody_byte = 1\nidle_ms = 0\n\
         [json]\nproto_names = \"yes\"\n[[upstreams]]\nurll = \"http://h\"\n[[routes]]\nbody_bytes = 1\n[tls]\ncert_file = \"c\"\n",
    );
    let error = load(
        Some(&path),
        [variable("GRPCS", "all")],
        [("log.filter", json!("a=loud"))],
    )
    .err()
    .unwrap();
    let text = error.to_string();
    assert!(!error.is_by_flags());
    for part in [
        "unknown setting `lisen`",
        "did you mean `listen`?",
        "unknown setting `qeury`",
        "did you mean `query`?",
        "unknown setting `limits.body_byte`",
        "did you mean `limits.body_bytes`?",
        "setting `grpc`",
        "must be \"annotated\", \"all\" or \"off\"",
        "`limits.idle_ms`",
        "must be a whole number from 1 to 86400000",
        "`json.proto_names`",
        "must be true or false",
        "`upstreams[0].urll`",
        "did you mean `url`?",
        "`routes[0]`",
        "lacks `selector`",
        "`tls.cert_file`",
        "needs `tls.key_file` too",
        "unknown setting `grpcs` (environment MILLRACE_GATEWAY_GRPCS); did you mean `grpc`?",
        "setting `log.filter` (flag) cannot be read",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn what_only_flags_say_is_usage() {
    let error = load(None, [], [("listen", json!("nowhere"))]).err().unwrap();
    assert!(error.is_by_flags(), "{error}");
}

#[test]
fn a_file_that_is_none_is_refused() {
    for (name, text, expected) in [
        ("bad.toml", "listen = ", "is not valid TOML"),
        ("bad.yaml", "a: [", "is not valid YAML"),
        ("list.yaml", "- a\n", "must hold settings by name"),
    ] {
        let error = load(Some(&file(name, text)), [], []).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(load(Some(&file("empty.yaml", "")), [], []).is_ok());
    assert!(load(Some(Path::new("/nowhere.toml")), [], []).is_err());
}

#[test]
fn the_defaults_of_an_upstream_are_those_of_the_library() {
    let mut upstream = UpstreamSettings::unset();
    for key in UPSTREAM_KEYS.iter().filter(|key| !key.default.is_empty()) {
        key.slot.set(&mut upstream, &key.slot.parse(key.default)).unwrap();
    }
    assert_eq!(format!("{upstream:?}"), format!("{:?}", UpstreamSettings::unset()));
}

#[test]
fn upstreams_are_urls_or_tables() {
    let read = |value| load(None, [], [("upstreams", value)]).map(|loaded| loaded.settings.upstreams);
    let two =
        read(json!(["http://a:1", {"url": "https://b:2", "services": ["x.Y"], "tls": {"server_name": "c"}}])).unwrap();
    assert_eq!(two[1].connection.url, "https://b:2");
    assert_eq!(two[1].connection.tls.server_name.as_deref(), Some("c"));
    let of_text = load(None, [variable("UPSTREAMS", "http://a:1, http://b:2")], [])
        .unwrap()
        .settings
        .upstreams;
    assert_eq!(of_text[1].connection.url, "http://b:2");
    for (value, expected) in [
        (
            json!(["http://a:1", {"services": []}]),
            "`upstreams[1]` (flag) lacks `url`",
        ),
        (
            json!([{"url": "http://a", "tls": {"key_file": "k"}}]),
            "`upstreams[0].tls` (flag) needs `cert_file`",
        ),
        (
            json!([{"url": "http://a", "streams": 0}]),
            "`upstreams[0].streams` (flag) must be a whole number",
        ),
    ] {
        let error = read(value).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_route_has_options_of_its_own() {
    let path = file(
        "routes.toml",
        "[[routes]]\nselector = \"a.B.*\"\ndeadline_max_ms = 5\n[routes.json]\nunknown = \"ignore\"\nproto_names = true\n",
    );
    let routes = load(Some(&path), [], []).unwrap().settings.routes;
    let options = &routes[0].options;
    assert_eq!(options.deadline_max.map(|time| time.as_millis()), Some(5));
    assert_eq!(
        (
            options.json_unknown_ignored,
            options.json_proto_names,
            options.json_pretty
        ),
        (Some(true), Some(true), None)
    );
}

#[test]
fn names_and_networks_are_checked_when_they_are_read() {
    let read = |name: &str, text: &str| load(None, [variable(name, text)], []).map(|loaded| loaded.settings);
    let defaults = load(None, [], []).unwrap().settings;
    assert_eq!(
        defaults.forwarding.policy(),
        Forwarding::Rewritten { trusted: Vec::new() }
    );
    assert_eq!(defaults.limits.uri_bytes, 8 << 10);
    assert_eq!(defaults.limits.stream_silence.as_secs(), 300);
    assert_eq!(
        format!("{:?}", defaults.reflection.limits),
        format!("{:?}", Limits::default())
    );
    let trailers = read("RESPONSE_TRAILERS", "X-Sum, x-count").unwrap().response_trailers;
    assert_eq!(trailers, ["x-sum", "x-count"]);
    assert_eq!(
        read("FORWARDING__TRUSTED", "10.0.0.0/8,::1")
            .unwrap()
            .forwarding
            .trusted
            .len(),
        2
    );
    for (name, text, expected) in [
        (
            "FORWARDING__TRUSTED",
            "10.0.0.0/8,10.0.0.0/33",
            "is wrong: `10.0.0.0/33` is no network",
        ),
        ("RESPONSE_TRAILERS", "x y", "\"x y\" is no header name"),
        ("FORWARDING__TRUSTED", "[1]", "must be a list"),
    ] {
        let error = read(name, text).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_key_in_two_forms_is_refused_whichever_would_win() {
    for (name, text, expected) in [
        (
            "twice.yaml",
            "json: {unknown: reject}\njson.unknown: ignore\n",
            "setting `json.unknown` (FILE) is given twice, as `unknown` in section `json` and as `json.unknown`",
        ),
        (
            "twice.toml",
            "\"json.unknown\" = \"ignore\"\n[json]\nunknown = \"reject\"\n",
            "setting `json.unknown` (FILE) is given twice, as `unknown` in section `json` and as `json.unknown`",
        ),
        (
            "twice-in-a-route.toml",
            "[[routes]]\nselector = \"a.B.C\"\n\"json.unknown\" = \"ignore\"\njson.unknown = \"reject\"\n",
            "`routes[0].json.unknown` (FILE) is given twice, as `unknown` in section `json` and as `json.unknown`",
        ),
        (
            "twice-in-an-upstream.yaml",
            "upstreams: [{url: 'http://h:1', tls: {server_name: a}, tls.server_name: b}]\n",
            "`upstreams[0].tls.server_name` (FILE) is given twice",
        ),
        (
            "case.yaml",
            "json: {unknown: reject, Unknown: ignore}\n",
            "unknown setting `json.Unknown`",
        ),
        (
            "same.yaml",
            "json: {}\njson: {unknown: ignore}\n",
            "a name that is there already, at line 1, column 1",
        ),
        ("same.toml", "[json]\n[json]\nunknown = \"ignore\"\n", "duplicate key"),
    ] {
        let path = file(name, text);
        let error = load(Some(&path), [], []).err().unwrap_or_else(|| panic!("{name}"));
        let said = error.to_string().replace(path.to_str().unwrap(), "FILE");
        assert!(said.contains(expected), "{name}: {said}");
    }
    let environment = [variable("JSON__UNKNOWN", "reject"), variable("Json__Unknown", "ignore")];
    let said = load(None, environment, []).err().unwrap().to_string();
    let both = ["MILLRACE_GATEWAY_JSON__UNKNOWN", "MILLRACE_GATEWAY_Json__Unknown"];
    assert!(both.iter().all(|name| said.contains(name)), "{said}");
    assert!(
        said.contains("`json.unknown`") && said.contains("unset one of them"),
        "{said}"
    );
}
