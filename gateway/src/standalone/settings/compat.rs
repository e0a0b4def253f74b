//! The profiles of `compat` as values of settings, so that each shows where it came from and can be set beside them.

use serde_json::Value;

use crate::transcode::{Compat, Options, PathDecoding};

/// A setting that a profile may change, and its value under given options.
type Changed = (&'static str, fn(&Options) -> Value);

const CHANGED: [Changed; 14] = [
    ("query.unknown", |of| {
        word(of.query_unknown_ignored, ["reject", "ignore"])
    }),
    ("query.with_body", |of| of.query_with_body.into()),
    ("query.in_body_field", |of| of.query_in_body_field.into()),
    ("query.body_bound", |of| {
        word(of.query_body_bound_ignored, ["reject", "ignore"])
    }),
    ("query.plus", |of| word(of.query_plus_literal, ["space", "literal"])),
    ("body.unbound", |of| word(of.body_unbound_ignored, ["reject", "ignore"])),
    ("path.trailing_slash", |of| {
        word(of.trailing_slash_stripped, ["reject", "strip"])
    }),
    ("path.empty_segments", |of| of.path_empty_segments.into()),
    ("path.decoding", |of| decoding(of.path_decoding)),
    ("path.bound", |of| word(of.path_bound_stripped, ["reject", "strip"])),
    ("json.unknown", |of| word(of.json_unknown_ignored, ["reject", "ignore"])),
    ("json.omit_defaults", |of| of.json_defaults_omitted.into()),
    ("json.enums_any_case", |of| of.json_enums_any_case.into()),
    ("json.unknown_any", |of| {
        word(of.json_unknown_any_refused, ["show", "refuse"])
    }),
];

/// What a profile changes. An unknown name changes nothing; the table refuses it.
pub(super) fn values(profile: &str) -> Vec<(&'static str, Value)> {
    let Some(profile) = Compat::from_name(profile) else {
        return Vec::new();
    };
    let (strict, options) = (Options::default(), profile.options());
    let values = CHANGED
        .iter()
        .map(|(key, value)| (*key, value(&strict), value(&options)));
    let changed = values.filter(|(_, strict, value)| strict != value);
    // The one that is no matter of the transcoder's.
    let names = (profile == Compat::GrpcGateway).then(|| ("header_names", Value::from("grpc-gateway")));
    changed.map(|(key, _, value)| (key, value)).chain(names).collect()
}

fn word(is_second: bool, words: [&'static str; 2]) -> Value {
    Value::from(words[usize::from(is_second)])
}

fn decoding(decoding: PathDecoding) -> Value {
    Value::from(match decoding {
        PathDecoding::Slash => "slash",
        PathDecoding::Reserved => "reserved",
        PathDecoding::All => "all",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::HeaderNames;
    use crate::standalone::settings::load;

    #[test]
    fn a_profile_is_what_the_library_says() {
        for profile in Compat::ALL {
            let loaded = load(
                None,
                [],
                [("compat", json!(profile.name())), ("query.ignore", json!([]))],
            )
            .unwrap();
            let options = format!("{:?}", loaded.settings.options);
            assert_eq!(options, format!("{:?}", profile.options()), "{}", profile.name());
            let names = match profile {
                Compat::GrpcGateway => HeaderNames::GrpcGateway,
                _ => HeaderNames::Plain,
            };
            assert_eq!(loaded.settings.header_names, names);
        }
    }

    #[test]
    fn a_key_beside_a_profile_wins() {
        let flags = [("compat", json!("envoy")), ("query.unknown", json!("reject"))];
        let options = load(None, [], flags).unwrap().settings.options;
        assert!(!options.query_unknown_ignored && options.json_unknown_ignored);
    }
}
