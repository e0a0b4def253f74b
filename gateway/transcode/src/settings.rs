//! How strict a schema is and how it writes: for all routes ([`Options`]), for some of them by selector
//! ([`RouteOptions`]), and as the routes of one RPC have it in the end ([`RouteSettings`]). All of it is decided at
//! load; a call reads plain values.

use std::time::Duration;

use crate::codec::{ReadOptions, WriteOptions};
use crate::rule::HttpRule;

pub(crate) mod field_status;

pub use field_status::FieldStatus;

/// How strict the schema is. The default is the profile for serving in process: everything is refused that is not
/// bound.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `query.ignore`: query parameters that are dropped; a trailing `*` matches any rest (`utm_*`).
    pub query_ignore: Vec<String>,
    /// `query.unknown = "ignore"`: drops unknown query parameters.
    pub query_unknown_ignored: bool,
    /// `query.with_body`: lets a query fill fields beside `body: "*"`.
    pub query_with_body: bool,
    /// `query.in_body_field`: lets a query fill fields inside the field that is the body. A repeated field has the
    /// body's elements first.
    pub query_in_body_field: bool,
    /// `query.body_bound = "ignore"`: drops query parameters of fields that only the body may set.
    pub query_body_bound_ignored: bool,
    /// `query.plus = "literal"`: a `+` in a query is a `+`, not a space.
    pub query_plus_literal: bool,
    /// `json.unknown = "ignore"`: drops unknown fields and enum names of a JSON body.
    pub json_unknown_ignored: bool,
    /// `json.enums_any_case`: reads the names of enum values in paths, queries and bodies in any case.
    pub json_enums_any_case: bool,
    /// `body.unbound = "ignore"`: drops a body where the rule binds none.
    pub body_unbound_ignored: bool,
    /// `path.trailing_slash = "strip"`: a path that is not bound is tried without its last `/`.
    pub trailing_slash_stripped: bool,
    /// `path.empty_segments`: lets a wildcard take an empty segment. For the whole schema: no selector changes it.
    pub path_empty_segments: bool,
    /// `path.decoding`: what stays percent-encoded in the value of a variable that can hold a `/`.
    pub path_decoding: PathDecoding,
    /// `path.bound = "strip"`: what query or body say about a field that the path binds, or about another member of its
    /// oneof, is dropped instead of refused; the path wins.
    pub path_bound_stripped: bool,
    /// `json.omit_defaults`: leaves fields with default values out of answers.
    pub json_defaults_omitted: bool,
    /// `json.enums_as_numbers`: writes enum values as numbers.
    pub json_enums_as_numbers: bool,
    /// `json.proto_names`: names fields in answers as the schema does. In bodies both names are read.
    pub json_proto_names: bool,
    /// `json.int64_as_number`: writes 64-bit integers as numbers, which JavaScript does not read exactly.
    pub json_int64_as_number: bool,
    /// `json.unknown_any = "refuse"`: an answer that holds an `Any` of a type that the schema lacks is an error, not
    /// shown as its bytes.
    pub json_unknown_any_refused: bool,
    /// `json.pretty`: writes unary answers on several lines, indented. Streams stay as they are: there a line is a
    /// frame.
    pub json_pretty: bool,
    /// `limits.response_json_bytes`: the most bytes of JSON that a message of an answer may have; more is an error. For
    /// the whole schema: no selector changes it. Without it the wire alone bounds them, of which a byte can be hundreds
    /// in JSON.
    pub json_bytes_max: Option<usize>,
    /// `rpc_paths`: RPCs without a rule are bound as `POST /package.Service/Method` with `body: "*"`, streams too.
    pub rpc_paths: bool,
    /// HTTP rules beside the schema, by selector; they replace the annotation of the RPCs that they select. Of two that
    /// select one RPC the last wins.
    pub rules: Vec<HttpRule>,
    /// Options for some RPCs: a selector (`package.Service.Method`, `package.Service.*`, `package.*`, `*`) and what it
    /// changes. Of two that change the same for one RPC the later wins; one that selects no RPC is an error.
    pub overrides: Vec<(String, RouteOptions)>,
    /// Rules and overrides that select no RPC are left out instead of refused: for a schema of which a part is yet to
    /// come.
    pub selectors_unmatched_ignored: bool,
}

