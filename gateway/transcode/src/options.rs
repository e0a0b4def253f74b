//! Options of ours on methods, fields, enums and enum values, read **by full name** from the loaded descriptors.
//!
//! This crate links no generated code. A schema without `millrace/api/v1/options.proto` simply has none of them.

use std::borrow::Cow;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

/// HTTP status of a success, on a method.
pub(crate) const SUCCESS_CODE: &str = "millrace.api.v1.success_code";
/// Who may call a method.
pub(crate) const POLICY: &str = "millrace.api.v1.policy";
/// The enum of [`POLICY`]'s values.
pub(crate) const POLICIES: &str = "millrace.api.v1.Policy";
/// The boolean setting that opens a method to anybody.
pub(crate) const OPEN_BY: &str = "millrace.api.v1.open_by";
/// The field of a streamed message that is its SSE `id`.
pub(crate) const SSE_ID: &str = "millrace.api.v1.sse_id";
/// The request field that takes `Last-Event-ID`.
pub(crate) const SSE_LAST_EVENT_ID: &str = "millrace.api.v1.sse_last_event_id";
/// The request field that takes `Idempotency-Key`.
pub(crate) const IDEMPOTENCY_KEY: &str = "millrace.api.v1.idempotency_key";
/// Says that an enum's values are the reasons of this error domain.
pub(crate) const ERROR_DOMAIN: &str = "millrace.api.v1.error_domain";
/// HTTP status of a reason, where it is not its code's.
pub(crate) const HTTP_STATUS: &str = "millrace.api.v1.http_status";
/// Whether a retry may help.
pub(crate) const RETRYABLE: &str = "millrace.api.v1.retryable";
/// A sentence about a reason.
pub(crate) const DOC: &str = "millrace.api.v1.doc";

/// The value of the extension `name` in `options`, if the schema knows it and it is set.
pub(crate) fn get<'o>(pool: &DescriptorPool, options: &'o DynamicMessage, name: &str) -> Option<Cow<'o, Value>> {
    let extension = pool.get_extension_by_name(name)?;
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension))
}

/// A string option; empty is absent.
pub(crate) fn string(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<String> {
    get(pool, options, name)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A boolean option, false if absent.
pub(crate) fn flag(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> bool {
    get(pool, options, name)
        .and_then(|value| value.as_bool())
        .unwrap_or(false)
}

/// An HTTP status; what is none is ignored.
pub(crate) fn status(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<u16> {
    let number = get(pool, options, name)?.as_i32()?;
    u16::try_from(number).ok().filter(|status| (200..600).contains(status))
}

/// The first field of `message` on which the boolean option `name` is true.
pub(crate) fn marked_field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    // Options are decoded each time they are asked for, and most fields have none.
    message.parent_pool().get_extension_by_name(name)?;
    let mut fields = message.fields();
    fields.find(|field| {
        let has_options = field.field_descriptor_proto().options.is_some();
        has_options && flag(message.parent_pool(), &field.options(), name)
    })
}
