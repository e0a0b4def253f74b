//! E: the update mask that a PATCH fills by itself.

use crate::case::{Call, Case, Setup, ask, case, rule};

#[tokio::test]
async fn masks() {
    crate::run::section(cases()).await;
}

fn patch(body: &str) -> Call {
    ask("PATCH", "/sink").body(body)
}

fn masked(id: &'static str, body: &str, sends: &str) -> Case {
    case(
        id,
        Setup::from(rule("PatchSink", "PATCH /sink", "sink")),
        [patch(body).sends(sends)],
    )
}

pub(crate) fn cases() -> Vec<Case> {
    let setup = || Setup::from(rule("PatchSink", "PATCH /sink", "sink"));
    vec![
        masked(
            "E01",
            r#"{"uuid":"1","floatValue":3.1}"#,
            "sink { uuid: '1' float_value: 3.1 } update_mask { paths: ['float_value', 'uuid'] }",
        ),
        masked(
            "E03",
            r#"{"m_ss":{"a":"x"}}"#,
            "sink { m_ss { key: 'a' value: 'x' } } update_mask { paths: 'm_ss' }",
        ),
        masked("E04", r#"{"r_m":[{"id":1}]}"#, "sink { r_m { id: 1 } } update_mask { paths: 'r_m' }"),
        masked(
            "E06",
            r#"{"any":{"@type":"type.googleapis.com/cases.v1.Shelf","id":1}}"#,
            "sink { any { [type.googleapis.com/cases.v1.Shelf] { id: 1 } } } update_mask { paths: 'any' }",
        ),
        masked(
            "E07",
            r#"{"st":{"a":{"b":1}}}"#,
            "sink { st { fields { key: 'a' value { struct_value { fields { key: 'b' value { number_value: 1 } } } } } } }
             update_mask { paths: 'st' }",
        ),
        case("E09", setup(), [patch(r#"{"s":{"a":"x"}}"#).refuses_field("sink.s")]),
        case("E10", setup(), [patch(r#"{"nope":1}"#).refuses_field("sink.nope")]),
        case("E12", rule("PatchSink", "PATCH /sink", "*"), [patch(r#"{"sink":{"s":"x"}}"#).sends("sink { s: 'x' }")]),
        case("E12", rule("PatchSink", "PUT /sink", "sink"), [
            ask("PUT", "/sink").body(r#"{"s":"x"}"#).sends("sink { s: 'x' }"),
        ]),
        masked("E13", "{}", "sink {} update_mask {}"),
    ]
}
