//! Query parameters into fields, in the order in which they stand.
//!
//! `a.b=1` reaches into messages, `a=1&a=2` repeats, `m[key]=v` and `m.key=v` fill maps of scalars; proto and JSON names
//! both work. `+` is a space, `&` the only separator. `Struct`, `Value` and `ListValue` take JSON text.

use prost_reflect::{FieldDescriptor, Kind, MapKey, Value};

use crate::bind::{self, BindError, Bound};
use crate::codec::{Codec, known, scalar, token};
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
        let malformed = || BindError::whole(format!("query: malformed percent-encoding in {}", scalar::quote(pair)));
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
        let text = format!(
            "unknown query parameter {}{hint} (setting query.ignore drops it)",
            scalar::quote(name)
        );
        return Err(BindError::field(first, text).relaxed_by(QUERY_UNKNOWN));
    };
    let is_body = matches!(&route.body, Body::Field(body) if *body == field);
    let whole = route.body == Body::Whole;
    if whole && !settings.query_with_body || is_body && !settings.query_in_body_field {
        if settings.query_body_bound_ignored {
            return Ok(None);
        }
        let (text, setting) = if whole {
            let text = "the body is the whole request; the query cannot set fields (setting query.with_body allows it)";
            (text, QUERY_WITH_BODY)
        } else {
            let text = "bound by the body; the query cannot set it (setting query.in_body_field allows it)";
            (text, QUERY_IN_BODY_FIELD)
        };
        return Err(BindError::field(name, text).relaxed_by(setting));
    }
    let mut parameter = descend(field, &name[first.len()..], name)?;
    parameter.beside_body = is_body && parameter.fields.last().is_some_and(FieldDescriptor::is_list);
    Ok(Some(parameter))
}

/// Follows `rest` (`.b.c`, `[key]`) from a field downwards.
fn descend<'n>(field: FieldDescriptor, rest: &'n str, name: &str) -> Result<Parameter<'n>, BindError> {
    let refuse = |text: &str| Err(BindError::field(name, text));
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
                scalar::quote(part)
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

/// The key of a map's entry from its text.
pub(crate) fn key(field: &FieldDescriptor, text: &str) -> Result<MapKey, String> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => scalar::map_key(&entry.map_entry_key_field().kind(), text),
        _ => Err("not a map".to_owned()),
    }
}

