//! Why a schema is refused.

use prost_reflect::DescriptorError;

use crate::template::TemplateError;

/// Why a schema is refused. Each names the RPC to look at.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not an encoded `FileDescriptorSet`, or one that lacks an import.
    #[error("descriptors do not load")]
    Descriptors(#[source] DescriptorError),
    /// A `FileDescriptorSet` that contradicts itself in a way that the library has no words for.
    #[error("descriptors do not load: they contradict themselves")]
    Inconsistent,
    /// A message that is marked as the entry of a map, and is none: it lacks a key of a kind that a map may have, or a
    /// value (`descriptor.proto`, `MessageOptions.map_entry`).
    #[error("descriptors do not load: {message} is marked as a map's entry and has not the fields of one")]
    MapEntry {
        /// The message.
        message: String,
    },
    /// A path template does not parse.
    #[error("{rpc}: path `{path}` does not parse")]
    Template {
        /// The RPC.
        rpc: String,
        /// The template.
        path: String,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A rule without a method, or with one that HTTP has no word for.
    #[error("{rpc}: the http rule has no valid method")]
    NoMethod {
        /// The RPC.
        rpc: String,
    },
    /// A rule names a field that is not there.
    #[error("{rpc}: {part} names the unknown field `{field}` of {message}")]
    UnknownField {
        /// The RPC.
        rpc: String,
        /// `body`, `response_body` or `path variable`.
        part: String,
        /// The field.
        field: String,
        /// The message that lacks it.
        message: String,
    },
    /// A path variable's field is repeated, a map or a message without a text form.
    #[error("{rpc}: path variable `{field}` is not a field that a path can hold")]
    VariableType {
        /// The RPC.
        rpc: String,
        /// The field path.
        field: String,
    },
    /// `additional_bindings` inside `additional_bindings`.
    #[error("{rpc}: additional_bindings cannot be nested")]
    NestedBindings {
        /// The RPC.
        rpc: String,
    },
    /// Two rules that no request can tell apart.
    #[error("`{method} {path}` is bound twice: by {first} and by {second}")]
    Duplicate {
        /// HTTP method.
        method: String,
        /// Path template of the second.
        path: String,
        /// RPC that is bound already.
        first: String,
        /// RPC that wants the same.
        second: String,
    },
    /// More than 64 different HTTP methods.
    #[error("{rpc}: too many different HTTP methods")]
    TooManyMethods {
        /// The RPC with the last one.
        rpc: String,
    },
    /// `status_by_field` names what the answers of an RPC do not have.
    #[error("{rpc}: status_by_field {problem}")]
    StatusByField {
        /// The RPC.
        rpc: String,
        /// The setting, and what is wrong with it.
        problem: String,
    },
    /// A rule beside the schema selects no RPC.
    #[error("the rule with selector `{selector}` selects no RPC{}", did_you_mean(.near.as_deref()))]
    Selector {
        /// The selector.
        selector: String,
        /// The selector that may have been meant.
        near: Option<String>,
    },
    /// An override of options selects no RPC.
    #[error("the options with selector `{selector}` select no RPC{}", did_you_mean(.near.as_deref()))]
    OverrideSelector {
        /// The selector.
        selector: String,
        /// The selector that may have been meant.
        near: Option<String>,
    },
    /// An override's success code is no success.
    #[error("the options with selector `{selector}`: success code {code} is not between 200 and 299")]
    SuccessCode {
        /// The selector.
        selector: String,
        /// The code.
        code: u16,
    },
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}
