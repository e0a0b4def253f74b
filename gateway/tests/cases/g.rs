//! G: answers.

use millrace_gateway::transcode::HttpRule;

use crate::case::{Call, Case, Setup, ask, case, get, rule, rules, sink, sunk};
use crate::http::Answer;
use crate::recorder::Seen;
use crate::reply::{Reply, framed, many, one, raw, unended, wire};

#[tokio::test]
async fn answers() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = whole();
    cases.extend(from_the_wire());
    cases.extend(cut_out());
    cases.extend(streams());
    cases.extend(failing_streams());
    cases.extend(broken_upstreams());
    cases
}

fn shelves() -> Setup {
    rules([
        rule("GetShelf", "GET /shelves/{shelf}", ""),
        rule("ListShelves", "GET /shelves", ""),
    ])
}

fn drain(reply: Reply) -> Call {
    get("/sink").answered(reply)
}

const DEFAULTS: &str = r#"{"i32":0,"i64":"0","u32":0,"u64":"0","f32":0,"f64":0,"b":false,"s":"","by":"",
    "k":"KIND_UNSPECIFIED","rS":[],"rI32":[],"rK":[],"rM":[],"mSs":{},"mI32s":{},"mBs":{},"mSm":{},"Fancy":"","uuid":"",
    "floatValue":0}"#;

