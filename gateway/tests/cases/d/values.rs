//! D: values in bodies.

use super::shelf;
use crate::case::{Call, Case, case, post, sink, sunk};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = presence();
    cases.extend(scalars());
    cases.extend(well_known());
    cases
}

fn to_sink(body: &str, sends: &str) -> Call {
    post("/sink", body).sends(sends)
}

/// Refused, with the path of the field.
fn bad_field(field: &str, body: &str) -> Call {
    post("/sink", body).refuses_field(field)
}

fn presence() -> Vec<Case> {
    vec![
        case(
            "D21",
            shelf(),
            [post("/shelf", r#"{"theme":null,"id":null,"kind":null}"#).sends("")],
        ),
        sunk(
            "D22",
            [
                to_sink(r#"{"r_s":null}"#, ""),
                bad_field("r_s[0]", r#"{"r_s":[null]}"#),
                bad_field("m_ss[\"a\"]", r#"{"m_ss":{"a":null}}"#),
            ],
        ),
        sunk(
            "D39",
            [
                bad_field("o_b", r#"{"o_s":"x","o_b":true}"#),
                to_sink(r#"{"o_s":"x","o_b":null}"#, "o_s: 'x'"),
            ],
        ),
        sunk("D40", [to_sink(r#"{"opt_s":""}"#, "opt_s: ''")]),
        sunk(
            "D43",
            [
                to_sink(r#"{"s":"\ud83d\ude00"}"#, "s: '\u{1f600}'"),
                post("/sink", r#"{"s":"\ud83d"}"#).refused(400, "lone surrogate"),
            ],
        ),
    ]
}

fn scalars() -> Vec<Case> {
    vec![
        sunk(
            "D24",
            [
                to_sink(r#"{"i64":"9007199254740993"}"#, "i64: 9007199254740993"),
                to_sink(r#"{"i64":9007199254740993}"#, "i64: 9007199254740993"),
            ],
        ),
        sunk(
            "D25",
            [
                to_sink(r#"{"i32":1.0}"#, "i32: 1"),
                to_sink(r#"{"i32":1e2}"#, "i32: 100"),
                to_sink(r#"{"i32":"7"}"#, "i32: 7"),
                bad_field("i32", r#"{"i32":1.1}"#),
                bad_field("i32", r#"{"i32":2147483648}"#),
                bad_field("u32", r#"{"u32":-1}"#),
            ],
        ),
        sunk("D27", [bad_field("b", r#"{"b":"true"}"#), bad_field("b", r#"{"b":1}"#)]),
        sunk(
            "D28",
            [
                to_sink(r#"{"k":"HORROR"}"#, "k: HORROR"),
                to_sink(r#"{"k":1}"#, "k: HORROR"),
                bad_field("k", r#"{"k":"Horror"}"#),
                to_sink(r#"{"k":99}"#, "k: 99"),
                bad_field("k", r#"{"k":"NOPE"}"#),
            ],
        ),
        case(
            "D28",
            sink().with(|options| options.json_enums_any_case = true),
            [to_sink(r#"{"k":"Horror"}"#, "k: HORROR")],
        ),
    ]
}

fn well_known() -> Vec<Case> {
    vec![
        sunk(
            "D30",
            [
                to_sink(
                    r#"{"ts":"1972-01-01T10:00:20.021+02:00"}"#,
                    "ts { seconds: 63100820 nanos: 21000000 }",
                ),
                bad_field("ts", r#"{"ts":"9999-12-31T23:59:60Z"}"#),
                bad_field("ts", r#"{"ts":"2020-02-30T00:00:00Z"}"#),
            ],
        ),
        sunk(
            "D31",
            [
                to_sink(r#"{"dur":"1.000340012s"}"#, "dur { seconds: 1 nanos: 340012 }"),
                to_sink(r#"{"dur":"-0.5s"}"#, "dur { nanos: -500000000 }"),
                bad_field("dur", r#"{"dur":"1"}"#),
                bad_field("dur", r#"{"dur":"315576000001s"}"#),
            ],
        ),
        sunk(
            "D33",
            [to_sink(
                r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.212s"}}"#,
                "any { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 nanos: 212000000 } }",
            )],
        ),
        sunk(
            "D34",
            [to_sink(
                r#"{"any":{"id":"1","theme":"x","@type":"type.googleapis.com/cases.v1.Shelf"}}"#,
                "any { [type.googleapis.com/cases.v1.Shelf] { id: 1 theme: 'x' } }",
            )],
        ),
        sunk(
            "D37",
            [
                to_sink(r#"{"va":null}"#, "va { null_value: NULL_VALUE }"),
                to_sink(
                    r#"{"va":[1,"a",{"x":null}]}"#,
                    "va { list_value { values { number_value: 1 } values { string_value: 'a' } values { struct_value {
                 fields { key: 'x' value { null_value: NULL_VALUE } } } } } }",
                ),
                to_sink(
                    r#"{"lv":["1",2]}"#,
                    "lv { values { string_value: '1' } values { number_value: 2 } }",
                ),
            ],
        ),
    ]
}
