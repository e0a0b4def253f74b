//! C: queries, in the strict profile and with the option that a case names.

use super::check;
use crate::fixture::{load, load_with, rule};
use crate::settings::Options;

#[test]
fn a_kitchen_sink() {
    let sink = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
    let deep = format!("{}i32=1", "nested.".repeat(65));
    let many = vec!["r_s=x"; 2_000].join("&");
    let long = format!("s={}", "x".repeat(64 * 1024));
    let all = "i32=-2&i64=-1&u32=4&u64=3&f32=1.5&f64=2.5&b=true&s=str&k=1";
    for (id, query, expected) in [
        (
            "C10",
            all,
            r#"{"i32":-2,"i64":"-1","u32":4,"u64":"3","f32":1.5,"f64":2.5,"b":true,"s":"str","k":"HORROR"}"#,
        ),
        ("C12", "k=CHILDREN", r#"{"k":"CHILDREN"}"#),
        (
            "C12",
            "r_k=HORROR&r_k=2&r_k=0",
            r#"{"rK":["HORROR","CHILDREN","KIND_UNSPECIFIED"]}"#,
        ),
        ("C13", "k=children", "is not a value of shapes.v1.Kind"),
        ("C15", "by=Ynl0ZXM=", r#"{"by":"Ynl0ZXM="}"#),
        (
            "C15",
            "by=YWJjMTIzIT8kKiYoKSctPUB-",
            r#"{"by":"YWJjMTIzIT8kKiYoKSctPUB+"}"#,
        ),
        ("C15", "by=Ynl0ZXM", r#"{"by":"Ynl0ZXM="}"#),
        ("C16", "r_s=a&r_s=b&r_s=c", r#"{"rS":["a","b","c"]}"#),
        (
            "C18",
            "ts=2016-12-15T12:23:32.000000049Z",
            r#"{"ts":"2016-12-15T12:23:32.000000049Z"}"#,
        ),
        ("C19", "ts=0000-01-01T00:00:00Z", "ts: "),
        ("C19", "ts=null", "ts: "),
        ("C19", "dur=null", "dur: "),
        ("C21", "fm=fooBar,baz.quxQuux", r#"{"fm":"fooBar,baz.quxQuux"}"#),
        (
            "C22",
            "w_i64=-1&w_s=&w_b=false&w_by=Ynl0ZXM=",
            r#"{"wI64":"-1","wS":"","wB":false,"wBy":"Ynl0ZXM="}"#,
        ),
        (
            "C24",
            "m_ss[key]=v&m_ss[fourth]=&m_i32s[-2]=v&m_bs[true]=v",
            r#"{"mSs":{"fourth":"","key":"v"},"mI32s":{"-2":"v"},"mBs":{"true":"v"}}"#,
        ),
        ("C24", "m_sm[k]=x", "cannot be given as text"),
        ("C25", "m_ss[~!@%23$%25^%26*()]=v", r##"{"mSs":{"~!@#$%^&*()":"v"}}"##),
        (
            "C27",
            "nested.nested.m_ss[first]=foo",
            r#"{"nested":{"nested":{"mSs":{"first":"foo"}}}}"#,
        ),
        ("C28", "o_s=x", r#"{"oS":"x"}"#),
        ("C28", "oS=x", r#"{"oS":"x"}"#),
        ("C30", "o_m.i64=-1&o_m.s=foo", r#"{"oM":{"i64":"-1","s":"foo"}}"#),
        ("C31", "r_m.theme=1", "cannot reach into a repeated field"),
        ("C33", "st=%7B%22a%22:%7B%22b%22:1%7D%7D", r#"{"st":{"a":{"b":1}}}"#),
        ("C33", "va=%22%22", r#"{"va":""}"#),
        ("C33", "va=[]", r#"{"va":[]}"#),
        ("C33", "va=0", r#"{"va":0}"#),
        ("C33", "va=true", r#"{"va":true}"#),
        ("C34", "any=x", "cannot be given as text"),
        ("C36", "i32=1.0", r#"{"i32":1}"#),
        ("C36", "i32=1e2", r#"{"i32":100}"#),
        ("C36", "i32=1.5", "not an integer"),
        ("C36", "i32=2147483648", "not between"),
        ("C36", "i32=0x10", "not an integer"),
        ("C36", "i32=010", "not an integer"),
        ("C36", "i32=%201", "not an integer"),
        (
            "C37",
            "u32=4294967295&u64=18446744073709551615",
            r#"{"u32":4294967295,"u64":"18446744073709551615"}"#,
        ),
        (
            "C39",
            "s=Hello+world&r_s=%2B+%20",
            r#"{"s":"Hello world","rS":["+  "]}"#,
        ),
        ("C40", "opt_s", r#"{"optS":""}"#),
        ("C40", "opt_s=", r#"{"optS":""}"#),
        ("C40", "i32=", "not an integer"),
        ("C40", "=x", "unknown query parameter"),
        ("C40", "&&s=a", r#"{"s":"a"}"#),
        ("C42", "s=a;b&r_s=c;d", r#"{"s":"a;b","rS":["c;d"]}"#),
        ("C43", "Fancy=x", r#"{"Fancy":"x"}"#),
        ("C43", "json_named=x", r#"{"Fancy":"x"}"#),
        ("C43", "jsonNamed=x", "unknown query parameter"),
        ("C45", &deep, "nested too deep"),
        ("C46", &many, "more than 1000 parameters"),
        ("C46", &long, "longer than"),
    ] {
        check(&sink, &[(id, &format!("GET /sink?{query}"), "", expected)]);
    }
    // C39's option, C13's option, C07 and C09 are with the options (`settings`); C48 is a form.
}

#[test]
fn beside_paths_and_bodies() {
    let rules = || {
        vec![
            rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
            rule("Shapes.PutBook", "PUT /shelves/{shelf}/books", "book"),
        ]
    };
    let strict = load(rules()).unwrap();
    check(
        &strict,
        &[
            ("C01", "GET /shelves/100?", "", r#"{"shelf":"100"}"#),
            ("C02", "GET /shelves/100?unknown=1", "", "unknown query parameter"),
            (
                "C06",
                "PUT /shelves/1/books?request_id=7",
                r#"{"author":"L"}"#,
                r#"{"shelf":"1","book":{"author":"L"},"requestId":"7"}"#,
            ),
        ],
    );
    let ignoring = load_with(Options {
        rules: rules(),
        query_unknown_ignored: true,
        ..Options::default()
    });
    let target = "GET /shelves/100?unknown=1";
    check(&ignoring.unwrap(), &[("C03", target, "", r#"{"shelf":"100"}"#)]);
    let listing = load_with(Options {
        rules: rules(),
        query_ignore: vec!["key".to_owned()],
        ..Options::default()
    });
    let target = "GET /shelves/100?key=secret";
    check(&listing.unwrap(), &[("C04", target, "", r#"{"shelf":"100"}"#)]);
}
