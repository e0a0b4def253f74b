//! Files of an edition, made into proto2 or proto3 files that say the same: the library that loads descriptors knows no
//! editions.
//!
//! Features are resolved here, from the file inwards, and written as what those have for them: labels, `packed`,
//! groups, `optional`. What the chosen syntax has no word for (an open enum in proto2, a field without presence) is
//! kept beside the file, by full name. The rest of a file is copied as it stands, so that no option is lost.

mod wire;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use wire::{Field, fields, number, put_field, put_number, text};

/// Field numbers of `descriptor.proto`.
mod tag {
    pub(super) const FILE: u32 = 1;
    pub(super) const FILE_PACKAGE: u32 = 2;
    pub(super) const FILE_MESSAGE: u32 = 4;
    pub(super) const FILE_ENUM: u32 = 5;
    pub(super) const FILE_EXTENSION: u32 = 7;
    pub(super) const FILE_OPTIONS: u32 = 8;
    pub(super) const FILE_SYNTAX: u32 = 12;
    pub(super) const FILE_EDITION: u32 = 14;
    pub(super) const FILE_FEATURES: u32 = 50;

    pub(super) const NAME: u32 = 1;
    pub(super) const MESSAGE_FIELD: u32 = 2;
    pub(super) const MESSAGE_NESTED: u32 = 3;
    pub(super) const MESSAGE_ENUM: u32 = 4;
    pub(super) const MESSAGE_EXTENSION: u32 = 6;
    pub(super) const MESSAGE_OPTIONS: u32 = 7;
    pub(super) const MESSAGE_MAP_ENTRY: u32 = 7;
    pub(super) const MESSAGE_FEATURES: u32 = 12;

    pub(super) const FIELD_LABEL: u32 = 4;
    pub(super) const FIELD_TYPE: u32 = 5;
    pub(super) const FIELD_TYPE_NAME: u32 = 6;
    pub(super) const FIELD_OPTIONS: u32 = 8;
    pub(super) const FIELD_ONEOF: u32 = 9;
    pub(super) const FIELD_PROTO3_OPTIONAL: u32 = 17;
    pub(super) const FIELD_PACKED: u32 = 2;
    pub(super) const FIELD_FEATURES: u32 = 21;

    pub(super) const ENUM_VALUE: u32 = 2;
    pub(super) const ENUM_OPTIONS: u32 = 3;
    pub(super) const VALUE_NUMBER: u32 = 2;
    pub(super) const ENUM_FEATURES: u32 = 7;
}

const LABEL_REQUIRED: u64 = 2;
const LABEL_REPEATED: u64 = 3;
const TYPE_STRING: u64 = 9;
const TYPE_GROUP: u64 = 10;
const TYPE_MESSAGE: u64 = 11;
const TYPE_BYTES: u64 = 12;

/// What files of an edition say that their syntax now cannot.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    /// Whether an enum is closed: takes no numbers but those that it declares.
    pub(crate) closed_enums: HashMap<String, bool>,
    /// Fields whose default value is no value.
    pub(crate) implicit_fields: HashSet<String>,
}

/// `google.protobuf.FeatureSet`, as far as it shapes messages; by the numbers of its values.
#[derive(Debug, Clone, Copy)]
struct Features {
    presence: u64,
    enum_type: u64,
    repeated: u64,
    encoding: u64,
    /// What the file is made into.
    is_proto3: bool,
}

impl Features {
    const IMPLICIT: u64 = 2;
    const LEGACY_REQUIRED: u64 = 3;
    const OPEN: u64 = 1;
    const PACKED: u64 = 1;
    const DELIMITED: u64 = 2;

    /// The defaults of edition 2023, which 2024 has too.
    const DEFAULT: Self = Self {
        presence: 1,
        enum_type: Self::OPEN,
        repeated: Self::PACKED,
        encoding: 1,
        is_proto3: false,
    };

