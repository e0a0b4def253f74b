//! HTTP rules: read from `google.api.http`, or given beside the schema by selector; checked against the messages.
//!
//! A checked rule is a [`Route`]: its variables, its body and its `response_body` are field descriptors, so that
//! nothing about names is left to be decided per request. Whatever is wrong refuses to load and names the RPC.

use std::sync::Arc;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::bind::{self, PlainCapture};
use crate::codec::known;
use crate::load::LoadError;
use crate::method::Method;
use crate::options;
use crate::settings::RouteSettings;
use crate::template::{Capture, Template};

/// Nested messages between a request and the field of a variable or parameter, at most.
pub(crate) const FIELD_PATH_MAX: usize = 64;

/// One HTTP rule, as in `google.api.HttpRule`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRule {
    /// For rules given beside the schema: `package.Service.Method`, or `package.Service.*`, `package.*`, `*`.
    pub selector: String,
    /// HTTP method in upper case; `*` is any.
    pub method: String,
    /// The path template.
    pub path: String,
    /// `*`, the name of a field of the request, or empty: no body.
    pub body: String,
    /// The name of a field of the answer, or empty: all of it.
    pub response_body: String,
    /// More rules for the same RPC; these have none themselves.
    pub additional: Vec<HttpRule>,
}

/// A binding of one RPC to one method and path.
#[derive(Debug)]
pub struct Route {
    pub(crate) rpc: Arc<Method>,
    /// Where the schema declares it among all routes: by file, service, RPC and binding. Set by the loader.
    pub(crate) declared_at: usize,
    pub(crate) http_method: String,
    pub(crate) path: String,
    pub(crate) template: Template,
    /// As `template.captures`.
    pub(crate) captures: Vec<Vec<FieldDescriptor>>,
    /// The same, if they are written to the wire as they are.
    pub(crate) plain: Option<Box<[PlainCapture]>>,
    pub(crate) body: Body,
    pub(crate) response_body: Option<FieldDescriptor>,
    /// The field mask that a PATCH fills from its body, if the caller does not.
    pub(crate) mask_field: Option<FieldDescriptor>,
}

/// Where a body goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// No body is bound.
    None,
    /// The whole request message.
    Whole,
    /// This field of the request.
    Field(FieldDescriptor),
}

impl Route {
    /// The RPC.
    pub fn method(&self) -> &Method {
        &self.rpc
    }

    /// The HTTP method in upper case, `*` for any.
    pub fn http_method(&self) -> &str {
        &self.http_method
    }

    /// The template, as it is written in the schema.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the body goes.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The field of the answer that is sent instead of all of it.
    pub fn response_body(&self) -> Option<&FieldDescriptor> {
        self.response_body.as_ref()
    }

    /// How strict the route is, how it writes and what it is limited to.
    pub fn settings(&self) -> &RouteSettings {
        self.rpc.settings()
    }
}

impl HttpRule {
    /// The rule among the options of a method, if it has one.
    pub(crate) fn of(options: &DynamicMessage) -> Option<Self> {
        options::get(options, "google.api.http")?
            .as_message()
            .map(Self::from_message)
    }

