//! The contract as the tests see it: loaded from the descriptors, independently of the gateway's own reading of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, Value,
};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(millrace_proto::FILE_DESCRIPTOR_SET).expect("the build made these descriptors")
});

/// The committed contract, which has the health service of the chassis too.
static BASELINE: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!("../../proto/baseline.binpb");
    DescriptorPool::decode(bytes).expect("buf made the baseline")
});

/// Who may call a method, as its proto declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The method declares nothing.
    Unspecified,
    /// Anybody.
    Public,
    /// The user whom the request names, or an operator.
    Owner,
    /// An operator.
    Admin,
}

/// How a method is called over REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// The HTTP method, as in `POST`.
    pub method: &'static str,
    /// The path template, as in `/v1/{name=users/*}:cancel`.
    pub path: String,
    /// Field that the body fills: empty for none, `*` for the whole message.
    pub body: String,
}

/// Every message, service and option.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// Every method of every service.
pub fn methods() -> impl Iterator<Item = MethodDescriptor> {
    pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// A method by its name in the form `millrace.ordering.v1.OrderingService/GetOrder`.
///
/// # Panics
/// There is none.
pub fn method(name: &str) -> MethodDescriptor {
    let (service, method) = name.split_once('/').expect("a method is named with its service");
    let service = pool()
        .get_service_by_name(service)
        .or_else(|| BASELINE.get_service_by_name(service));
    let found = service.and_then(|service| service.methods().find(|candidate| candidate.name() == method));
    found.unwrap_or_else(|| panic!("no method {name}"))
}

/// Who may call a method.
pub fn policy(method: &MethodDescriptor) -> Policy {
    match option(&method.options(), "millrace.api.v1.policy") {
        Some(Value::EnumNumber(1)) => Policy::Public,
        Some(Value::EnumNumber(2)) => Policy::Owner,
        Some(Value::EnumNumber(3)) => Policy::Admin,
        _ => Policy::Unspecified,
    }
}

/// Where a request names the user, empty if the method does not say.
pub fn shard_key(method: &MethodDescriptor) -> String {
    let declared = option(&method.options(), "millrace.api.v1.shard_key");
    declared
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The setting that opens a method to everybody, empty if there is none.
pub fn open_by(method: &MethodDescriptor) -> String {
    let declared = option(&method.options(), "millrace.api.v1.open_by");
    declared
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// How a method is called over REST, `None` if it is not.
pub fn http_rule(method: &MethodDescriptor) -> Option<HttpRule> {
    let rule = option(&method.options(), "google.api.http")?;
    let rule = rule.as_message()?;
    let text = |name: &str| {
        rule.get_field_by_name(name)
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    [
        ("get", "GET"),
        ("put", "PUT"),
        ("post", "POST"),
        ("delete", "DELETE"),
        ("patch", "PATCH"),
    ]
    .into_iter()
    .find(|(field, _)| !text(field).is_empty())
    .map(|(field, method)| HttpRule {
        method,
        path: text(field),
        body: text("body"),
    })
}

/// The field at a dotted path, `None` if a part of it is missing.
pub fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let (head, rest) = path
        .split_once('.')
        .map_or((path, None), |(head, rest)| (head, Some(rest)));
    let field = message.get_field_by_name(head)?;
    match rest {
        None => Some(field),
        Some(rest) => field_at(field.kind().as_message()?, rest),
    }
}

/// The reasons of the error catalogue, as they stand in `ErrorInfo`.
pub fn reasons() -> BTreeSet<String> {
    let catalogue: EnumDescriptor = pool()
        .get_enum_by_name("millrace.api.v1.Reason")
        .expect("reason.proto is compiled");
    let names = catalogue.values().filter(|value| value.number() != 0);
    names
        .map(|value| value.name().trim_start_matches("REASON_").to_owned())
        .collect()
}

fn option(options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool().get_extension_by_name(name)?;
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).into_owned())
}