    /// The features of something whose descriptor has these options.
    fn inside(mut self, descriptor: &[u8], options: u32, features: u32) -> Self {
        for options in fields(descriptor).filter(|field| field.number == options) {
            for features in fields(options.bytes).filter(|field| field.number == features) {
                for feature in fields(features.bytes) {
                    match feature.number {
                        1 => self.presence = feature.value,
                        2 => self.enum_type = feature.value,
                        3 => self.repeated = feature.value,
                        5 => self.encoding = feature.value,
                        _ => {}
                    }
                }
            }
        }
        self
    }
}

/// Returns a `FileDescriptorSet` without editions. Bytes that are no such set are left for the loader to refuse.
pub(crate) fn lowered<'s>(set: &'s [u8], beyond: &mut Beyond) -> Cow<'s, [u8]> {
    let files = || fields(set).filter(|field| field.number == tag::FILE);
    if !files().any(|file| text(file.bytes, tag::FILE_SYNTAX) == "editions") {
        return Cow::Borrowed(set);
    }
    let mut out = Vec::with_capacity(set.len());
    for file in files() {
        match text(file.bytes, tag::FILE_SYNTAX) {
            "editions" => put_field(&mut out, tag::FILE, &lowered_file(file.bytes, beyond)),
            _ => out.extend_from_slice(file.whole),
        }
    }
    Cow::Owned(out)
}

fn lowered_file(file: &[u8], beyond: &mut Beyond) -> Vec<u8> {
    let features = Features::DEFAULT.inside(file, tag::FILE_OPTIONS, tag::FILE_FEATURES);
    let package = text(file, tag::FILE_PACKAGE);
    // proto3 where it fits: what it has no presence for needs no note. It wants zero first in an enum.
    let is_proto3 =
        features.presence == Features::IMPLICIT && enums_begin_with_zero(file, tag::FILE_ENUM, tag::FILE_MESSAGE);
    let features = Features { is_proto3, ..features };
    let mut out = Vec::with_capacity(file.len());
    for part in fields(file) {
        match part.number {
            tag::FILE_SYNTAX => put_field(
                &mut out,
                tag::FILE_SYNTAX,
                if is_proto3 { b"proto3" } else { b"proto2" },
            ),
            tag::FILE_EDITION => {}
            tag::FILE_MESSAGE => {
                put_field(
                    &mut out,
                    part.number,
                    &lowered_message(part.bytes, package, features, beyond),
                );
            }
            tag::FILE_EXTENSION => put_field(
                &mut out,
                part.number,
                &lowered_field(part.bytes, "", &[], features, beyond),
            ),
            tag::FILE_ENUM => {
                note_enum(part.bytes, package, features, beyond);
                out.extend_from_slice(part.whole);
            }
            _ => out.extend_from_slice(part.whole),
        }
    }
    out
}

fn lowered_message(message: &[u8], scope: &str, features: Features, beyond: &mut Beyond) -> Vec<u8> {
    let features = features.inside(message, tag::MESSAGE_OPTIONS, tag::MESSAGE_FEATURES);
    let name = joined(scope, text(message, tag::NAME));
    let maps: Vec<String> = fields(message)
        .filter(|part| part.number == tag::MESSAGE_NESTED && is_map_entry(part.bytes))
        .map(|part| joined(&name, text(part.bytes, tag::NAME)))
        .collect();
    // An entry's value has a length whatever the map's features are.
    let features = match is_map_entry(message) {
        true => Features {
            encoding: Features::DEFAULT.encoding,
            presence: Features::DEFAULT.presence,
            ..features
        },
        false => features,
    };
    let mut out = Vec::with_capacity(message.len());
    for part in fields(message) {
        match part.number {
            tag::MESSAGE_FIELD => {
                put_field(
                    &mut out,
                    part.number,
                    &lowered_field(part.bytes, &name, &maps, features, beyond),
                );
            }
            tag::MESSAGE_EXTENSION => {
                put_field(
                    &mut out,
                    part.number,
                    &lowered_field(part.bytes, "", &[], features, beyond),
                );
            }
            tag::MESSAGE_NESTED => {
                put_field(
                    &mut out,
                    part.number,
                    &lowered_message(part.bytes, &name, features, beyond),
                );
            }
            tag::MESSAGE_ENUM => {
                note_enum(part.bytes, &name, features, beyond);
                out.extend_from_slice(part.whole);
            }
            _ => out.extend_from_slice(part.whole),
        }
    }
    out
}

