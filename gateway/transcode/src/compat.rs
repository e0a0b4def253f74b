//! Profiles for those who come from another gateway: the options under which requests that work there work here.
//!
//! A profile only loosens. What stays refused under each, because it is an accident or a hole there: a value in query
//! or body that overrides the path (here the path wins in silence), text after the JSON value of a body, a trailing
//! comma in it, a key that is given twice, a singular parameter that is given twice, integers in hexadecimal or octal.

use crate::settings::{Options, PathDecoding};

/// Another gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compat {
    /// grpc-ecosystem/grpc-gateway v2 with its default marshaler.
    GrpcGateway,
    /// Envoy's `grpc_json_transcoder`.
    Envoy,
}

impl Compat {
    /// All profiles.
    pub const ALL: [Self; 2] = [Self::GrpcGateway, Self::Envoy];

    /// The profile of a setting's text: `grpc-gateway` or `envoy`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The text of the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::GrpcGateway => "grpc-gateway",
            Self::Envoy => "envoy",
        }
    }

    /// The options of the profile, to be changed further.
    ///
    /// `grpc-gateway`: unknown names in queries and bodies are dropped, as are bodies that no rule binds and parameters
    /// of fields that the body binds; path variables are decoded whole (a `%2F` there splits segments before the match,
    /// which is not imitated) and may be empty. How it names headers and metadata is a matter of the server around the
    /// schema: `HeaderNames::GrpcGateway` of `millrace-gateway`.
    ///
    /// `envoy`: the same of unknown names (as with `ignore_unknown_query_parameters`, without which Envoy hands the
    /// request on as it is); a query fills fields beside and inside the body; reserved characters stay encoded in
    /// variables of several segments; a trailing `/` is stripped; `+` in a query is a `+`; defaults are left out of
    /// answers.
    pub fn options(self) -> Options {
        let common = Options {
            query_unknown_ignored: true,
            json_unknown_ignored: true,
            body_unbound_ignored: true,
            path_bound_stripped: true,
            ..Options::default()
        };
        match self {
            Self::GrpcGateway => Options {
                query_body_bound_ignored: true,
                path_decoding: PathDecoding::All,
                path_empty_segments: true,
                ..common
            },
            Self::Envoy => Options {
                query_with_body: true,
                query_in_body_field: true,
                query_plus_literal: true,
                path_decoding: PathDecoding::Reserved,
                trailing_slash_stripped: true,
                json_defaults_omitted: true,
                ..common
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{bound, load_with, rule};

    fn served(profile: Compat, cases: &[(&str, &str, &str)]) {
        let rules = vec![
            rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
            rule("Shapes.PutBook", "PUT /shelves/{shelf}/books/{book.id}", "book"),
            rule("Shapes.Sink", "POST /sink", "*"),
            rule("Routes.R0", "GET /files/{x=**}", ""),
        ];
        let schema = load_with(Options {
            rules,
            ..profile.options()
        })
        .unwrap();
        for (request, body, expected) in cases {
            let (method, target) = request.split_once(' ').unwrap();
            match bound(&schema, method, target, body) {
                Ok(message) => assert_eq!(message, *expected, "{request} {body}"),
                Err(refusal) => assert!(refusal.contains(expected), "{request} {body}: {refusal}"),
            }
        }
        // D16, D19: what no profile loosens.
        for (request, body) in [("POST /sink", "{}EXTRA"), ("POST /sink", r#"{"s":"a","s":"b"}"#)] {
            let (method, target) = request.split_once(' ').unwrap();
            assert!(bound(&schema, method, target, body).is_err(), "{body}");
        }
    }

    #[test]
    fn as_grpc_gateway() {
        served(
            Compat::GrpcGateway,
            &[
                ("GET /shelves/100?nope=1&shelf=9999", r#"{"x":1}"#, r#"{"shelf":"100"}"#),
                (
                    "PUT /shelves/1/books/7?book.title=x&request_id=r",
                    r#"{"id":"9","author":"L","nope":{}}"#,
                    r#"{"shelf":"1","book":{"id":"7","author":"L"},"requestId":"r"}"#,
                ),
                ("POST /sink?s=x", r#"{"i32":1}"#, r#"{"i32":1}"#),
                ("GET /files/a%2Fb/c%2B+", "", r#"{"x":"a/b/c++"}"#),
                ("GET /shelves/", "", "is not an integer"),
            ],
        );
    }

    #[test]
    fn as_envoy() {
        served(
            Compat::Envoy,
            &[
                ("GET /shelves/100/?nope=1&shelf=9999", "", r#"{"shelf":"100"}"#),
                (
                    "PUT /shelves/1/books/7?book.title=a+b",
                    r#"{"id":"9","author":"L","nope":{}}"#,
                    r#"{"shelf":"1","book":{"id":"7","author":"L","title":"a+b"}}"#,
                ),
                ("POST /sink?s=x", r#"{"i32":1}"#, r#"{"i32":1,"s":"x"}"#),
                ("GET /files/a%2Fb/%7E%2B", "", r#"{"x":"a%2Fb/~%2B"}"#),
            ],
        );
    }

    #[test]
    fn names() {
        for profile in Compat::ALL {
            assert_eq!(Compat::from_name(profile.name()), Some(profile));
        }
        assert_eq!(Compat::from_name("vanguard"), None);
    }
}