fn whole() -> Vec<Case> {
    let deleting = rules([
        rule("DeleteShelf", "DELETE /{name}", ""),
        rule("RemoveShelf", "DELETE /x/{name}", ""),
    ]);
    let omitting = |setup: Setup| setup.with(|options| options.json_defaults_omitted = true);
    let horror = || drain(one("k: HORROR i64: 5 r_s: 'x'"));
    vec![
        case(
            "G01",
            deleting,
            [
                ask("DELETE", "/a").exactly("{}").header("content-length", "2"),
                ask("DELETE", "/x/a").status(204).exactly("").no_header("content-type"),
            ],
        ),
        sunk("G03", [drain(one("")).json(DEFAULTS)]),
        case("G03", omitting(sink()), [drain(one("")).json("{}")]),
        case(
            "G04",
            omitting(sink()).with(|options| options.json_proto_names = true),
            [horror().json(r#"{"i64":"5","k":"HORROR","r_s":["x"]}"#)],
        ),
        case(
            "G04",
            omitting(sink()).with(|options| options.json_enums_as_numbers = true),
            [horror().json(r#"{"i64":"5","k":1,"rS":["x"]}"#)],
        ),
        case(
            "G04",
            omitting(sink()).with(|options| options.json_int64_as_number = true),
            [horror().json(r#"{"i64":5,"k":"HORROR","rS":["x"]}"#)],
        ),
        case(
            "G04",
            omitting(sink()).with(|options| options.json_pretty = true),
            [horror().exactly("{\n  \"i64\": \"5\",\n  \"k\": \"HORROR\",\n  \"rS\": [\n    \"x\"\n  ]\n}\n")],
        ),
    ]
}

fn from_the_wire() -> Vec<Case> {
    let omitting = || sink().with(|options| options.json_defaults_omitted = true);
    let strings = "s: '<>&\\\"\\n\\001\u{2028}'";
    let mut unknown = vec![0xf2, 0x01, 33, 0x0a, 27];
    unknown.extend_from_slice(b"type.googleapis.com/x.Other");
    unknown.extend_from_slice(&[0x12, 2, 1, 2]);
    vec![
        // `r_s` "a", `s` "x", `r_s` "b".
        case(
            "G06",
            omitting(),
            [drain(wire(&b"\x5a\x01a\x42\x01x\x5a\x01b"[..])).json(r#"{"s":"x","rS":["a","b"]}"#)],
        ),
        // `r_i32`: 1, then 2 and 3 packed, then 4.
        case(
            "G07",
            omitting(),
            [drain(wire(&b"\x60\x01\x62\x02\x02\x03\x60\x04"[..])).json(r#"{"rI32":[1,2,3,4]}"#)],
        ),
        case(
            "G30",
            omitting(),
            [drain(one(strings))
                .json(r#"{"s":"<>&\"\n\u0001\u2028"}"#)
                .says(r"\u2028")],
        ),
        case(
            "G31",
            omitting(),
            [drain(one("k: 99 r_k: [1, 98]")).json(r#"{"k":99,"rK":["HORROR",98]}"#)],
        ),
        case(
            "G33",
            omitting(),
            [drain(wire(unknown.clone())).json(r#"{"any":{"@type":"type.googleapis.com/x.Other","value":"AQI="}}"#)],
        ),
        case(
            "G33",
            omitting().with(|options| options.json_unknown_any_refused = true),
            [drain(wire(unknown)).fails(500, 13)],
        ),
    ]
}

/// A rule whose answer is one field.
fn cut(rpc: &str, path: &str, field: &str) -> HttpRule {
    HttpRule {
        response_body: field.to_owned(),
        ..rule(rpc, path, "")
    }
}

fn cut_out() -> Vec<Case> {
    let each = rules([cut("FollowShelves", "GET /shelves", "shelf")]);
    vec![
        case(
            "G09",
            cut("Sink", "GET /sink", "s"),
            [drain(one("s: 'value' i32: 1")).json(r#""value""#)],
        ),
        case(
            "G10",
            cut("Sink", "GET /sink", "r_m"),
            [drain(one("s: 'value'")).json("[]")],
        ),
        case(
            "G12",
            each,
            [get("/shelves")
                .with("accept", "application/json")
                .answered(many(&["shelf { id: 1 }", "theme: 'x'"]))
                .json(r#"[{"id":"1","theme":"","kind":"KIND_UNSPECIFIED"},{}]"#)],
        ),
    ]
}

fn list(accept: &str, reply: Reply) -> Call {
    get("/shelves").with("accept", accept).answered(reply)
}

/// A shelf as JSON.
fn shelf(id: u8) -> String {
    format!(r#"{{"id":"{id}","theme":"","kind":"KIND_UNSPECIFIED"}}"#)
}

fn streams() -> Vec<Case> {
    let two = || many(&["id: 1", "id: 2"]);
    let (first, second) = (shelf(1), shelf(2));
    let events = Setup::from(rule("WatchEvents", "GET /events", ""));
    let counted = many(&["number: 7 text: 'a'"]);
    vec![
        case("G18", shelves(), [list("application/x-ndjson", two())
            .header("content-type", "application/x-ndjson")
            .exactly(format!("{first}\n{second}\n"))]),
        case("G19", shelves(), [list("text/event-stream", two())
            .header("content-type", "text/event-stream")
            .exactly(format!(
                "retry: 3000\n\ndata: {first}\n\ndata: {second}\n\nevent: end\nid: ;end\ndata: {{}}\n\n"
            ))]),
        case("G19", events, [
            get("/events").with("accept", "text/event-stream").answered(counted).exactly(
                "retry: 3000\n\nid: 7\ndata: {\"number\":\"7\",\"text\":\"a\"}\n\nevent: end\nid: 7;end\ndata: {}\n\n",
            ),
            get("/events").with("accept", "text/event-stream").with("last-event-id", "7").sends("after: 7"),
            get("/events").with("accept", "text/event-stream").with("last-event-id", "7;end").status(204).not_called(),
        ]),
        case("G21", shelves(), [
            list("application/xml", two()).refused(406, "application/json"),
            get("/shelves/1").with("accept", "application/xml").refused(406, "application/json"),
        ]),
        case("G22", shelves(), [
            list("application/json", many(&[])).header("content-type", "application/json").exactly("[]"),
            list("application/x-ndjson", many(&[])).header("content-type", "application/x-ndjson").exactly(""),
            list("text/event-stream", many(&[])).header("content-type", "text/event-stream").exactly("retry: 3000\n\nevent: end\nid: ;end\ndata: {}\n\n"),
        ]),
    ]
}

fn failing_streams() -> Vec<Case> {
    let failing = || many(&["id: 1"]).then_error(9, "the shelf fell");
    let first = shelf(1);
    let status = r#"{"code":9,"message":"the shelf fell","details":[]}"#;
    vec![
        case(
            "G24",
            shelves(),
            [list("application/json", failing())
                .broken()
                .exactly(format!("[{first}"))],
        ),
        case(
            "G25",
            shelves(),
            [
                list("application/x-ndjson", failing()).exactly(format!("{first}\n{{\"error\":{status}}}\n")),
                list("text/event-stream", failing()).exactly(format!(
                    "retry: 3000\n\ndata: {first}\n\nevent: error\ndata: {status}\n\n"
                )),
            ],
        ),
    ]
}

fn broken_upstreams() -> Vec<Case> {
    // A frame that says more than there is, an unknown flag, a flag of compression without a coding.
    let bad_frames: [&[u8]; 4] = [b"\0\0\0\0\x05ab", b"\0\0\0", b"\x07\0\0\0\0", b"\x01\0\0\0\0"];
    let framed_garbage = wire(&b"\xff\xff"[..]);
    let get_shelf = |reply| get("/shelves/1").answered(reply);
    let mut calls: Vec<_> = bad_frames.map(|bytes| get_shelf(raw(bytes)).fails(500, 13)).into();
    calls.push(get_shelf(framed_garbage).fails(500, 13));
    vec![
        case("G27", shelves(), calls),
        case(
            "G28",
            shelves(),
            [
                get_shelf(many(&[])).fails(500, 13).check(is_not_empty),
                get_shelf(many(&["id: 1", "id: 2"])).fails(500, 13),
            ],
        ),
        // The end that gRPC has no word for.
        case("G27", shelves(), [get_shelf(unended(WHOLE_FRAME)).fails(502, 14)]),
    ]
}

/// An empty message, framed.
const WHOLE_FRAME: &[u8] = &[0; 5];

fn is_not_empty(answer: &Answer, _: &[Seen]) -> Result<(), String> {
    assert_eq!(framed(b"").as_ref(), WHOLE_FRAME);
    if answer.body.is_empty() {
        return Err("says nothing".to_owned());
    }
    Ok(())
}