/// `message` is empty for an extension, `maps` are the entries of the message's maps. What is appended replaces what
/// stands before it, by the rules of the wire.
fn lowered_field(field: &[u8], message: &str, maps: &[String], features: Features, beyond: &mut Beyond) -> Vec<u8> {
    let features = features.inside(field, tag::FIELD_OPTIONS, tag::FIELD_FEATURES);
    let mut out = field.to_vec();
    let is_repeated = number(field, tag::FIELD_LABEL) == Some(LABEL_REPEATED);
    let kind = number(field, tag::FIELD_TYPE).unwrap_or_default();
    let is_packable = !matches!(kind, TYPE_STRING | TYPE_GROUP | TYPE_MESSAGE | TYPE_BYTES);
    if is_repeated && is_packable {
        let mut packed = Vec::new();
        put_number(
            &mut packed,
            tag::FIELD_PACKED,
            u64::from(features.repeated == Features::PACKED),
        );
        put_field(&mut out, tag::FIELD_OPTIONS, &packed);
    }
    let type_name = text(field, tag::FIELD_TYPE_NAME);
    let is_map = maps.iter().any(|map| type_name.strip_prefix('.') == Some(map));
    if kind == TYPE_MESSAGE && features.encoding == Features::DELIMITED && !is_map {
        put_number(&mut out, tag::FIELD_TYPE, TYPE_GROUP);
    }
    if !is_repeated && features.presence == Features::LEGACY_REQUIRED {
        put_number(&mut out, tag::FIELD_LABEL, LABEL_REQUIRED);
    }
    let has_oneof = number(field, tag::FIELD_ONEOF).is_some();
    let is_message = matches!(kind, TYPE_MESSAGE | TYPE_GROUP);
    let is_implicit = features.presence == Features::IMPLICIT && !is_repeated && !is_message && !has_oneof;
    let is_optional = !is_repeated && !is_message && !has_oneof && features.presence != Features::IMPLICIT;
    if features.is_proto3 && is_optional {
        put_number(&mut out, tag::FIELD_PROTO3_OPTIONAL, 1);
    }
    if is_implicit && !message.is_empty() {
        beyond.implicit_fields.insert(joined(message, text(field, tag::NAME)));
    }
    out
}

fn note_enum(descriptor: &[u8], scope: &str, features: Features, beyond: &mut Beyond) {
    let features = features.inside(descriptor, tag::ENUM_OPTIONS, tag::ENUM_FEATURES);
    let name = joined(scope, text(descriptor, tag::NAME));
    beyond.closed_enums.insert(name, features.enum_type != Features::OPEN);
}

/// Of the enums in a file or a message, and in messages below it.
fn enums_begin_with_zero(scope: &[u8], enums: u32, messages: u32) -> bool {
    fields(scope).all(|part| match part.number {
        of if of == enums => {
            let first = fields(part.bytes).find(|part| part.number == tag::ENUM_VALUE);
            first.is_none_or(|value| number(value.bytes, tag::VALUE_NUMBER).unwrap_or_default() == 0)
        }
        of if of == messages => enums_begin_with_zero(part.bytes, tag::MESSAGE_ENUM, tag::MESSAGE_NESTED),
        _ => true,
    })
}

