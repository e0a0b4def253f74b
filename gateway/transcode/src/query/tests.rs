//! Queries into a kitchen sink, and beside paths and bodies.

use crate::fixture::{bound, load, load_with, rule};
use crate::settings::Options;

fn ok(expected: &str) -> Result<String, String> {
    Ok(expected.to_owned())
}

/// Binds queries to a sink; an expectation that is no object is a part of the refusal.
fn check(cases: &[(&str, &str)]) {
    let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
    for (query, expected) in cases {
        match bound(&schema, "GET", &format!("/sink?{query}"), "") {
            Ok(message) => assert_eq!(message, *expected, "{query}"),
            Err(refusal) if !expected.starts_with('{') => assert!(refusal.contains(expected), "{query}: {refusal}"),
            Err(refusal) => panic!("{query}: {refusal}"),
        }
    }
}

#[test]
fn scalars() {
    check(&[
        ("", "{}"),
        ("&&s=a", r#"{"s":"a"}"#),
        (
            "i32=-2&i64=-1&u32=4&u64=3&f32=1.5&f64=2.5&b=true&s=str&k=1",
            r#"{"i32":-2,"i64":"-1","u32":4,"u64":"3","f32":1.5,"f64":2.5,"b":true,"s":"str","k":"HORROR"}"#,
        ),
        ("b=1", r#"{"b":true}"#),
        ("b=0", "{}"),
        ("b=t", "neither true nor false"),
        ("b=TRUE", "neither true nor false"),
        ("k=CHILDREN", r#"{"k":"CHILDREN"}"#),
        ("k=99", r#"{"k":99}"#),
        ("k=children", "did you mean CHILDREN?"),
        (
            "r_k=HORROR&r_k=2&r_k=0",
            r#"{"rK":["HORROR","CHILDREN","KIND_UNSPECIFIED"]}"#,
        ),
        ("by=Ynl0ZXM=", r#"{"by":"Ynl0ZXM="}"#),
        ("by=Ynl0ZXM", r#"{"by":"Ynl0ZXM="}"#),
        ("by=YWJjMTIzIT8kKiYoKSctPUB-", r#"{"by":"YWJjMTIzIT8kKiYoKSctPUB+"}"#),
        ("by=!", "not base64"),
        ("r_s=a&r_s=b&r_s=c", r#"{"rS":["a","b","c"]}"#),
        ("s=Hello+world&r_s=%2B+%20", r#"{"s":"Hello world","rS":["+  "]}"#),
        ("s", "{}"),
        ("s=", "{}"),
        ("opt_s", r#"{"optS":""}"#),
        ("i32=", "not an integer"),
        ("=x", "unknown query parameter"),
        ("s=a;b&r_s=c;d", r#"{"s":"a;b","rS":["c;d"]}"#),
        ("s=%zz", "malformed percent-encoding"),
        ("s=a&s=b", "s: given twice"),
        ("s=a&S=b", "unknown query parameter"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("i32=1.0", r#"{"i32":1}"#),
        ("i32=1e2", r#"{"i32":100}"#),
        ("i32=120e-1", r#"{"i32":12}"#),
        ("i32=-2147483648", r#"{"i32":-2147483648}"#),
        ("i32=1.5", "not an integer"),
        ("i32=1e-1", "not an integer"),
        ("i32=2147483648", "not between"),
        ("i32=1e999999999999", "not between"),
        ("i32=0e999999999999", "{}"),
        ("i32=1e-999999999999", "not an integer"),
        ("i32=0x10", "not an integer"),
        ("i32=010", "not an integer"),
        ("i32=+1", "not an integer"),
        ("i32=%201", "not an integer"),
        ("u32=-1", "not between"),
        ("u32=-0", "{}"),
        (
            "u32=4294967295&u64=18446744073709551615",
            r#"{"u32":4294967295,"u64":"18446744073709551615"}"#,
        ),
        ("u64=18446744073709551616", "not between"),
        ("i64=-9223372036854775808", r#"{"i64":"-9223372036854775808"}"#),
        ("f64=NaN", r#"{"f64":"NaN"}"#),
        ("f64=-Infinity", r#"{"f64":"-Infinity"}"#),
        ("f64=inf", "not a number"),
        ("f64=1e400", "out of range"),
        ("f32=3.5e38", "out of range"),
        ("f32=3.4028235e38", r#"{"f32":3.4028235e+38}"#),
    ]);
}

#[test]
fn well_known_types() {
    check(&[
        (
            "ts=2016-12-15T12:23:32.000000049Z",
            r#"{"ts":"2016-12-15T12:23:32.000000049Z"}"#,
        ),
        ("ts=0000-01-01T00:00:00Z", "ts: "),
        ("ts=null", "ts: not a timestamp"),
        ("dur=null", "dur: not a duration"),
        ("dur=1.5s", r#"{"dur":"1.500s"}"#),
        ("fm=fooBar,baz.quxQuux", r#"{"fm":"fooBar,baz.quxQuux"}"#),
        (
            "w_i64=-1&w_s=&w_b=false&w_by=Ynl0ZXM=",
            r#"{"wI64":"-1","wS":"","wB":false,"wBy":"Ynl0ZXM="}"#,
        ),
        ("st=%7B%22a%22:%7B%22b%22:1%7D%7D", r#"{"st":{"a":{"b":1}}}"#),
        ("va=%22%22", r#"{"va":""}"#),
        ("va=[]", r#"{"va":[]}"#),
        ("va=0", r#"{"va":0}"#),
        ("va=true", r#"{"va":true}"#),
        ("va=null", r#"{"va":null}"#),
        ("va=text", "not JSON"),
        ("st=[]", "expected an object"),
        ("any=x", "cannot be given as text"),
        ("nested=x", "cannot be given as text"),
        ("ts.seconds=1", "as a whole"),
    ]);
}

#[test]
fn maps_and_messages() {
    check(&[
        ("m_ss[key]=v&m_ss[fourth]=", r#"{"mSs":{"fourth":"","key":"v"}}"#),
        (
            "m_i32s[-2]=v&m_bs[true]=v",
            r#"{"mI32s":{"-2":"v"},"mBs":{"true":"v"}}"#,
        ),
        ("m_ss.key=v&m_ss.a.b=w", r#"{"mSs":{"a.b":"w","key":"v"}}"#),
        ("m_ss[~!@%23$%25^%26*()]=v", r##"{"mSs":{"~!@#$%^&*()":"v"}}"##),
        ("m_ss[a]=1&m_ss[a]=2", "key given twice"),
        ("m_ss=1", "takes a key"),
        ("m_ss[a=1", "takes a key"),
        ("m_i32s[x]=v", "not an integer"),
        ("m_bs[yes]=v", "neither true nor false"),
        ("m_sm[k]=v", "cannot be given as text"),
        (
            "nested.nested.m_ss[first]=foo",
            r#"{"nested":{"nested":{"mSs":{"first":"foo"}}}}"#,
        ),
        ("o_s=x", r#"{"oS":"x"}"#),
        ("oS=x", r#"{"oS":"x"}"#),
        ("o_s=x&o_b=true", "excluded by `o_s`"),
        ("o_m.i64=-1&o_m.s=foo", r#"{"oM":{"i64":"-1","s":"foo"}}"#),
        ("o_m.s=foo&o_s=x", "excluded by `o_m`"),
        ("o_s=x&o_m.s=foo", "excluded by `o_s`"),
        ("r_m.theme=1", "cannot reach into a repeated field"),
        ("s.x=1", "a scalar has no fields"),
        ("s[x]=1", "not a map"),
        ("nested.tehme=1", "has no field"),
        ("nested.=1", "has no field"),
        ("Fancy=x", r#"{"Fancy":"x"}"#),
        ("json_named=x", r#"{"Fancy":"x"}"#),
        ("jsonNamed=x", "unknown query parameter"),
    ]);
    check(&[
        (&format!("{}s=x", "nested.".repeat(65)), "nested too deep"),
        (&vec!["r_s=x"; 2_000].join("&"), "more than 1000 parameters"),
        (
            &vec!["r_s=x"; 1_000].join("&"),
            &format!("{{\"rS\":[{}]}}", vec!["\"x\""; 1_000].join(",")),
        ),
    ]);
}

#[test]
fn a_long_query_is_414() {
    let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
    let query = format!("s={}", "x".repeat(64 * 1024));
    let error = schema
        .find("GET", "/sink")
        .unwrap()
        .bind(Some(&query), b"", &Default::default())
        .unwrap_err();
    assert_eq!((error.code, error.http_status), (3, Some(414)));
}

#[test]
fn unknown_parameters() {
    let rules = vec![rule("Library.GetShelf", "GET /shelves/{shelf}", "")];
    let strict = load(rules.clone()).unwrap();
    let refusal = bound(&strict, "GET", "/shelves/100?veiw=x", "").unwrap_err();
    for part in ["veiw: ", "did you mean `view`?"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    assert_eq!(bound(&strict, "GET", "/shelves/100?", ""), ok(r#"{"shelf":"100"}"#));

    let query_ignore = vec!["key".to_owned(), "utm_*".to_owned()];
    let listed = load_with(Options {
        rules: rules.clone(),
        query_ignore,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(
        bound(&listed, "GET", "/shelves/100?key=secret&utm_source=a", ""),
        ok(r#"{"shelf":"100"}"#)
    );
    assert!(bound(&listed, "GET", "/shelves/100?keys=secret", "").is_err());

    let ignoring = load_with(Options {
        rules,
        query_unknown_ignored: true,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(
        bound(&ignoring, "GET", "/shelves/100?anything=x", ""),
        ok(r#"{"shelf":"100"}"#)
    );
}

#[test]
fn the_path_is_not_overridden() {
    let rules = vec![
        rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
        rule("Shapes.Sink", "GET /sink/{o_s}", ""),
    ];
    let schema = load(rules).unwrap();
    for (target, expected) in [
        ("/shelves/100?shelf=9999", "shelf: bound by the path"),
        ("/shelves/100?shelf=100", "shelf: bound by the path"),
        ("/shelves/abc", "shelf: \"abc\" is not an integer"),
        ("/sink/x?o_b=true", "o_b: excluded by `o_s`"),
        ("/sink/x?oS=y", "o_s: bound by the path"),
    ] {
        let refusal = bound(&schema, "GET", target, "").unwrap_err();
        assert!(refusal.starts_with(expected), "{target}: {refusal}");
    }
}

#[test]
fn beside_a_body() {
    let rules = vec![
        rule("Shapes.PutBook", "PUT /shelves/{shelf}/books", "book"),
        rule("Shapes.Sink", "POST /sink", "*"),
    ];
    let schema = load(rules.clone()).unwrap();
    let put = "/shelves/1/books?request_id=7";
    assert_eq!(
        bound(&schema, "PUT", put, r#"{"author":"L"}"#),
        ok(r#"{"shelf":"1","book":{"author":"L"},"requestId":"7"}"#)
    );
    for (method, target, expected) in [
        ("PUT", "/shelves/1/books?book.title=x", "book.title: bound by the body"),
        ("POST", "/sink?s=x", "the body is the whole request"),
    ] {
        let refusal = bound(&schema, method, target, "{}").unwrap_err();
        assert!(refusal.contains(expected), "{target}: {refusal}");
    }
    let with_body = load_with(Options {
        rules,
        query_with_body: true,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(
        bound(&with_body, "POST", "/sink?s=x", r#"{"i32":1}"#),
        ok(r#"{"i32":1,"s":"x"}"#)
    );
    assert!(
        bound(&with_body, "POST", "/sink?s=x", r#"{"s":"y"}"#)
            .unwrap_err()
            .contains("query binds")
    );
}