/// One value from the text of a path or query; the names of enum values may be in any case if the caller says so.
pub(crate) fn value(codec: &Codec, kind: &Kind, text: &str, any_case: bool) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(format!("{} is neither true nor false", scalar::quote(text))),
        },
        Kind::Bytes => scalar::bytes(text).map(Value::Bytes),
        Kind::Enum(kind) if token::is_number(text) => scalar::enum_number(kind, text),
        Kind::Enum(kind) => scalar::enum_name(kind, text, any_case),
        Kind::Message(kind) if known::is_wrapper(kind.full_name()) => {
            let field = kind.get_field(known::WRAPPED).ok_or("not a wrapper")?;
            let inner = value(codec, &field.kind(), text, any_case)?;
            known::make(kind, [(known::WRAPPED, inner)]).map(Value::Message)
        }
        Kind::Message(kind) if matches!(kind.full_name(), known::STRUCT | known::VALUE | known::LIST) => {
            codec.message_from_json(kind, text).map(Value::Message)
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
mod tests {
    use crate::fixture::{bound, load, load_with, rule};
    use crate::settings::Options;

    fn ok(expected: &str) -> Result<String, String> {
        Ok(expected.to_owned())
    }

    /// Binds queries to a sink; an expectation that is no object is a part of the refusal.
    fn check(cases: &[(&str, &str)]) {
        let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
        for (query, expected) in cases {
            match bound(&schema, "GET", &format!("/sink?{query}"), "") {
                Ok(message) => assert_eq!(message, *expected, "{query}"),
                Err(refusal) if !expected.starts_with('{') => assert!(refusal.contains(expected), "{query}: {refusal}"),
                Err(refusal) => panic!("{query}: {refusal}"),
            }
        }
    }

    #[test]
    fn scalars() {
        check(&[
            ("", "{}"),
            ("&&s=a", r#"{"s":"a"}"#),
            (
                "i32=-2&i64=-1&u32=4&u64=3&f32=1.5&f64=2.5&b=true&s=str&k=1",
                r#"{"i32":-2,"i64":"-1","u32":4,"u64":"3","f32":1.5,"f64":2.5,"b":true,"s":"str","k":"HORROR"}"#,
            ),
            ("b=1", r#"{"b":true}"#),
            ("b=0", "{}"),
            ("b=t", "neither true nor false"),
            ("b=TRUE", "neither true nor false"),
            ("k=CHILDREN", r#"{"k":"CHILDREN"}"#),
            ("k=99", r#"{"k":99}"#),
            ("k=children", "did you mean CHILDREN?"),
            (
                "r_k=HORROR&r_k=2&r_k=0",
                r#"{"rK":["HORROR","CHILDREN","KIND_UNSPECIFIED"]}"#,
            ),
            ("by=Ynl0ZXM=", r#"{"by":"Ynl0ZXM="}"#),
            ("by=Ynl0ZXM", r#"{"by":"Ynl0ZXM="}"#),
            ("by=YWJjMTIzIT8kKiYoKSctPUB-", r#"{"by":"YWJjMTIzIT8kKiYoKSctPUB+"}"#),
            ("by=!", "not base64"),
            ("r_s=a&r_s=b&r_s=c", r#"{"rS":["a","b","c"]}"#),
            ("s=Hello+world&r_s=%2B+%20", r#"{"s":"Hello world","rS":["+  "]}"#),
            ("s", "{}"),
            ("s=", "{}"),
            ("opt_s", r#"{"optS":""}"#),
            ("i32=", "not an integer"),
            ("=x", "unknown query parameter"),
            ("s=a;b&r_s=c;d", r#"{"s":"a;b","rS":["c;d"]}"#),
            ("s=%zz", "malformed percent-encoding"),
            ("s=a&s=b", "s: given twice"),
            ("s=a&S=b", "unknown query parameter"),
        ]);
    }

    #[test]
    fn numbers() {
        check(&[
            ("i32=1.0", r#"{"i32":1}"#),
            ("i32=1e2", r#"{"i32":100}"#),
            ("i32=120e-1", r#"{"i32":12}"#),
            ("i32=-2147483648", r#"{"i32":-2147483648}"#),
            ("i32=1.5", "not an integer"),
            ("i32=1e-1", "not an integer"),
            ("i32=2147483648", "not between"),
            ("i32=1e999999999999", "not between"),
            ("i32=0e999999999999", "{}"),
            ("i32=1e-999999999999", "not an integer"),
            ("i32=0x10", "not an integer"),
            ("i32=010", "not an integer"),
            ("i32=+1", "not an integer"),
            ("i32=%201", "not an integer"),
            ("u32=-1", "not between"),
            ("u32=-0", "{}"),
            (
                "u32=4294967295&u64=18446744073709551615",
                r#"{"u32":4294967295,"u64":"18446744073709551615"}"#,
            ),
            ("u64=18446744073709551616", "not between"),
            ("i64=-9223372036854775808", r#"{"i64":"-9223372036854775808"}"#),
            ("f64=NaN", r#"{"f64":"NaN"}"#),
            ("f64=-Infinity", r#"{"f64":"-Infinity"}"#),
            ("f64=inf", "not a number"),
            ("f64=1e400", "out of range"),
            ("f32=3.5e38", "out of range"),
            ("f32=3.4028235e38", r#"{"f32":3.4028235e+38}"#),
        ]);
    }

    #[test]
    fn well_known_types() {
        check(&[
            (
                "ts=2016-12-15T12:23:32.000000049Z",
                r#"{"ts":"2016-12-15T12:23:32.000000049Z"}"#,
            ),
            ("ts=0000-01-01T00:00:00Z", "ts: "),
            ("ts=null", "ts: not a timestamp"),
            ("dur=null", "dur: not a duration"),
            ("dur=1.5s", r#"{"dur":"1.500s"}"#),
            ("fm=fooBar,baz.quxQuux", r#"{"fm":"fooBar,baz.quxQuux"}"#),
            (
                "w_i64=-1&w_s=&w_b=false&w_by=Ynl0ZXM=",
                r#"{"wI64":"-1","wS":"","wB":false,"wBy":"Ynl0ZXM="}"#,
            ),
            ("st=%7B%22a%22:%7B%22b%22:1%7D%7D", r#"{"st":{"a":{"b":1}}}"#),
            ("va=%22%22", r#"{"va":""}"#),
            ("va=[]", r#"{"va":[]}"#),
            ("va=0", r#"{"va":0}"#),
            ("va=true", r#"{"va":true}"#),
            ("va=null", r#"{"va":null}"#),
            ("va=text", "not JSON"),
            ("st=[]", "expected an object"),
            ("any=x", "cannot be given as text"),
            ("nested=x", "cannot be given as text"),
            ("ts.seconds=1", "as a whole"),
        ]);
    }

    #[test]
    fn maps_and_messages() {
        check(&[
            ("m_ss[key]=v&m_ss[fourth]=", r#"{"mSs":{"fourth":"","key":"v"}}"#),
            (
                "m_i32s[-2]=v&m_bs[true]=v",
                r#"{"mI32s":{"-2":"v"},"mBs":{"true":"v"}}"#,
            ),
            ("m_ss.key=v&m_ss.a.b=w", r#"{"mSs":{"a.b":"w","key":"v"}}"#),
            ("m_ss[~!@%23$%25^%26*()]=v", r##"{"mSs":{"~!@#$%^&*()":"v"}}"##),
            ("m_ss[a]=1&m_ss[a]=2", "key given twice"),
            ("m_ss=1", "takes a key"),
            ("m_ss[a=1", "takes a key"),
            ("m_i32s[x]=v", "not an integer"),
            ("m_bs[yes]=v", "neither true nor false"),
            ("m_sm[k]=v", "cannot be given as text"),
            (
                "nested.nested.m_ss[first]=foo",
                r#"{"nested":{"nested":{"mSs":{"first":"foo"}}}}"#,
            ),
            ("o_s=x", r#"{"oS":"x"}"#),
            ("oS=x", r#"{"oS":"x"}"#),
            ("o_s=x&o_b=true", "excluded by `o_s`"),
            ("o_m.i64=-1&o_m.s=foo", r#"{"oM":{"i64":"-1","s":"foo"}}"#),
            ("o_m.s=foo&o_s=x", "excluded by `o_m`"),
            ("o_s=x&o_m.s=foo", "excluded by `o_s`"),
            ("r_m.theme=1", "cannot reach into a repeated field"),
            ("s.x=1", "a scalar has no fields"),
            ("s[x]=1", "not a map"),
            ("nested.tehme=1", "has no field"),
            ("nested.=1", "has no field"),
            ("Fancy=x", r#"{"Fancy":"x"}"#),
            ("json_named=x", r#"{"Fancy":"x"}"#),
            ("jsonNamed=x", "unknown query parameter"),
        ]);
        check(&[
            (&format!("{}s=x", "nested.".repeat(65)), "nested too deep"),
            (&vec!["r_s=x"; 2_000].join("&"), "more than 1000 parameters"),
            (
                &vec!["r_s=x"; 1_000].join("&"),
                &format!("{{\"rS\":[{}]}}", vec!["\"x\""; 1_000].join(",")),
            ),
        ]);
    }

    #[test]
    fn a_long_query_is_414() {
        let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
        let query = format!("s={}", "x".repeat(64 * 1024));
        let error = schema
            .find("GET", "/sink")
            .unwrap()
            .bind(Some(&query), b"", &Default::default())
            .unwrap_err();
        assert_eq!((error.code, error.http_status), (3, Some(414)));
    }

    #[test]
    fn unknown_parameters() {
        let rules = vec![rule("Library.GetShelf", "GET /shelves/{shelf}", "")];
        let strict = load(rules.clone()).unwrap();
        let refusal = bound(&strict, "GET", "/shelves/100?veiw=x", "").unwrap_err();
        for part in ["veiw: ", "did you mean `view`?"] {
            assert!(refusal.contains(part), "{refusal}");
        }
        assert_eq!(bound(&strict, "GET", "/shelves/100?", ""), ok(r#"{"shelf":"100"}"#));

        let query_ignore = vec!["key".to_owned(), "utm_*".to_owned()];
        let listed = load_with(Options {
            rules: rules.clone(),
            query_ignore,
            ..Options::default()
        })
        .unwrap();
        assert_eq!(
            bound(&listed, "GET", "/shelves/100?key=secret&utm_source=a", ""),
            ok(r#"{"shelf":"100"}"#)
        );
        assert!(bound(&listed, "GET", "/shelves/100?keys=secret", "").is_err());

        let ignoring = load_with(Options {
            rules,
            query_unknown_ignored: true,
            ..Options::default()
        })
        .unwrap();
        assert_eq!(
            bound(&ignoring, "GET", "/shelves/100?anything=x", ""),
            ok(r#"{"shelf":"100"}"#)
        );
    }

    #[test]
    fn the_path_is_not_overridden() {
        let rules = vec![
            rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
            rule("Shapes.Sink", "GET /sink/{o_s}", ""),
        ];
        let schema = load(rules).unwrap();
        for (target, expected) in [
            ("/shelves/100?shelf=9999", "shelf: bound by the path"),
            ("/shelves/100?shelf=100", "shelf: bound by the path"),
            ("/shelves/abc", "shelf: \"abc\" is not an integer"),
            ("/sink/x?o_b=true", "o_b: excluded by `o_s`"),
            ("/sink/x?oS=y", "o_s: bound by the path"),
        ] {
            let refusal = bound(&schema, "GET", target, "").unwrap_err();
            assert!(refusal.starts_with(expected), "{target}: {refusal}");
        }
    }

    #[test]
    fn beside_a_body() {
        let rules = vec![
            rule("Shapes.PutBook", "PUT /shelves/{shelf}/books", "book"),
            rule("Shapes.Sink", "POST /sink", "*"),
        ];
        let schema = load(rules.clone()).unwrap();
        let put = "/shelves/1/books?request_id=7";
        assert_eq!(
            bound(&schema, "PUT", put, r#"{"author":"L"}"#),
            ok(r#"{"shelf":"1","book":{"author":"L"},"requestId":"7"}"#)
        );
        for (method, target, expected) in [
            ("PUT", "/shelves/1/books?book.title=x", "book.title: bound by the body"),
            ("POST", "/sink?s=x", "setting query.with_body"),
        ] {
            let refusal = bound(&schema, method, target, "{}").unwrap_err();
            assert!(refusal.contains(expected), "{target}: {refusal}");
        }
        let with_body = load_with(Options {
            rules,
            query_with_body: true,
            ..Options::default()
        })
        .unwrap();
        assert_eq!(
            bound(&with_body, "POST", "/sink?s=x", r#"{"i32":1}"#),
            ok(r#"{"i32":1,"s":"x"}"#)
        );
        assert!(
            bound(&with_body, "POST", "/sink?s=x", r#"{"s":"y"}"#)
                .unwrap_err()
                .contains("query binds")
        );
    }
}
