//! The testee of protobuf's conformance runner: `conformance DESCRIPTORS`, then requests on stdin, answers on stdout,
//! each with its length before it in four bytes. `tests/run` starts it.
//!
//! Every case that touches JSON goes through the codec in its default, strict profile; answers leave out defaults, as
//! the suite wants them. Protobuf to protobuf is nothing that the gateway does, so prost-reflect answers it, which knows
//! no message sets: they are made plain messages for it, and sets again afterwards. Text format is skipped. At the end the cases of each message type are counted on stderr.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use millrace_transcode::codec::{ReadOptions, Target};
use millrace_transcode::{Options, Schema};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{Message, Oneof};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};

/// Values of `conformance.WireFormat` and `conformance.TestCategory`.
const PROTOBUF: i32 = 1;
const JSON: i32 = 2;
const IGNORE_UNKNOWN: i32 = 3;

/// `conformance.ConformanceRequest`.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(oneof = "Payload", tags = "1, 2")]
    payload: Option<Payload>,
    #[prost(int32, tag = "3")]
    output: i32,
    #[prost(string, tag = "4")]
    message_type: String,
    #[prost(int32, tag = "5")]
    category: i32,
}

/// What the case is given as, and, in an answer, what came of it.
#[derive(Clone, PartialEq, Oneof)]
enum Payload {
    #[prost(bytes, tag = "1")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "2")]
    Json(String),
}

/// `conformance.ConformanceResponse`.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5, 6")]
    outcome: Option<Outcome>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Outcome {
    #[prost(string, tag = "1")]
    ParseError(String),
    #[prost(string, tag = "2")]
    RuntimeError(String),
    #[prost(bytes, tag = "3")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "4")]
    Json(String),
    #[prost(string, tag = "5")]
    Skipped(String),
    #[prost(string, tag = "6")]
    SerializeError(String),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: conformance DESCRIPTORS")?;
    let options = Options {
        json_defaults_omitted: true,
        ..Options::default()
    };
    let builder = Schema::builder().descriptors(&std::fs::read(path)?).options(options);
    let schema = builder.build()?;
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut request)?;
        let request = Request::decode(request.as_slice())?;
        let outcome = answer(&schema, &request);
        if !matches!(outcome, Outcome::Skipped(_)) {
            let (all, json) = counts.entry(request.message_type.clone()).or_default();
            *all += 1;
            *json += usize::from(request.output == JSON || matches!(request.payload, Some(Payload::Json(_))));
        }
        let response = Response { outcome: Some(outcome) };
        let response = response.encode_to_vec();
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
    for (message, (all, json)) in counts {
        eprintln!("{message}: {all} cases, {json} of them through JSON");
    }
    Ok(())
}

fn answer(schema: &Schema, request: &Request) -> Outcome {
    let Some(message) = schema.pool().get_message_by_name(&request.message_type) else {
        return Outcome::RuntimeError(format!("no message {}", request.message_type));
    };
    match (&request.payload, request.output) {
        (Some(Payload::Protobuf(wire)), PROTOBUF) => through_reflection(message, wire),
        (Some(Payload::Protobuf(wire)), JSON) => render(schema, &message, wire, Outcome::ParseError),
        (Some(Payload::Json(json)), PROTOBUF | JSON) => {
            let mut read = ReadOptions::default();
            read.unknown_ignored = request.category == IGNORE_UNKNOWN;
            let target = Target::message(&message);
            match schema.codec().json_to_wire_with(read, &target, json.as_bytes()) {
                Err(error) => Outcome::ParseError(format!("{}: {error}", error.field)),
                Ok(wire) if request.output == PROTOBUF => Outcome::Protobuf(wire.into()),
                Ok(wire) => render(schema, &message, &wire, Outcome::SerializeError),
            }
        }
        _ => Outcome::Skipped("text format is out of scope".to_owned()),
    }
}

fn through_reflection(message: MessageDescriptor, wire: &[u8]) -> Outcome {
    let plain = sets(&message, wire, Sets::AsFields).unwrap_or_else(|| wire.to_vec());
    match DynamicMessage::decode(message.clone(), plain.as_slice()) {
        Ok(decoded) => {
            let encoded = decoded.encode_to_vec();
            Outcome::Protobuf(sets(&message, &encoded, Sets::AsItems).unwrap_or(encoded))
        }
        Err(error) => Outcome::ParseError(error.to_string()),
    }
}

/// How the messages of a message set stand in it.
#[derive(Clone, Copy, PartialEq)]
enum Sets {
    AsFields,
    AsItems,
}

/// An item of a message set.
#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(uint32, optional, tag = "2")]
    type_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    message: Option<Vec<u8>>,
}

/// The field by which an item is in its set.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(group, repeated, tag = "1")]
    items: Vec<Item>,
}

/// The message with its message sets in another form; `None` for bytes that are no message.
fn sets(message: &MessageDescriptor, wire: &[u8], form: Sets) -> Option<Vec<u8>> {
    let options = message.descriptor_proto().options.as_ref();
    let is_set = options.is_some_and(|options| options.message_set_wire_format());
    let (mut rest, mut out) = (wire, Vec::new());
    while !rest.is_empty() {
        let whole = rest;
        let (number, wire_type) = encoding::decode_key(&mut rest).ok()?;
        let after_key = rest;
        encoding::skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?;
        let field = &whole[..whole.len() - rest.len()];
        let is_item = is_set && number == 1 && wire_type == WireType::StartGroup;
        if is_item && form == Sets::AsFields {
            for item in Set::decode(field).ok()?.items {
                if let (Some(number), Some(message)) = (item.type_id, item.message) {
                    encoding::bytes::encode(number, &message, &mut out);
                }
            }
            continue;
        }
        if wire_type != WireType::LengthDelimited {
            out.extend_from_slice(field);
            continue;
        }
        let value = &after_key[..after_key.len() - rest.len()];
        let mut value = value;
        encoding::decode_varint(&mut value).ok()?;
        let kind = message
            .get_field(number)
            .filter(|field| !field.is_map())
            .map(|field| field.kind());
        let inner = match kind {
            Some(Kind::Message(inner)) => sets(&inner, value, form)?,
            _ => value.to_vec(),
        };
        if is_set && form == Sets::AsItems {
            let (type_id, message) = (Some(number), Some(inner));
            let items = vec![Item { type_id, message }];
            Set { items }.encode(&mut out).ok()?;
        } else {
            encoding::bytes::encode(number, &inner, &mut out);
        }
    }
    Some(out)
}

/// `undecodable` says what bytes that are no message are: the runner's fault, or ours.
fn render(schema: &Schema, message: &MessageDescriptor, wire: &[u8], undecodable: fn(String) -> Outcome) -> Outcome {
    use millrace_transcode::RenderError;

    let mut json = Vec::new();
    match schema.codec().wire_to_json(message, None, wire, &mut json) {
        Ok(()) => match String::from_utf8(json) {
            Ok(json) => Outcome::Json(json),
            Err(error) => Outcome::RuntimeError(error.to_string()),
        },
        Err(RenderError::Decode { field, source, .. }) => undecodable(format!("{field}: {source}")),
        Err(error) => Outcome::SerializeError(error.to_string()),
    }
}