    fn from_message(message: &DynamicMessage) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut rule = Self::default();
        // What is set, one after the other: to ask for each field by name takes ten times as long.
        for (field, value) in message.fields() {
            match field.name() {
                "selector" => rule.selector = text(value),
                "body" => rule.body = text(value),
                "response_body" => rule.response_body = text(value),
                name @ ("get" | "put" | "post" | "delete" | "patch") => {
                    (rule.method, rule.path) = (name.to_ascii_uppercase(), text(value));
                }
                "custom" => {
                    let parts = value.as_message().into_iter().flat_map(DynamicMessage::fields);
                    for (part, value) in parts {
                        match part.name() {
                            "kind" => rule.method = text(value),
                            "path" => rule.path = text(value),
                            _ => {}
                        }
                    }
                }
                "additional_bindings" => {
                    let rules = value.as_list().unwrap_or_default().iter();
                    rule.additional = rules
                        .filter_map(|rule| rule.as_message().map(Self::from_message))
                        .collect();
                }
                _ => {}
            }
        }
        rule
    }

    /// The rule that binds an RPC by its own name.
    pub(crate) fn by_name(rpc: &Method) -> Self {
        Self {
            method: "POST".to_owned(),
            path: rpc.grpc_path().to_owned(),
            body: "*".to_owned(),
            ..Self::default()
        }
    }

    /// Whether the rule's selector names the RPC `package.Service.Method`.
    pub(crate) fn selects(&self, rpc: &str) -> bool {
        selects(&self.selector, rpc)
    }

    /// Checks the rule and those under it against the RPC's messages.
    pub(crate) fn routes(&self, rpc: &Arc<Method>) -> Result<Vec<Route>, LoadError> {
        if self.additional.iter().any(|rule| !rule.additional.is_empty()) {
            return Err(LoadError::NestedBindings {
                rpc: rpc.full_name().to_owned(),
            });
        }
        std::iter::once(self)
            .chain(&self.additional)
            .map(|rule| rule.route(rpc))
            .collect()
    }

    fn route(&self, rpc: &Arc<Method>) -> Result<Route, LoadError> {
        let name = || rpc.full_name().to_owned();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'+^`|~".contains(&byte);
        if self.method != "*" && (self.method.is_empty() || !self.method.bytes().all(is_token)) {
            return Err(LoadError::NoMethod { rpc: name() });
        }
        let template = Template::parse(&self.path).map_err(|source| LoadError::Template {
            rpc: name(),
            path: self.path.clone(),
            source,
        })?;
        let (input, output) = (rpc.input(), rpc.output());
        let captures: Vec<_> = template
            .captures
            .iter()
            .map(|capture| captured_field(rpc, &input, capture))
            .collect::<Result<_, _>>()?;
        let body = match self.body.as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            field => Body::Field(field_of(rpc, &input, "body", field)?),
        };
        let response_body = match self.response_body.as_str() {
            "" => None,
            field => Some(field_of(rpc, &output, "response_body", field)?),
        };
        let mask_field = if self.method == "PATCH" {
            sole_mask(&input, &body)
        } else {
            None
        };
        Ok(Route {
            rpc: Arc::clone(rpc),
            declared_at: 0,
            http_method: self.method.clone(),
            path: self.path.clone(),
            template,
            plain: bind::plain(&captures),
            captures,
            body,
            response_body,
            mask_field,
        })
    }
}

/// Whether a selector names the RPC `package.Service.Method`.
pub(crate) fn selects(selector: &str, rpc: &str) -> bool {
    match selector.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('.') && rpc.starts_with(prefix),
        None => selector == rpc,
    }
}

/// A field at the top of a message: `body` and `response_body` reach no deeper.
fn field_of(rpc: &Method, message: &MessageDescriptor, part: &str, name: &str) -> Result<FieldDescriptor, LoadError> {
    message.get_field_by_name(name).ok_or_else(|| LoadError::UnknownField {
        rpc: rpc.full_name().to_owned(),
        part: part.to_owned(),
        field: name.to_owned(),
        message: message.full_name().to_owned(),
    })
}

fn captured_field(
    rpc: &Method,
    input: &MessageDescriptor,
    capture: &Capture,
) -> Result<Vec<FieldDescriptor>, LoadError> {
    let refuse = || LoadError::VariableType {
        rpc: rpc.full_name().to_owned(),
        field: capture.field_path.join("."),
    };
    let mut message = Some(input.clone());
    let mut fields = Vec::with_capacity(capture.field_path.len());
    if capture.field_path.len() > FIELD_PATH_MAX {
        return Err(refuse());
    }
    for name in &capture.field_path {
        let field = field_of(rpc, &message.take().ok_or_else(refuse)?, "path variable", name)?;
        if field.is_list() || field.is_map() {
            return Err(refuse());
        }
        message = match field.kind() {
            Kind::Message(inner) if known::is_text(inner.full_name()) => None,
            Kind::Message(inner) => Some(inner),
            _ => None,
        };
        fields.push(field);
    }
    // A path is text: what it ends in must have a text form.
    if message.is_some() { Err(refuse()) } else { Ok(fields) }
}

/// The only field mask beside the body's field, for the rule of AIP-134.
fn sole_mask(input: &MessageDescriptor, body: &Body) -> Option<FieldDescriptor> {
    let Body::Field(resource) = body else { return None };
    if resource.is_list() || resource.is_map() || resource.kind().as_message().is_none() {
        return None;
    }
    let is_mask = |field: &FieldDescriptor| {
        !field.is_list()
            && field
                .kind()
                .as_message()
                .is_some_and(|kind| kind.full_name() == known::FIELD_MASK)
    };
    let mut masks = input.fields().filter(is_mask);
    masks.next().filter(|_| masks.next().is_none())
}

#[cfg(test)]
mod tests {
    #[test]
    fn selects_by_name_or_prefix() {
        for (selector, rpc, expected) in [
            ("pkg.Svc.Get", "pkg.Svc.Get", true),
            ("pkg.Svc.*", "pkg.Svc.Get", true),
            ("pkg.*", "pkg.Svc.Get", true),
            ("*", "pkg.Svc.Get", true),
            ("pkg.Svc.Ge", "pkg.Svc.Get", false),
            ("pkg.Svc.Ge*", "pkg.Svc.Get", false),
            ("", "pkg.Svc.Get", false),
        ] {
            assert_eq!(super::selects(selector, rpc), expected, "{selector}");
        }
    }
}
