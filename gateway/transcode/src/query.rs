//! Query parameters into fields, in the order in which they stand.
//!
//! `a.b=1` reaches into messages, `a=1&a=2` repeats, `m[key]=v` and `m.key=v` fill maps of scalars; proto and JSON
//! names both work. `+` is a space, `&` the only separator. `Struct`, `Value` and `ListValue` take JSON text.

use prost_reflect::{FieldDescriptor, Kind, MapKey, Value};

use crate::bind::{self, BindError, BindReason, Bound};
use crate::codec::{Codec, known, scalar, token};
use crate::echo;
use crate::percent;
use crate::rule::{Body, FIELD_PATH_MAX, Route};
use crate::settings::RouteSettings;
use crate::suggest;

/// Longest query, in bytes.
const QUERY_BYTES_MAX: usize = 32 * 1024;
/// Most parameters.
const PARAMETERS_MAX: usize = 1_000;
/// Settings that allow what is refused here.
const QUERY_UNKNOWN: &str = "query.ignore or query.unknown = \"ignore\"";
const QUERY_WITH_BODY: &str = "query.with_body";
const QUERY_IN_BODY_FIELD: &str = "query.in_body_field";
/// HTTP status of a query that is too long.
const URI_TOO_LONG: u16 = 414;

/// A parameter's name, resolved.
pub(crate) struct Parameter<'n> {
    pub(crate) fields: Vec<FieldDescriptor>,
    /// For a field that is a map.
    pub(crate) key: Option<&'n str>,
    /// It is inside the field that is the body, and repeated: its elements come after the body's.
    pub(crate) beside_body: bool,
}

/// Binds a raw query.
pub(crate) fn bind(
    bound: &mut Bound<'_>,
    route: &Route,
    settings: &RouteSettings,
    query: &str,
) -> Result<(), BindError> {
    if query.len() > QUERY_BYTES_MAX {
        let error = BindError::whole(format!("query: longer than {QUERY_BYTES_MAX} bytes"));
        return Err(BindError {
            http_status: Some(URI_TOO_LONG),
            ..error
        });
    }
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if index == PARAMETERS_MAX {
            return Err(BindError::whole(format!(
                "query: more than {PARAMETERS_MAX} parameters"
            )));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let malformed = || BindError::whole(format!("query: malformed percent-encoding in {}", echo::quoted(pair)));
        let name = percent::decode_query(name, settings.query_plus_literal).ok_or_else(malformed)?;
        let value = percent::decode_query(value, settings.query_plus_literal).ok_or_else(malformed)?;
        if let Some(parameter) = resolve(route, settings, &name)? {
            bound.parameter(&parameter, &value)?;
        }
    }
    Ok(())
}

/// Finds the field of a parameter; `None` if the parameter is to be dropped.
fn resolve<'n>(route: &Route, settings: &RouteSettings, name: &'n str) -> Result<Option<Parameter<'n>>, BindError> {
    let input = route.rpc.input();
    let first = &name[..name.find(['.', '[']).unwrap_or(name.len())];
    let Some(field) = named(&input, first) else {
        if settings.query_unknown_ignored || settings.query_ignore.iter().any(|pattern| is_listed(pattern, name)) {
            return Ok(None);
        }
        let names = bind::field_names(&input);
        let hint = suggest::nearest(first, names.iter().map(AsRef::as_ref));
        let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
        let text = format!("unknown query parameter {}{hint}", echo::quoted(name));
        let error = BindError::field(echo::short(first), text).relaxed_by(QUERY_UNKNOWN);
        return Err(BindError {
            reason: BindReason::UnknownParameter(echo::short(name).into()),
            ..error
        });
    };
    let is_body = matches!(&route.body, Body::Field(body) if *body == field);
    let whole = route.body == Body::Whole;
    if whole && !settings.query_with_body || is_body && !settings.query_in_body_field {
        if settings.query_body_bound_ignored {
            return Ok(None);
        }
        let (text, setting) = if whole {
            let text = "the body is the whole request; the query cannot set fields";
            (text, QUERY_WITH_BODY)
        } else {
            ("bound by the body; the query cannot set it", QUERY_IN_BODY_FIELD)
        };
        return Err(BindError::field(echo::short(name), text).relaxed_by(setting));
    }
    let mut parameter = descend(field, &name[first.len()..], name)?;
    parameter.beside_body = is_body && parameter.fields.last().is_some_and(FieldDescriptor::is_list);
    Ok(Some(parameter))
}