fn is_map_entry(message: &[u8]) -> bool {
    let options = fields(message).filter(|part| part.number == tag::MESSAGE_OPTIONS);
    options
        .last()
        .is_some_and(|options: Field<'_>| number(options.bytes, tag::MESSAGE_MAP_ENTRY) == Some(1))
}

fn joined(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Target;
    use crate::fixture;
    use crate::schema::Schema;

    const SOURCE: &str = r#"
        syntax = "proto2"; package two;
        enum E { A = 0; B = 1; }
        message M { optional int32 i = 1; repeated int32 r = 2; optional M m = 3; optional E e = 4; map<string, M> map = 5; }
    "#;

    /// A set whose file `test.proto` is of edition 2023, with these features.
    fn edition(features: &[u8]) -> Vec<u8> {
        edition_of(SOURCE, features)
    }

    fn edition_of(source: &str, features: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for file in fields(&fixture::source(source)) {
            let mut file = file.bytes.to_vec();
            if text(&file, tag::NAME) == "test.proto" {
                put_field(&mut file, tag::FILE_SYNTAX, b"editions");
                put_number(&mut file, tag::FILE_EDITION, 1000);
                let mut options = Vec::new();
                put_field(&mut options, tag::FILE_FEATURES, features);
                put_field(&mut file, tag::FILE_OPTIONS, &options);
            }
            put_field(&mut out, tag::FILE, &file);
        }
        out
    }

    #[test]
    fn features_shape_the_wire() {
        for (features, json, expected) in [
            // Explicit presence, packed, open enums, lengths: the defaults.
            (
                &b""[..],
                r#"{"i":0,"r":[1,2],"m":{},"e":7}"#,
                &b"\x08\x00\x12\x02\x01\x02\x1a\x00\x20\x07"[..],
            ),
            // Implicit presence.
            (b"\x08\x02", r#"{"i":0,"r":[1,2],"e":7}"#, b"\x12\x02\x01\x02\x20\x07"),
            // Closed enums, expanded lists, delimited messages; the value of a map keeps its length.
            (
                b"\x10\x02\x18\x02\x28\x02",
                r#"{"r":[1,2],"m":{},"e":1}"#,
                b"\x10\x01\x10\x02\x1b\x1c\x20\x01",
            ),
            (b"\x28\x02", r#"{"map":{"k":{}}}"#, b"\x2a\x05\x0a\x01k\x12\x00"),
            (b"\x10\x02", r#"{"e":7}"#, b"7 is not a value of two.E"),
            (b"\x08\x03", "{}", b"required fields are missing: i, m, e"),
        ] {
            let schema = Schema::builder().descriptors(&edition(features)).build().unwrap();
            let message = schema.pool().get_message_by_name("two.M").unwrap();
            let written = schema.codec().json_to_wire(&Target::message(&message), json.as_bytes());
            match written {
                Ok(wire) => assert_eq!(wire, expected, "{json}"),
                Err(error) => assert_eq!(error.problem.as_bytes(), expected, "{json}"),
            }
        }
        assert!(Schema::builder().descriptors(b"\x0a\x05\x62\x08edi").build().is_err());
    }

    #[test]
    fn an_enum_is_open_or_closed_in_paths_and_queries_too() {
        let source = r#"
            syntax = "proto2"; package two; import "google/api/annotations.proto";
            enum E { A = 0; B = 1; }
            message M { optional E e = 1; repeated E r = 2; optional string s = 3; }
            service S {
                rpc Get(M) returns (M) { option (google.api.http) = {get: "/{e}"}; }
                rpc Find(M) returns (M) { option (google.api.http) = {get: "/q/{s}"}; }
            }
        "#;
        // Features; then the numbers that are refused. Without a choice an edition's enums are open.
        for (features, closed) in [(&b""[..], false), (b"\x10\x01", false), (b"\x10\x02", true)] {
            let schema = Schema::builder()
                .descriptors(&edition_of(source, features))
                .build()
                .unwrap();
            for (target, expected) in [
                ("/7", r#"{"e":7}"#),
                ("/q/x?e=7", r#"{"e":7,"s":"x"}"#),
                ("/q/x?r=7&r=B", r#"{"r":[7,"B"],"s":"x"}"#),
            ] {
                match fixture::bound(&schema, "GET", target, "") {
                    Ok(bound) => assert!(!closed && bound == expected, "{target} {features:?}: {bound}"),
                    Err(refusal) => assert!(
                        closed && refusal.contains("7 is not a value of two.E"),
                        "{target}: {refusal}"
                    ),
                }
            }
            assert_eq!(fixture::bound(&schema, "GET", "/1", "").unwrap(), r#"{"e":"B"}"#);
        }
    }
}
