//! Messages in, JSON out, however the wire says it.

use crate::codec::{RenderError, WriteOptions, wire};
use crate::fixture::{load, load_with, message, rule};
use crate::schema::Schema;
use crate::settings::Options;

fn rendered(schema: &Schema, wire: &[u8]) -> Result<String, RenderError> {
    let mut out = Vec::new();
    schema.find("GET", "/sink").unwrap().render(wire, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn sparse() -> Schema {
    let rules = vec![rule("Shapes.Sink", "GET /sink", "")];
    load_with(Options {
        rules,
        json_defaults_omitted: true,
        ..Options::default()
    })
    .unwrap()
}

#[test]
fn defaults_are_shown_and_unset_messages_are_not() {
    let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
    let expected = concat!(
        r#"{"i32":0,"i64":"0","u32":0,"u64":"0","f32":0,"f64":0,"b":false,"s":"","by":"","k":"KIND_UNSPECIFIED","#,
        r#""rS":[],"rI32":[],"rK":[],"rM":[],"mSs":{},"mI32s":{},"mBs":{},"mSm":{},"Fancy":"","null":null,"rVa":[]}"#,
    );
    assert_eq!(rendered(&schema, b"").unwrap(), expected);
    assert_eq!(rendered(&sparse(), b"").unwrap(), "{}");
}

#[test]
fn wire_forms() {
    let schema = sparse();
    for (wire, expected) in [
        // Elements of a repeated field between others, packed and unpacked.
        (&b"\x5a\x01a\x08\x01\x5a\x01b"[..], r#"{"i32":1,"rS":["a","b"]}"#),
        (b"\x60\x01\x62\x02\x02\x03\x60\x04", r#"{"rI32":[1,2,3,4]}"#),
        // A scalar twice: the last one. A message twice: merged.
        (b"\x08\x01\x08\x02", r#"{"i32":2}"#),
        (
            b"\xa2\x02\x02\x08\x01\xa2\x02\x03\x42\x01x",
            r#"{"nested":{"i32":1,"s":"x"}}"#,
        ),
        // Map entries without key or value; the same key twice.
        (b"\x7a\x00", r#"{"mSs":{"":""}}"#),
        (b"\x92\x01\x03\x0a\x01k", r#"{"mSm":{"k":{}}}"#),
        (
            b"\x7a\x06\x0a\x01k\x12\x01a\x7a\x06\x0a\x01k\x12\x01b",
            r#"{"mSs":{"k":"b"}}"#,
        ),
        // The message of an entry in pieces.
        (
            b"\x92\x01\x0d\x0a\x01k\x12\x02\x08\x01\x12\x00\x12\x02\x08\x02",
            r#"{"mSm":{"k":{"id":"2"}}}"#,
        ),
        // An enum value and a field that the schema lacks.
        (b"\x50\x63", r#"{"k":99}"#),
        (b"\xfa\x7f\x01x", "{}"),
        // Null as an enum, and a Value that says nothing.
        (b"\xe2\x01\x00", r#"{"va":null}"#),
    ] {
        assert_eq!(rendered(&schema, wire).unwrap(), expected, "{wire:02x?}");
    }
}

#[test]
fn strings_are_safe() {
    let text = "a\"\\/<>&\u{0}\u{1f}\u{7f}\u{2028}\n\u{1f600}";
    let mut wire = vec![0x42, text.len() as u8];
    wire.extend_from_slice(text.as_bytes());
    let json = rendered(&sparse(), &wire).unwrap();
    assert_eq!(
        json,
        "{\"s\":\"a\\\"\\\\/<>&\\u0000\\u001f\\u007f\\u2028\\n\u{1f600}\"}"
    );
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["s"], text);
}

#[test]
fn an_any_that_nobody_knows_is_shown_as_it_is() {
    let schema = sparse();
    let any = |url: &str, value: &[u8]| {
        let inner = [
            &[0x0a, url.len() as u8],
            url.as_bytes(),
            &[0x12, value.len() as u8],
            value,
        ]
        .concat();
        [&[0xf2, 0x01, inner.len() as u8], inner.as_slice()].concat()
    };
    for (url, value, expected) in [
        (
            "a/nobody.Knows",
            &[1, 2, 3][..],
            r#"{"any":{"@type":"a/nobody.Knows","value":"AQID"}}"#,
        ),
        (
            "a/shapes.v1.Shelf",
            &[0xff],
            r#"{"any":{"@type":"a/shapes.v1.Shelf","value":"/w=="}}"#,
        ),
        (
            "a/shapes.v1.Shelf",
            &[8, 1],
            r#"{"any":{"@type":"a/shapes.v1.Shelf","id":"1"}}"#,
        ),
        (
            "a/google.protobuf.Int32Value",
            &[8, 1],
            r#"{"any":{"@type":"a/google.protobuf.Int32Value","value":1}}"#,
        ),
        ("", &[], r#"{"any":{}}"#),
    ] {
        assert_eq!(rendered(&schema, &any(url, value)).unwrap(), expected);
    }
}

/// Strings in an `Any` are checked once, wherever they stand; one that is none leaves the innermost `Any` as bytes.
#[test]
fn a_wrong_string_in_anys_in_one_another_shows_the_innermost_as_it_is() {
    let any = |name: &str, value: &[u8]| {
        let url = format!("a/{name}");
        let mut any = vec![0x0a, url.len() as u8];
        any.extend_from_slice(url.as_bytes());
        any.push(0x12);
        wire::put_bytes(&mut any, value);
        any
    };
    let field = |inner: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(b"\xf2\x01");
        wire::put_bytes(out, inner);
    };
    let mut expected = r#"{"@type":"a/shapes.v1.SinkMessage","value":"QgH/"}"#.to_owned();
    let mut wire = Vec::new();
    field(&any("shapes.v1.SinkMessage", b"\x42\x01\xff"), &mut wire);
    for level in 0..40 {
        assert_eq!(
            rendered(&sparse(), &wire).unwrap(),
            format!(r#"{{"any":{expected}}}"#),
            "{level}"
        );
        let mut around = b"\x42\x01s".to_vec();
        around.extend_from_slice(&wire);
        wire.clear();
        field(&any("shapes.v1.SinkMessage", &around), &mut wire);
        expected = format!(r#"{{"@type":"a/shapes.v1.SinkMessage","s":"s","any":{expected}}}"#);
    }
}

#[test]
fn what_has_no_form_is_an_error() {
    let schema = sparse();
    for wire in [
        // Truncated, not UTF-8, a timestamp after 9999, a duration with two signs, NaN in a Value, a mask that is none.
        &b"\x08"[..],
        b"\x42\x01\xff",
        b"\xc2\x01\x07\x08\x80\x80\x80\x80\x80\x20",
        b"\xca\x01\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xe2\x01\x09\x11\x00\x00\x00\x00\x00\x00\xf8\x7f",
        b"\xd2\x01\x05\x0a\x03a_1",
    ] {
        assert!(rendered(&schema, wire).is_err(), "{wire:02x?}");
    }
}

/// With the most bytes that its JSON may have.
fn bounded(schema: &Schema, wire: &[u8], defaults_omitted: bool, bytes_max: usize) -> Result<Vec<u8>, RenderError> {
    let options = WriteOptions {
        defaults_omitted,
        bytes_max: Some(bytes_max),
        ..WriteOptions::default()
    };
    let mut out = b"before".to_vec();
    let kind = message(schema, "SinkMessage");
    let written = schema.codec().wire_to_json_with(options, &kind, None, wire, &mut out);
    assert!(written.is_ok() || out == b"before");
    written.map(|()| out[6..].to_vec())
}

#[test]
fn json_has_a_bound() {
    let schema = sparse();
    let many = |field: &[u8]| field.repeat(1_000);
    // What is remembered of entries, and of fields out of order, counts too.
    let (exact, more) = (0, 50_000);
    for (wire, remembered) in [
        (b"\x08\x01".to_vec(), exact),
        // A text, plain and escaped; bytes; a mask.
        (b"\x42\x20abcdefghijklmnopqrstuvwxyz012345".to_vec(), exact),
        (b"\x42\x05a\x01\x02\x03\"".to_vec(), exact),
        (b"\x4a\x04\x00\x01\x02\x03".to_vec(), exact),
        (b"\xd2\x01\x05\x0a\x03a_b".to_vec(), exact),
        // Elements: texts, packed numbers, messages.
        (many(b"\x5a\x00"), exact),
        ([&b"\x62\xe8\x07"[..], &[0; 1_000]].concat(), exact),
        (many(b"\x72\x00"), exact),
        (b"\x82\x01\x02\x08\x01\x82\x01\x02\x08\x02".to_vec(), more),
        (many(b"\x5a\x00\x62\x01\x00"), more + 50_000),
        // A message in messages.
        (b"\x92\x02\x08\x92\x02\x05\x92\x02\x02\x08\x01".to_vec(), exact),
    ] {
        for is_sparse in [true, false] {
            let whole = bounded(&schema, &wire, is_sparse, usize::MAX).unwrap();
            let enough = bounded(&schema, &wire, is_sparse, whole.len() + remembered);
            assert_eq!(enough.unwrap(), whole, "{wire:02x?}");
            for less in [0, 1, whole.len() / 2, whole.len() - 1] {
                let error = bounded(&schema, &wire, is_sparse, less).unwrap_err();
                assert!(
                    matches!(error, RenderError::TooLarge { bytes_max, .. } if bytes_max == less),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_message_that_swells_is_stopped_in_time() {
    let schema = sparse();
    // Each element is two bytes on the wire, and shows what it leaves unset.
    let wire = b"\x72\x00".repeat(1_000_000);
    let room = room_of_refused(&schema, &wire);
    assert!(room <= 400_000, "{room} bytes of room for 100,000");
}

/// The room that a refused message has left behind.
fn room_of_refused(schema: &Schema, wire: &[u8]) -> usize {
    let options = WriteOptions {
        bytes_max: Some(100_000),
        ..WriteOptions::default()
    };
    let mut out = Vec::new();
    let kind = message(schema, "SinkMessage");
    let written = schema.codec().wire_to_json_with(options, &kind, None, wire, &mut out);
    assert!(matches!(written, Err(RenderError::TooLarge { .. })));
    out.capacity()
}

proptest::proptest! {
    /// Whatever bytes an upstream sends: JSON or an error.
    #[test]
    fn bytes_never_panic(wire in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
        thread_local!(static SCHEMA: Schema = sparse());
        SCHEMA.with(|schema| {
            if let Ok(json) = rendered(schema, &wire) {
                assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
            }
        });
    }
}
