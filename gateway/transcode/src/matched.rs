//! A request whose route is known: binds what came, renders what goes back.

use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::Kind;

use crate::alias::Alias;
use crate::bind::{self, BindError, Bound, HeaderFields};
use crate::binder::Binder;
use crate::codec::RenderError;
use crate::codec::token::DEPTH_MAX;
use crate::codec::wire::{self, WireType};
use crate::method::Method;
use crate::percent;
use crate::pretty;
use crate::renderer::Renderer;
use crate::route::Values;
use crate::rule::Route;
use crate::schema::Schema;
use crate::template::Segment;

/// The field of a resource that AIP-122 calls its name.
const RESOURCE_NAME: &str = "name";

/// A route that fits a request, with the values of its variables.
#[derive(Debug)]
pub struct Matched<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) route: &'s Route,
    /// Its place in [`Schema::routes`].
    pub(crate) index: usize,
    /// Decoded, as `route.captures`.
    pub(crate) values: Values<'s>,
    pub(crate) alias: Option<Alias>,
}

impl<'s> Matched<'s> {
    /// Says that a variable of the path may be an alias: a body that says what it stands for does not contradict it.
    pub fn set_alias(&mut self, alias: Option<Alias>) {
        self.alias = alias;
    }

    /// The RPC to call.
    pub fn method(&self) -> &'s Method {
        &self.route.rpc
    }

    /// The route.
    pub fn route(&self) -> &'s Route {
        self.route
    }

    /// The place of the route in [`Schema::routes`], for whoever keeps something beside each of them.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The decoded variables of the path: field path and value.
    pub fn captures(&self) -> impl Iterator<Item = (String, &str)> {
        let captures = self.route.template.captures.iter().zip(self.values.iter());
        captures.map(|(capture, value)| (capture.field_path.join("."), &**value))
    }

    /// Makes the request message, on the wire and without a frame, from path, raw query, headers and JSON body.
    ///
    /// ```
    /// use millrace_transcode::{HeaderFields, Schema};
    /// # let mut compiler = protox::Compiler::new(["src/fixture", "../../proto"])?;
    /// # let library = compiler.include_imports(true).open_file("shapes.proto")?.encode_file_descriptor_set();
    /// # let schema = Schema::builder().descriptors(&library).build()?;
    ///
    /// let matched = schema.find("POST", "/v1/namedShelves")?;
    /// let headers = HeaderFields {
    ///     idempotency_key: Some("k1"),
    ///     ..HeaderFields::default()
    /// };
    /// let request = matched.bind(None, br#"{"theme": "horror"}"#, &headers)?;
    /// assert_eq!(&request[..], b"\x0a\x08\x12\x06horror\x12\x02k1");
    ///
    /// let refused = matched.bind(None, br#"{"tehme": "horror"}"#, &headers).unwrap_err();
    /// assert_eq!(refused.violations[0].0, "shelf.tehme");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first thing that is unknown, malformed or contradictory, with its field path.
    pub fn bind(&self, query: Option<&str>, body: &[u8], headers: &HeaderFields<'_>) -> Result<Bytes, BindError> {
        bind::bind(self, query, body, headers)
    }

    /// The reader of a body that is a stream of messages: what path, query and headers bind is in each of them.
    /// `schema` is the one of the match.
    ///
    /// # Errors
    /// As [`Matched::bind`], for all but the body.
    pub fn binder(
        &self,
        schema: Arc<Schema>,
        query: Option<&str>,
        headers: &HeaderFields<'_>,
    ) -> Result<Binder, BindError> {
        let mut bound = Bound::new(self);
        bound.outside(self, query, headers)?;
        Ok(Binder::new(schema, self.route, &bound))
    }

    /// Writes one answer as JSON at the end of `out`, with `response_body` applied.
    ///
    /// ```
    /// use millrace_transcode::{Options, Schema};
    /// # let mut compiler = protox::Compiler::new(["src/fixture", "../../proto"])?;
    /// # let library = compiler.include_imports(true).open_file("shapes.proto")?.encode_file_descriptor_set();
    ///
    /// let options = Options {
    ///     json_defaults_omitted: true,
    ///     json_int64_as_number: true,
    ///     ..Options::default()
    /// };
    /// let schema = Schema::builder().descriptors(&library).options(options).build()?;
    /// let mut json = Vec::new();
    /// schema.find("GET", "/v1/shelves/7")?.render(b"\x08\x07", &mut json)?;
    /// assert_eq!(json, br#"{"id":7}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Bytes that are no such message, a value without a JSON form, or JSON that is larger than it may be.
    pub fn render(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), RenderError> {
        let settings = self.route.settings();
        let start = out.len();
        let field = self.route.response_body.as_ref();
        self.method().render(self.schema.codec(), field, message, out)?;
        let bytes_max = settings.write.bytes_max.unwrap_or(usize::MAX);
        if settings.pretty && !pretty::indent(out, start, bytes_max) {
            return Err(RenderError::TooLarge {
                field: String::new(),
                bytes_max,
            });
        }
        Ok(())
    }

    /// The writer of this route's answers, for a stream that outlives the match.
    ///
    /// # Panics
    /// `schema` is not the one of the match.
    pub fn renderer(&self, schema: Arc<Schema>) -> Renderer {
        assert!(
            std::ptr::eq(self.schema, &*schema),
            "the schema is the one of the match"
        );
        Renderer {
            schema,
            method: self.route.rpc.clone(),
            response_body: self.route.response_body.clone(),
        }
    }

    /// The path of a created resource: the answer's `name` under the route's own version, if a GET route captures it.
    pub fn location(&self, message: &[u8]) -> Option<String> {
        let field = self.method().output().get_field_by_name(RESOURCE_NAME)?;
        if field.kind() != Kind::String || field.is_list() {
            return None;
        }
        let Some(Segment::Literal(version)) = self.route.template.segments.first() else {
            return None;
        };
        let name = text_at_top(message, field.number()).filter(|name| !name.is_empty())?;
        let path = format!("/{}/{}", percent::encode_path(version), percent::encode_path(name));
        let is_readable = self.schema.find("GET", &path).is_ok_and(|readable| {
            readable.method().output() == self.method().output() && readable.values.iter().any(|value| value == name)
        });
        is_readable.then_some(path)
    }
}