/// What stays percent-encoded in the value of a path variable that covers several segments. A variable of one segment
/// is always decoded whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathDecoding {
    /// `slash`: `%2F` stays, all else is decoded, as `google/api/http.proto` says.
    #[default]
    Slash,
    /// `reserved`: the reserved characters of RFC 6570 stay, as Envoy does unless told otherwise.
    Reserved,
    /// `all`: nothing stays. A `/` that was data can then not be told from one that separates.
    All,
}

impl PathDecoding {
    /// The mode of a setting's text.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "slash" => Some(Self::Slash),
            "reserved" => Some(Self::Reserved),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// Options for the RPCs of one selector; what is `None` stays as it is. The fields are those of [`Options`], and more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteOptions {
    /// Replaces [`Options::query_ignore`].
    pub query_ignore: Option<Vec<String>>,
    /// See [`Options::query_unknown_ignored`].
    pub query_unknown_ignored: Option<bool>,
    /// See [`Options::query_with_body`].
    pub query_with_body: Option<bool>,
    /// See [`Options::query_in_body_field`].
    pub query_in_body_field: Option<bool>,
    /// See [`Options::query_body_bound_ignored`].
    pub query_body_bound_ignored: Option<bool>,
    /// See [`Options::query_plus_literal`].
    pub query_plus_literal: Option<bool>,
    /// See [`Options::json_unknown_ignored`].
    pub json_unknown_ignored: Option<bool>,
    /// See [`Options::json_enums_any_case`].
    pub json_enums_any_case: Option<bool>,
    /// See [`Options::body_unbound_ignored`].
    pub body_unbound_ignored: Option<bool>,
    /// See [`Options::trailing_slash_stripped`].
    pub trailing_slash_stripped: Option<bool>,
    /// See [`Options::path_decoding`].
    pub path_decoding: Option<PathDecoding>,
    /// See [`Options::path_bound_stripped`].
    pub path_bound_stripped: Option<bool>,
    /// See [`Options::json_defaults_omitted`].
    pub json_defaults_omitted: Option<bool>,
    /// See [`Options::json_enums_as_numbers`].
    pub json_enums_as_numbers: Option<bool>,
    /// See [`Options::json_proto_names`].
    pub json_proto_names: Option<bool>,
    /// See [`Options::json_int64_as_number`].
    pub json_int64_as_number: Option<bool>,
    /// See [`Options::json_unknown_any_refused`].
    pub json_unknown_any_refused: Option<bool>,
    /// See [`Options::json_pretty`].
    pub json_pretty: Option<bool>,
    /// See [`Options::rpc_paths`].
    pub rpc_path: Option<bool>,
    /// `success_code`: HTTP status of a success, 200 to 299; it replaces the one that the schema declares.
    pub success_code: Option<u16>,
    /// `status_by_field`: the HTTP statuses of unary answers by the value of a field; the first that holds.
    pub status_by_field: Option<Vec<FieldStatus>>,
    /// `deadline_max`: the longest a call may take; for a stream too, and for a caller who asks for no deadline.
    pub deadline_max: Option<Duration>,
    /// `body_bytes_max`: the largest body of a request.
    pub body_bytes_max: Option<usize>,
}

/// What [`Options`] and their overrides make for the routes of one RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteSettings {
    /// How bodies are read.
    pub read: ReadOptions,
    /// How answers are written.
    pub write: WriteOptions,
    /// See [`Options::json_pretty`].
    pub pretty: bool,
    /// See [`Options::query_ignore`].
    pub query_ignore: Vec<String>,
    /// See [`Options::query_unknown_ignored`].
    pub query_unknown_ignored: bool,
    /// See [`Options::query_with_body`].
    pub query_with_body: bool,
    /// See [`Options::query_in_body_field`].
    pub query_in_body_field: bool,
    /// See [`Options::query_body_bound_ignored`].
    pub query_body_bound_ignored: bool,
    /// See [`Options::query_plus_literal`].
    pub query_plus_literal: bool,
    /// See [`Options::body_unbound_ignored`].
    pub body_unbound_ignored: bool,
    /// See [`Options::trailing_slash_stripped`].
    pub trailing_slash_stripped: bool,
    /// See [`Options::path_decoding`].
    pub path_decoding: PathDecoding,
    /// See [`Options::path_bound_stripped`].
    pub path_bound_stripped: bool,
    /// See [`Options::rpc_paths`].
    pub rpc_path: bool,
    /// See [`RouteOptions::success_code`]; `None` leaves it to the schema.
    pub success_code: Option<u16>,
    /// See [`RouteOptions::status_by_field`].
    pub status_by_field: Vec<FieldStatus>,
    /// See [`RouteOptions::deadline_max`]; `None` leaves it to the server.
    pub deadline_max: Option<Duration>,
    /// See [`RouteOptions::body_bytes_max`]; `None` leaves it to the server.
    pub body_bytes_max: Option<usize>,
}

