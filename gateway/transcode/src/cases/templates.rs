//! A: what loads, and what is refused.

use crate::fixture::{load, routes, rule};
use crate::rule::HttpRule;

#[test]
fn grammar() {
    for (id, template, expected) in [
        ("A01", "/shelves/{x}/books/{y}", Ok(())),
        ("A03", "/**", Ok(())),
        ("A03", "/shelves/**", Ok(())),
        ("A03", "/*/a/**", Ok(())),
        ("A04", "/a/{sub.sub.x}", Ok(())),
        ("A06", "/a/{b=c/**}/d/e", Ok(())),
        ("A07", "/a/{b=c/**/d}/e:verb", Ok(())),
        ("A09", "/v1/{name}:b:c", Ok(())),
        ("A10", "/v1/{name=segment/wi:th}", Ok(())),
        ("A12", ":verb", Err("must start with `/`")),
        ("A12", "/:verb", Err("empty segment")),
        ("A12", "/a/:verb", Err("empty segment")),
        ("A12", "/{x}:", Err("empty verb")),
        ("A12", "/*:", Err("empty verb")),
        ("A13", "/{}", Err("not identifiers")),
        ("A13", "/a/{", Err("not closed")),
        ("A13", "/a/{x", Err("not closed")),
        ("A13", "/a/{x.", Err("not closed")),
        ("A15", "/a/{x=/b}", Err("empty segment")),
        ("A16", "/{x=a/{y=b}}", Err("nested")),
        ("A18", "/a/**/*", Err("only literals")),
        ("A18", "/a/**/foo/*", Err("only literals")),
        ("A18", "/a/**/**", Err("only literals")),
        ("A19", "/{1}", Err("not identifiers")),
        ("A19", "/{x.1}", Err("not identifiers")),
        ("A19", "/{-}", Err("not identifiers")),
        ("A19", "/{x-}", Err("not identifiers")),
        ("A21", "/foo/bar/baz?abc=def", Err("unexpected '?'")),
        ("A21", "/foo/bar/baz buzz", Err("unexpected ' '")),
        ("A22", "/{a}/{a}", Err("appears twice")),
        ("A24", "/foo/bar:baz/buzz", Err("unexpected '/'")),
        ("A25", "/foo%2Fbar/%2A", Ok(())),
        ("A27", "/{list}", Err("not a field that a path can hold")),
        ("A27", "/{map}", Err("not a field that a path can hold")),
        ("A27", "/{sub}", Err("not a field that a path can hold")),
        ("A27", "/{time}", Ok(())),
        ("A28", "/{nope}", Err("unknown field `nope`")),
    ] {
        let loaded = routes(&[&format!("GET {template}")]);
        match (loaded, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(expected)) => {
                let source = std::error::Error::source(&error);
                let text = format!("{error} {}", source.map(ToString::to_string).unwrap_or_default());
                assert!(
                    text.contains(expected) && text.contains("shapes.v1.Routes/R0"),
                    "{id}: {text}"
                );
            }
            (Ok(_), Err(_)) => panic!("{id}: {template} loads"),
            (Err(error), Ok(())) => panic!("{id}: {error}"),
        }
    }
    let found = routes(&["GET /foo%2Fbar/%2A"]).unwrap();
    assert!(found.find("GET", "/foo%2fbar/%2a").is_ok(), "A25");
}

#[test]
fn rules() {
    let mut nested = rule("Routes.R0", "GET /a", "");
    nested.additional = vec![rule("Routes.R0", "GET /b", "")];
    nested.additional[0].additional = vec![rule("Routes.R0", "GET /c", "")];
    let mut unknown_answer = rule("Routes.R0", "GET /a", "");
    unknown_answer.response_body = "nope".to_owned();
    for (id, rules, expected) in [
        (
            "A04",
            vec![
                rule("Routes.R0", "GET /a/{sub.x}", ""),
                rule("Routes.R1", "GET /a/{sub.x=*}", ""),
            ],
            "bound twice",
        ),
        (
            "A28",
            vec![rule("Routes.R0", "POST /a", "nope")],
            "body names the unknown field `nope`",
        ),
        (
            "A28",
            vec![unknown_answer],
            "response_body names the unknown field `nope`",
        ),
        ("A30", vec![nested], "additional_bindings cannot be nested"),
        (
            "A31",
            vec![
                rule("Routes.R0", "GET /a/{x}:v", ""),
                rule("Routes.R1", "GET /a/{y}:v", ""),
            ],
            "by shapes.v1.Routes/R0 and by shapes.v1.Routes/R1",
        ),
        ("A33", vec![rule("Nobody.*", "GET /a", "")], "selects no RPC"),
    ] {
        let refusal = load(rules).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{id}: {refusal}");
    }
    // A34: the rule of a selector is that of every RPC that no later one selects.
    let all = rule("Library.*", "POST /all", "*");
    let others = ["GetShelf", "CreateShelf", "GetNamedShelf", "WatchShelves"];
    let others = others.map(|rpc| rule(&format!("Library.{rpc}"), &format!("GET /{rpc}"), ""));
    let rules: Vec<HttpRule> = std::iter::once(all).chain(others).collect();
    let schema = load(rules).unwrap();
    let matched = schema.find("POST", "/all").unwrap();
    assert_eq!(matched.method().full_name(), "shapes.v1.Library/Internal", "A34");
}
