//! Options of ours on methods, fields, enums and enum values, read **by full name** from the loaded descriptors.
//!
//! This crate links no generated code. A schema without `millrace/api/v1/options.proto` simply has none of them.

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
pub(crate) fn get<'o>(options: &'o DynamicMessage, name: &str) -> Option<&'o Value> {
    // Hardly any options have more than a few: to look through them is cheaper than to look the name up in the pool.
    let mut extensions = options.extensions();
    extensions.find_map(|(extension, value)| (extension.full_name() == name).then_some(value))
}

/// A string option; empty is absent.
pub(crate) fn string(options: &DynamicMessage, name: &str) -> Option<String> {
    get(options, name)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A boolean option, false if absent.
pub(crate) fn flag(options: &DynamicMessage, name: &str) -> bool {
    get(options, name).and_then(|value| value.as_bool()).unwrap_or(false)
}

/// An HTTP status; what is none is ignored.
pub(crate) fn status(options: &DynamicMessage, name: &str) -> Option<u16> {
    let number = get(options, name)?.as_i32()?;
    u16::try_from(number).ok().filter(|status| (200..600).contains(status))
}

/// The boolean options that mark fields, of those the ones that a schema declares: most declare none, and then no
/// message needs to be looked at.
pub(crate) struct Marks(Vec<&'static str>);

impl Marks {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let known = [SSE_ID, SSE_LAST_EVENT_ID, IDEMPOTENCY_KEY];
        let declared = known
            .into_iter()
            .filter(|name| pool.get_extension_by_name(name).is_some());
        Self(declared.collect())
    }

    /// The first field of `message` on which the option `name` is true.
    pub(crate) fn field(&self, message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
        if !self.0.contains(&name) {
            return None;
        }
        let mut fields = message.fields();
        fields.find(|field| {
            // Options are decoded each time they are asked for, and most fields have none.
            let has_options = field.field_descriptor_proto().options.is_some();
            has_options && flag(&field.options(), name)
        })
    }
}
