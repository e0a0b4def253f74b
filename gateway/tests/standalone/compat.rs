//! The profiles of `compat` from outside: each table of `docs/coming-from.md` says what its profile sets, and what a
//! profile lets through is let through.

use std::collections::BTreeMap;

use crate::support::{Answer, Gateway, Upstream, file, said};

const PAGE: &str = include_str!("../../../docs/coming-from.md");

/// The profiles, and how the head of their table begins.
const PROFILES: [(&str, &str); 2] = [
    ("grpc-gateway", "| grpc-gateway | here |"),
    ("envoy", "| Envoy | here |"),
];

/// What stands in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The rows of a table: what the option is here, and what the profile sets.
fn rows(head: &str) -> Vec<(&'static str, &'static str)> {
    let (_, table) = PAGE.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        (cells[2].trim(), cells.get(3).map_or("", |cell| cell.trim()))
    })
    .collect()
}

/// The settings that a profile changes, by the listing.
fn changed(profile: &str) -> BTreeMap<String, String> {
    let config = file(
        "compat",
        &format!("{profile}.toml"),
        format!("compat = \"{profile}\"\n"),
    );
    let listed = said(&["config", "--config", &config]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    let mark = format!("  # compat {profile}");
    let lines = listed.out.lines().filter_map(|line| line.split_once(&mark));
    lines
        .map(|(line, _)| {
            let (key, value) = line.split_once(" = ").unwrap();
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn the_page_says_what_a_profile_sets() {
    for (profile, head) in PROFILES {
        let changed = changed(profile);
        let rows = rows(head);
        assert!(!changed.is_empty() && rows.len() > 5, "{profile}");
        for (here, set) in &rows {
            let Some((key, value)) = quoted(here).next().and_then(|setting| setting.split_once(" = ")) else {
                continue;
            };
            let expected = match quoted(set).next() {
                Some(word) => Some(format!("{word:?}")),
                None => (*set == "yes").then(|| value.to_owned()),
            };
            assert_eq!(changed.get(key), expected.as_ref(), "{profile}: {here}");
        }
        for key in changed.keys() {
            let is_told = |(here, set): &(&str, &str)| {
                !set.is_empty() && quoted(here).any(|setting| setting.starts_with(&format!("{key} = ")))
            };
            assert!(
                rows.iter().any(is_told),
                "{profile} sets {key}, and the page does not say so"
            );
        }
    }
}

#[test]
fn the_page_names_settings_that_there_are() {
    let reference = said(&["config", "--markdown"]).out;
    let named = PAGE.lines().filter(|line| line.starts_with('|'));
    let settings = named.flat_map(quoted).filter_map(|text| text.split_once(" = "));
    let mut count = 0;
    for (key, _) in settings {
        assert!(reference.contains(&format!("\n| `{key}` |")), "{key}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

const RULES: &str = "
http:
  rules:
  - selector: echo.v1.Echo.Hidden
    get: /v1/files/{title=**}
    additional_bindings:
    - get: /v1/named/{title}/whole
";

/// A request, and what comes of it by default, as grpc-gateway and as Envoy: the body, or the status of a refusal.
type Row = (&'static str, &'static str, [&'static str; 3]);

#[rustfmt::skip]
const REQUESTS: &[Row] = &[
    // query.unknown
    ("GET /v1/items/7?colour=red", "", ["400", r#"{"itemId":"7","title":""}"#, r#"{"itemId":"7"}"#]),
    // json.unknown
    ("POST /v1/items", r#"{"itemId":7,"colour":{}}"#, ["400", r#"{"itemId":"7","title":""}"#, r#"{"itemId":"7"}"#]),
    // query.body_bound, query.with_body, query.plus
    ("POST /v1/items?title=a+b", r#"{"itemId":7}"#, [
        "400", r#"{"itemId":"7","title":""}"#, r#"{"itemId":"7","title":"a+b"}"#,
    ]),
    // body.unbound
    ("GET /v1/items/7", "{}", ["400", r#"{"itemId":"7","title":""}"#, r#"{"itemId":"7"}"#]),
    // path.bound
    ("GET /v1/items/7?item_id=9", "", ["400", r#"{"itemId":"7","title":""}"#, r#"{"itemId":"7"}"#]),
    // path.trailing_slash
    ("GET /v1/items/7/", "", ["404", "404", r#"{"itemId":"7"}"#]),
    // path.decoding
    ("GET /v1/files/a%2Fb%2B%7E", "", [
        r#"{"itemId":"0","title":"a%2Fb+~"}"#, r#"{"itemId":"0","title":"a/b+~"}"#, r#"{"title":"a%2Fb%2B~"}"#,
    ]),
    // path.empty_segments
    ("GET /v1/named//whole", "", ["404", r#"{"itemId":"0","title":""}"#, "404"]),
    // What no profile loosens.
    ("GET /v1/items/7?title=a&title=b", "", ["400", "400", "400"]),
    ("POST /v1/items", r#"{"itemId":7,}"#, ["400", "400", "400"]),
    ("POST /v1/items", r#"{"itemId":7}{}"#, ["400", "400", "400"]),
    ("POST /v1/items", r#"{"title":"a","title":"b"}"#, ["400", "400", "400"]),
    ("GET /v1/items/0x10", "", ["400", "400", "400"]),
    ("DELETE /v1/items/7", "", ["405", "405", "405"]),
];

#[test]
fn a_profile_lets_through_what_it_names() {
    let upstream = Upstream::start();
    for (index, profile) in ["off", "grpc-gateway", "envoy"].into_iter().enumerate() {
        let config = format!("compat: \"{profile}\"\n{RULES}");
        let config = file("compat", &format!("{profile}.yaml"), config);
        let gateway = Gateway::start(&upstream, &["--config", &config]);
        for (request, body, expected) in REQUESTS {
            let (method, path) = request.split_once(' ').unwrap();
            let answer = Answer::to(gateway.address, method, path, body);
            let status = answer.status.to_string();
            let got = if answer.status == 200 { &answer.body } else { &status };
            assert_eq!(got, expected[index], "{profile}: {request} {body}\n{}", answer.body);
        }
        Answer::with_header(gateway.address, "/v1/items/7", "Grpc-Metadata-Foo: v");
        let foo = (profile == "grpc-gateway").then_some("v");
        assert_eq!(upstream.last_header("foo").as_deref(), foo, "{profile}");
    }
}