/// The value of a text field of a message, none of whose other fields is decoded: of several the last one counts.
fn text_at_top(message: &[u8], number: u32) -> Option<&str> {
    let (mut wire, mut text) = (message, None);
    while !wire.is_empty() {
        let (field, wire_type) = wire::tag(&mut wire).ok()?;
        let value = wire::skip(&mut wire, field, wire_type, DEPTH_MAX).ok()?;
        if field == number && wire_type == WireType::Length {
            text = Some(value);
        }
    }
    std::str::from_utf8(text?).ok()
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use crate::fixture::{load, message, rule};
    use crate::schema::Schema;

    fn wire(schema: &Schema, kind: &str, fields: &[(&str, prost_reflect::Value)]) -> Vec<u8> {
        let mut built = prost_reflect::DynamicMessage::new(message(schema, kind));
        for (name, value) in fields {
            built.set_field_by_name(name, value.clone());
        }
        built.encode_to_vec()
    }

    #[test]
    fn a_creation_has_a_place_if_a_route_reads_it() {
        let schema = load(vec![]).unwrap();
        let created = schema.find("POST", "/v1/namedShelves").unwrap();
        for (name, expected) in [
            ("namedShelves/7", Some("/v1/namedShelves/7")),
            ("namedShelves/a b:c", Some("/v1/namedShelves/a%20b%3Ac")),
            ("namedShelves/7/books/8", None),
            ("other/7", None),
            ("//evil.example/", None),
            ("", None),
        ] {
            let shelf = wire(
                &schema,
                "NamedShelf",
                &[("name", prost_reflect::Value::String(name.to_owned()))],
            );
            assert_eq!(created.location(&shelf).as_deref(), expected, "{name}");
        }
        assert_eq!(created.location(b"\xff"), None);
        // A shelf by number has no name.
        assert_eq!(schema.find("GET", "/v1/shelves/7").unwrap().location(b""), None);
    }

    #[test]
    fn an_event_has_the_id_that_is_declared() {
        let schema = load(vec![]).unwrap();
        let id = |path: &str, event: &[u8]| {
            let mut id = Vec::new();
            let is_there = schema.find("GET", path).unwrap().method().put_sse_id(event, &mut id);
            is_there.then(|| String::from_utf8(id).unwrap())
        };
        let event = wire(&schema, "Event", &[("number", prost_reflect::Value::I64(42))]);
        assert_eq!(id("/v1/shelves:watch", &event).as_deref(), Some("42"));
        assert_eq!(id("/v1/shelves:watch", b"").as_deref(), Some("0"));
        assert_eq!(id("/v1/shelves:watch", b"\xff"), None);
        assert_eq!(id("/v1/shelves/7", b""), None);
    }

    #[test]
    fn response_body_cuts_one_field_out() {
        use prost_reflect::Value;
        for (field, set, unset) in [
            ("s", Value::String("x".to_owned()), (r#""x""#, r#""""#)),
            (
                "r_s",
                Value::List(vec![Value::String("x".to_owned())]),
                (r#"["x"]"#, "[]"),
            ),
            ("i64", Value::I64(5), (r#""5""#, r#""0""#)),
            ("k", Value::EnumNumber(1), (r#""HORROR""#, r#""KIND_UNSPECIFIED""#)),
        ] {
            check_response_body(field, Some(set), unset);
        }
        for (field, unset) in [
            ("nested", "{}"),
            ("st", "{}"),
            ("lv", "[]"),
            ("va", "null"),
            ("ts", "null"),
            ("w_s", "null"),
            ("m_ss", "{}"),
        ] {
            check_response_body(field, None, ("", unset));
        }
    }

    fn check_response_body(field: &str, set: Option<prost_reflect::Value>, expected: (&str, &str)) {
        let mut cut = rule("Shapes.Sink", "GET /sink", "");
        cut.response_body = field.to_owned();
        let schema = load(vec![cut]).unwrap();
        let matched = schema.find("GET", "/sink").unwrap();
        let mut out = Vec::new();
        matched.render(b"", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected.1, "{field}");
        if let Some(value) = set {
            let mut out = b"data: ".to_vec();
            matched
                .render(&wire(&schema, "SinkMessage", &[(field, value)]), &mut out)
                .unwrap();
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("data: {}", expected.0),
                "{field}"
            );
        }
        assert!(matched.render(b"\xff\xff", &mut Vec::new()).is_err());
    }
}
