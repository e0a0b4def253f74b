//! Who may call an operation, as the server decides it: the method's policy under the settings in force.

use serde_json::{Value, json};

use crate::method::Method;
use crate::openapi::Info;
use crate::options;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody.
    Anybody,
    /// The user whom the request names, or an operator.
    Owner,
    /// An operator.
    Operator,
    /// The method does not say.
    Undeclared,
}

impl Access {
    pub(super) fn of(rpc: &Method, info: &Info) -> Self {
        let descriptor = rpc.descriptor();
        let (pool, declared) = (descriptor.parent_pool(), descriptor.options());
        let opened = options::string(&declared, options::OPEN_BY);
        if opened.is_some_and(|setting| info.switches.get(&setting).copied().unwrap_or_default()) {
            return Self::Anybody;
        }
        let policy = options::get(&declared, options::POLICY)
            .and_then(|value| value.as_enum_number())
            .and_then(|number| {
                let policies = pool.get_enum_by_name(options::POLICIES)?;
                Some(policies.get_value(number)?.name().to_owned())
            });
        match policy.as_deref() {
            Some("POLICY_PUBLIC") => Self::Anybody,
            Some("POLICY_OWNER") => Self::Owner,
            Some("POLICY_ADMIN") => Self::Operator,
            _ => Self::Undeclared,
        }
    }

    pub(super) fn needs_key(self) -> bool {
        matches!(self, Self::Owner | Self::Operator)
    }

    /// What the scheme of a key cannot say: whose.
    pub(super) fn note(self) -> Option<&'static str> {
        match self {
            Self::Owner => Some("Needs a key of the user whom the path names, or an operator's."),
            Self::Operator => Some("Needs an operator's key."),
            Self::Anybody | Self::Undeclared => None,
        }
    }
}

/// The name of a key in `Authorization: Bearer`.
const BEARER: &str = "bearer";
/// The name of a key in a header of its own.
const HEADER: &str = "apiKey";

/// How a key is sent, for `components`; `None` where there are no keys.
pub(super) fn schemes(info: &Info) -> Option<Value> {
    let about = info.bearer.as_ref()?;
    let mut schemes = json!({BEARER: {"type": "http", "scheme": "bearer", "description": about}});
    if let Some(name) = &info.key_header {
        schemes[HEADER] = json!({"type": "apiKey", "in": "header", "name": name, "description": about});
    }
    Some(schemes)
}

/// What an operation asks for: nothing, or a key in one of the ways; `None` where there are no keys.
pub(super) fn security(access: Access, info: &Info) -> Option<Value> {
    info.bearer.as_ref()?;
    if access == Access::Anybody {
        return Some(json!([]));
    }
    let mut ways = vec![json!({BEARER: []})];
    if info.key_header.is_some() {
        ways.push(json!({HEADER: []}));
    }
    Some(Value::Array(ways))
}