impl Options {
    pub(crate) fn read(&self) -> ReadOptions {
        ReadOptions {
            unknown_ignored: self.json_unknown_ignored,
            enums_any_case: self.json_enums_any_case,
        }
    }

    pub(crate) fn write(&self) -> WriteOptions {
        WriteOptions {
            defaults_omitted: self.json_defaults_omitted,
            enums_as_numbers: self.json_enums_as_numbers,
            proto_names: self.json_proto_names,
            int64_as_number: self.json_int64_as_number,
            unknown_any_refused: self.json_unknown_any_refused,
            bytes_max: self.json_bytes_max,
        }
    }

    /// What holds where no override selects.
    pub(crate) fn settings(&self) -> RouteSettings {
        RouteSettings {
            read: self.read(),
            write: self.write(),
            pretty: self.json_pretty,
            query_ignore: self.query_ignore.clone(),
            query_unknown_ignored: self.query_unknown_ignored,
            query_with_body: self.query_with_body,
            query_in_body_field: self.query_in_body_field,
            query_body_bound_ignored: self.query_body_bound_ignored,
            query_plus_literal: self.query_plus_literal,
            body_unbound_ignored: self.body_unbound_ignored,
            trailing_slash_stripped: self.trailing_slash_stripped,
            path_decoding: self.path_decoding,
            path_bound_stripped: self.path_bound_stripped,
            rpc_path: self.rpc_paths,
            success_code: None,
            status_by_field: Vec::new(),
            deadline_max: None,
            body_bytes_max: None,
        }
    }
}

impl RouteSettings {
    /// Applies one override.
    pub(crate) fn change(&mut self, by: &RouteOptions) {
        set(&mut self.read.unknown_ignored, by.json_unknown_ignored);
        set(&mut self.read.enums_any_case, by.json_enums_any_case);
        set(&mut self.write.defaults_omitted, by.json_defaults_omitted);
        set(&mut self.write.enums_as_numbers, by.json_enums_as_numbers);
        set(&mut self.write.proto_names, by.json_proto_names);
        set(&mut self.write.int64_as_number, by.json_int64_as_number);
        set(&mut self.write.unknown_any_refused, by.json_unknown_any_refused);
        set(&mut self.pretty, by.json_pretty);
        set(&mut self.query_ignore, by.query_ignore.clone());
        set(&mut self.query_unknown_ignored, by.query_unknown_ignored);
        set(&mut self.query_with_body, by.query_with_body);
        set(&mut self.query_in_body_field, by.query_in_body_field);
        set(&mut self.query_body_bound_ignored, by.query_body_bound_ignored);
        set(&mut self.query_plus_literal, by.query_plus_literal);
        set(&mut self.body_unbound_ignored, by.body_unbound_ignored);
        set(&mut self.trailing_slash_stripped, by.trailing_slash_stripped);
        set(&mut self.path_decoding, by.path_decoding);
        set(&mut self.path_bound_stripped, by.path_bound_stripped);
        set(&mut self.rpc_path, by.rpc_path);
        self.success_code = by.success_code.or(self.success_code);
        set(&mut self.status_by_field, by.status_by_field.clone());
        self.deadline_max = by.deadline_max.or(self.deadline_max);
        self.body_bytes_max = by.body_bytes_max.or(self.body_bytes_max);
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

#[cfg(test)]
mod tests;
