//! C: query parameters.

use crate::case::{Call, Case, Setup, ask, case, get, query, rule, sink, sunk};

#[tokio::test]
async fn queries() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = policies();
    cases.extend(scalars());
    cases.extend(well_known());
    cases.extend(maps_and_messages());
    cases.extend(forms());
    cases
}

fn get_shelf() -> Setup {
    rule("GetShelf", "GET /shelves/{shelf}", "").into()
}

fn put_book() -> Setup {
    rule("PutBook", "PUT /shelves/{shelf}/books", "book").into()
}

/// Refused, with the name of the parameter.
fn bad(text: &str) -> Call {
    let name = text.split('=').next().unwrap_or_default();
    query(text).refuses_field(name)
}

fn put(query: &str, body: &str) -> Call {
    ask("PUT", format!("/shelves/1/books?{query}")).body(body)
}

fn policies() -> Vec<Case> {
    let ignored = get_shelf().with(|options| options.query_unknown_ignored = true);
    let listed = get_shelf().with(|options| options.query_ignore = vec!["key".to_owned()]);
    let filling = || put_book().with(|options| options.query_in_body_field = true);
    vec![
        case("C01", get_shelf(), [get("/shelves/100?").sends("shelf: 100")]),
        case(
            "C03",
            ignored,
            [get("/shelves/100?unknown=1&foo.bar=2").sends("shelf: 100")],
        ),
        case(
            "C04",
            listed,
            [
                get("/shelves/100?key=secret").sends("shelf: 100"),
                get("/shelves/100?keys=secret").refuses_field("keys"),
            ],
        ),
        case(
            "C06",
            put_book(),
            [put("request_id=7", r#"{"author":"L"}"#).sends("shelf: 1 request_id: '7' book { author: 'L' }")],
        ),
        case(
            "C07",
            filling(),
            [put("book.title=War%20%26%20Peace", r#"{"author":"L"}"#)
                .sends("shelf: 1 book { author: 'L' title: 'War & Peace' }")],
        ),
        case(
            "C09",
            filling(),
            [put("book.quotes=a&book.quotes=b", r#"{"quotes":["c"]}"#)
                .sends("shelf: 1 book { quotes: ['c', 'a', 'b'] }")],
        ),
    ]
}

fn scalars() -> Vec<Case> {
    vec![
        sunk(
            "C10",
            [query("i32=-2&i64=-1&u32=4&u64=3&f32=1.5&f64=2.5&b=true&s=str&k=1")
                .sends("i32: -2 i64: -1 u32: 4 u64: 3 f32: 1.5 f64: 2.5 b: true s: 'str' k: HORROR")],
        ),
        sunk(
            "C12",
            [
                query("k=CHILDREN").sends("k: CHILDREN"),
                query("r_k=HORROR&r_k=2&r_k=0").sends("r_k: [HORROR, CHILDREN, KIND_UNSPECIFIED]"),
            ],
        ),
        sunk("C13", [query("k=children").refuses_field("k")]),
        case(
            "C13",
            sink().with(|options| options.json_enums_any_case = true),
            [query("k=children").sends("k: CHILDREN")],
        ),
        sunk(
            "C15",
            [
                query("by=Ynl0ZXM=").sends("by: 'bytes'"),
                query("by=YWJjMTIzIT8kKiYoKSctPUB-").sends(r#"by: "abc123!?$*&()'-=@~""#),
                query("by=Ynl0ZXM").sends("by: 'bytes'"),
            ],
        ),
        sunk("C16", [query("r_s=a&r_s=b&r_s=c").sends("r_s: ['a', 'b', 'c']")]),
        sunk(
            "C36",
            [
                query("i32=1.0").sends("i32: 1"),
                query("i32=1e2").sends("i32: 100"),
                bad("i32=1.5"),
                bad("i32=2147483648"),
                bad("i32=0x10"),
                bad("i32=010"),
                bad("i32=+1"),
                bad("i32=%201"),
            ],
        ),
        sunk(
            "C37",
            [query("u32=4294967295&u64=18446744073709551615").sends("u32: 4294967295 u64: 18446744073709551615")],
        ),
        sunk(
            "C43",
            [
                query("Fancy=x").sends("json_named: 'x'"),
                query("json_named=x").sends("json_named: 'x'"),
                query("jsonNamed=x").refuses_field("jsonNamed"),
            ],
        ),
    ]
}

fn well_known() -> Vec<Case> {
    vec![
        sunk("C18", [
            query("ts=2016-12-15T12:23:32.000000049Z").sends("ts { seconds: 1481804612 nanos: 49 }"),
        ]),
        sunk("C19", [bad("ts=0000-01-01T00:00:00Z"), bad("ts=null"), bad("dur=null")]),
        sunk("C21", [query("fm=fooBar,baz.quxQuux").sends("fm { paths: ['foo_bar', 'baz.qux_quux'] }")]),
        sunk("C22", [query("w_i64=-1&w_s=&w_b=false&w_by=Ynl0ZXM=").sends(
            "w_i64 { value: -1 } w_s {} w_b {} w_by { value: 'bytes' }",
        )]),
        sunk("C33", [
            query("st=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D").sends(
                "st { fields { key: 'a' value { struct_value { fields { key: 'b' value { number_value: 1 } } } } } }",
            ),
            query("va=%22%22").sends("va { string_value: '' }"),
            query("va=%5B%5D").sends("va { list_value {} }"),
            query("va=0").sends("va { number_value: 0 }"),
            query("va=true").sends("va { bool_value: true }"),
        ]),
        sunk("C34", [query("any=x").refuses_field("any")]),
    ]
}

fn maps_and_messages() -> Vec<Case> {
    let deep = format!("{}i32=1", "nested.".repeat(65));
    vec![
        sunk(
            "C24",
            [
                query("m_ss[key]=v&m_ss[fourth]=&m_i32s[-2]=v&m_bs[true]=v").sends(
                    "m_ss { key: 'key' value: 'v' } m_ss { key: 'fourth' value: '' } m_i32s { key: -2 value: 'v' }
                 m_bs { key: true value: 'v' }",
                ),
                query("m_sm[k]=v").refuses_field("m_sm"),
            ],
        ),
        sunk(
            "C25",
            [query("m_ss[~!@%23$%25^%26*()]=v").sends("m_ss { key: '~!@#$%^&*()' value: 'v' }")],
        ),
        sunk(
            "C27",
            [
                query("nested.nested.m_ss[first]=foo")
                    .sends("nested { nested { m_ss { key: 'first' value: 'foo' } } }"),
            ],
        ),
        sunk(
            "C28",
            [query("o_s=x").sends("o_s: 'x'"), query("oS=x").sends("o_s: 'x'")],
        ),
        sunk("C30", [query("o_m.i64=-1&o_m.s=foo").sends("o_m { i64: -1 s: 'foo' }")]),
        sunk("C31", [query("r_m.theme=1").refused(400, "repeated")]),
        sunk("C45", [query(&deep).refused(400, "deep")]),
    ]
}

fn forms() -> Vec<Case> {
    let many = vec!["r_s=1"; 2_000].join("&");
    // The longest target that an HTTP library reads is 65,534 bytes.
    let long = format!("s={}", "x".repeat(65_000));
    vec![
        sunk(
            "C39",
            [query("s=Hello+world&r_s=%2B+%20").sends("s: 'Hello world' r_s: '+  '")],
        ),
        sunk(
            "C40",
            [
                query("s").sends(""),
                query("s=").sends(""),
                query("opt_s").sends("opt_s: ''"),
                bad("i32="),
                query("=x").refused(400, "unknown query parameter"),
                query("&&s=a").sends("s: 'a'"),
            ],
        ),
        sunk("C42", [query("s=a;b&r_s=c;d").sends("s: 'a;b' r_s: 'c;d'")]),
        case(
            "C46",
            sink().long_uris(),
            [
                query(&many).refused(400, "parameters"),
                query(&long).refused(414, "longer"),
            ],
        ),
    ]
}
