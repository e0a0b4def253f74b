//! gRPC and gRPC-Web as bytes, written by hand from their specifications, so that a test sees what is on the wire and
//! not what a library makes of it.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};

use crate::schema;

/// Base64 as gRPC metadata has it: padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Puts one uncompressed message into a frame.
pub fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("test messages are small");
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

/// Takes the frames of a whole body apart: (flags, payload).
///
/// # Panics
/// The body ends inside a frame.
pub fn frames(mut body: Bytes) -> Vec<(u8, Bytes)> {
    let mut found = Vec::new();
    while body.has_remaining() {
        assert!(body.len() >= 5, "the body ends inside a frame's head: {body:?}");
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        assert!(
            body.len() >= length,
            "the body ends inside a frame: {length} expected, {} there",
            body.len()
        );
        found.push((flags, body.split_to(length)));
    }
    found
}

/// The trailers that gRPC-Web sends in a frame of its own.
pub fn web_trailers(payload: &[u8]) -> HeaderMap {
    let text = String::from_utf8_lossy(payload);
    let pairs = text.split("\r\n").filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| {
            (
                name.parse().expect("a header name"),
                value.trim().parse().expect("a header value"),
            )
        })
        .collect()
}

/// The status in headers or trailers as the JSON of `google.rpc.Status`, `None` if there is none.
///
/// # Panics
/// The details are not what they claim to be.
pub fn status(headers: &HeaderMap) -> Option<Value> {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default().to_owned())
    };
    let code: i64 = text("grpc-status")?.parse().expect("grpc-status is a number");
    if code == 0 {
        return Some(json!({"code": 0}));
    }
    let message = percent_decoded(&text("grpc-message").unwrap_or_default());
    let mut status = json!({"code": code, "message": message, "details": []});
    if let Some(details) = text("grpc-status-details-bin") {
        let bytes = BASE64.decode(details).expect("the details are base64");
        // The details are written without what is empty, as the REST door writes them.
        let full = json_of(&descriptor("google.rpc.Status"), &bytes, true);
        assert_eq!(
            (&full["code"], &full["message"]),
            (&status["code"], &status["message"]),
            "two statuses: {full}"
        );
        status["details"] = full["details"].clone();
        sort_details(&mut status);
    }
    Some(status)
}

/// Sorts the details of a status by type: their order means nothing.
pub fn sort_details(status: &mut Value) {
    if let Some(details) = status.get_mut("details").and_then(Value::as_array_mut) {
        details.sort_by_key(|detail| detail["@type"].to_string());
    }
}

/// The reason in the `ErrorInfo` of a status in JSON, empty if there is none.
pub fn reason(status: &Value) -> String {
    let details = status["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let info = details
        .iter()
        .find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
    info.and_then(|info| info["reason"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// A message type by its full name.
///
/// # Panics
/// There is none.
pub fn descriptor(name: &str) -> MessageDescriptor {
    schema::pool()
        .get_message_by_name(name)
        .unwrap_or_else(|| panic!("no message {name}"))
}

/// Encodes ProtoJSON as a message.
///
/// # Panics
/// The JSON does not fit the message.
pub fn encode(message: &MessageDescriptor, json: &Value) -> Vec<u8> {
    let decoded = DynamicMessage::deserialize(message.clone(), json);
    decoded
        .unwrap_or_else(|error| panic!("{}: {error}", message.full_name()))
        .encode_to_vec()
}

/// Decodes a message to ProtoJSON as the REST door writes it: lists and fields without presence also when empty.
///
/// # Panics
/// The bytes are no such message.
pub fn decode(message: &MessageDescriptor, bytes: &[u8]) -> Value {
    json_of(message, bytes, false)
}

fn json_of(message: &MessageDescriptor, bytes: &[u8], skip_empty: bool) -> Value {
    let decoded = DynamicMessage::decode(message.clone(), bytes);
    let decoded = decoded.unwrap_or_else(|error| panic!("{}: {error}", message.full_name()));
    let options = prost_reflect::SerializeOptions::new().skip_default_fields(skip_empty);
    let json = decoded.serialize_with_options(serde_json::value::Serializer, &options);
    json.unwrap_or_else(|error| panic!("{}: {error}", message.full_name()))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, hex) {
            (b'%', Some(decoded)) => (bytes.push(decoded), rest = &after[2..]).1,
            _ => (bytes.push(*byte), rest = after).1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