/// Follows `rest` (`.b.c`, `[key]`) from a field downwards.
fn descend<'n>(field: FieldDescriptor, rest: &'n str, name: &str) -> Result<Parameter<'n>, BindError> {
    let refuse = |text: &str| Err(BindError::field(echo::short(name), text));
    let mut fields = vec![field];
    let mut rest = rest;
    loop {
        let Some(last) = fields.last() else {
            return refuse("no field");
        };
        if last.is_map() {
            let bracketed = rest.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
            let Some(key) = bracketed.or_else(|| rest.strip_prefix('.')) else {
                return refuse("a map takes a key, as in `labels[key]=value`");
            };
            return Ok(Parameter {
                fields,
                key: Some(key),
                beside_body: false,
            });
        }
        let Some(deeper) = rest.strip_prefix('.') else {
            return if rest.is_empty() {
                Ok(Parameter {
                    fields,
                    key: None,
                    beside_body: false,
                })
            } else {
                refuse("not a map")
            };
        };
        if last.is_list() {
            return refuse("a query cannot reach into a repeated field");
        }
        let Kind::Message(inner) = last.kind() else {
            return refuse("a scalar has no fields");
        };
        if known::is_known(inner.full_name()) {
            return refuse("a well-known type is given as a whole");
        }
        if fields.len() == FIELD_PATH_MAX {
            return refuse("nested too deep");
        }
        let part = &deeper[..deeper.find(['.', '[']).unwrap_or(deeper.len())];
        let Some(next) = named(&inner, part) else {
            let names = bind::field_names(&inner);
            let hint = suggest::nearest(part, names.iter().map(AsRef::as_ref));
            let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
            return refuse(&format!(
                "{} has no field {}{hint}",
                inner.full_name(),
                echo::quoted(part)
            ));
        };
        fields.push(next);
        rest = &deeper[part.len()..];
    }
}

fn named(message: &prost_reflect::MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message
        .get_field_by_json_name(name)
        .or_else(|| message.get_field_by_name(name))
}

fn is_listed(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// The kind of one element of a repeated field, or one value of a map.
pub(crate) fn element_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// Whether a parameter can give the field, or an element of it: what [`value`] has a text form for.
pub(crate) fn has_text(field: &FieldDescriptor) -> bool {
    match element_kind(field) {
        Kind::Message(kind) => {
            let name = kind.full_name();
            known::is_text(name) || matches!(name, known::STRUCT | known::VALUE | known::LIST)
        }
        _ => true,
    }
}

/// The key of a map's entry from its text.
pub(crate) fn key(field: &FieldDescriptor, text: &str) -> Result<MapKey, String> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => scalar::map_key(&entry.map_entry_key_field().kind(), text),
        _ => Err("not a map".to_owned()),
    }
}

/// One value from the text of a path or query; the names of enum values may be in any case if the caller says so.
/// `depth` is how many messages are around the value.
pub(crate) fn value(codec: &Codec, kind: &Kind, text: &str, any_case: bool, depth: usize) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(format!("{} is neither true nor false", echo::quoted(text))),
        },
        Kind::Bytes => scalar::bytes(text).map(Value::Bytes),
        Kind::Enum(kind) if token::is_number(text) => scalar::enum_number(codec, kind, text),
        Kind::Enum(kind) => scalar::enum_name(kind, text, any_case),
        Kind::Message(kind) if known::is_wrapper(kind.full_name()) => {
            let field = kind.get_field(known::WRAPPED).ok_or("not a wrapper")?;
            let inner = value(codec, &field.kind(), text, any_case, depth)?;
            known::make(kind, [(known::WRAPPED, inner)]).map(Value::Message)
        }
        Kind::Message(kind) if matches!(kind.full_name(), known::STRUCT | known::VALUE | known::LIST) => {
            codec.message_from_json(kind, text, depth).map(Value::Message)
        }
        Kind::Message(kind) => match known::from_text(kind, text) {
            Some(message) => message.map(Value::Message),
            None => Err(format!("a {} cannot be given as text", kind.full_name())),
        },
        number => match scalar::non_finite(number, text) {
            Some(value) => Ok(value),
            None => scalar::number(number, text).unwrap_or_else(|| Err("not a number field".to_owned())),
        },
    }
}

#[cfg(test)]
mod tests;
