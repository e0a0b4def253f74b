//! The table of RPCs: what each declares about itself by the options of `millrace.api.v1`, read by full name from the
//! descriptors at start. A method that declares no policy or no shard key, or contradicts itself, refuses to start.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use prost_reflect::{DescriptorPool, Kind, MethodDescriptor, ReflectMessage, ServiceDescriptor, Value};

const POLICY: &str = "millrace.api.v1.policy";
const SHARD_KEY: &str = "millrace.api.v1.shard_key";
const OPEN_BY: &str = "millrace.api.v1.open_by";

/// Bytes of a question about health: the full name of a service, with room.
const HEALTH_BYTES_MAX: usize = 1 << 10;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// The user whom the request names, or an operator.
    Owner,
    /// An operator.
    Admin,
}

impl Access {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Owner => "OWNER",
            Self::Admin => "ADMIN",
        }
    }
}

/// Whose data a call touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    /// No user's.
    Global,
    /// All users'.
    Scatter,
    /// Of the user named in a field.
    User(UserField),
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Scatter => f.write_str("scatter"),
            Self::User(field) => write!(f, "{}:{}", field.name, field.pattern),
        }
    }
}

/// Where a request names a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserField {
    /// Field numbers from the request message down to the string.
    pub(crate) path: Box<[u32]>,
    /// The same in names, as in `user.name`, for messages.
    pub(crate) name: Box<str>,
    /// The pattern, as in `users/*/orders/*`, for messages.
    pub(crate) pattern: Box<str>,
    /// Whether `users/-` is a question about all users (AIP-159): so for List methods that can say which shards they
    /// missed (AIP-217).
    pub(crate) scatters: bool,
}

/// One RPC.
#[derive(Debug)]
pub(crate) struct Rule {
    /// `package.Service/Method`.
    full_name: Arc<str>,
    service_bytes: usize,
    access: Access,
    data: Data,
    client_streaming: bool,
    server_streaming: bool,
    always_admitted: bool,
}

impl Rule {
    pub(crate) fn full_name(&self) -> &Arc<str> {
        &self.full_name
    }

    pub(crate) fn service(&self) -> &str {
        &self.full_name[..self.service_bytes]
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn client_streaming(&self) -> bool {
        self.client_streaming
    }

    pub(crate) fn server_streaming(&self) -> bool {
        self.server_streaming
    }

    /// The largest message, where others may have so many bytes. Health checks have no cap on their number, so it is their
    /// size that keeps strangers from filling the memory with them.
    pub(crate) fn message_bytes(&self, others: usize) -> usize {
        if self.always_admitted {
            others.min(HEALTH_BYTES_MAX)
        } else {
            others
        }
    }

    /// Health checks are answered at the limit of calls too: an overloaded server is not a dead one.
    pub(crate) fn always_admitted(&self) -> bool {
        self.always_admitted
    }
}

/// All RPCs by path. The table is built once and only read.
#[derive(Debug)]
pub(crate) struct Rules(HashMap<Box<str>, Rule>);

/// What is wrong with a method's declarations.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A service that is mounted has no descriptor.
    #[error("service {0} is mounted, but no module's descriptors hold it")]
    NoDescriptor(String),
    /// A method that declares no policy.
    #[error("method {0} has no option (millrace.api.v1.policy)")]
    NoPolicy(String),
    /// A method that declares no shard key.
    #[error("method {0} has no option (millrace.api.v1.shard_key); `global` says that it touches no user's data")]
    NoShardKey(String),
    /// A shard key that cannot be read, or contradicts the policy or the request message.
    #[error("method {method}: shard_key `{shard_key}` {problem}")]
    ShardKey {
        /// The method.
        method: String,
        /// As declared.
        shard_key: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An `open_by` that names no setting.
    #[error("method {method}: open_by `{setting}` names no setting that this server has")]
    OpenBy {
        /// The method.
        method: String,
        /// As declared.
        setting: String,
    },
}

impl Rules {
    /// Reads the rules of the mounted services.
    pub(crate) fn load<'a>(
        pool: &DescriptorPool,
        services: impl IntoIterator<Item = &'a str>,
        switches: &BTreeMap<String, bool>,
    ) -> Result<Self, RuleError> {
        let mut table = HashMap::new();
        for name in services {
            let service = pool
                .get_service_by_name(name)
                .ok_or_else(|| RuleError::NoDescriptor(name.to_owned()))?;
            for method in service.methods() {
                let rule = rule(pool, &service, &method, switches)?;
                table.insert(format!("/{}", rule.full_name).into(), rule);
            }
        }
        Ok(Self(table))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.values()
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Rule> {
        self.0.get(path)
    }
}

fn rule(
    pool: &DescriptorPool,
    service: &ServiceDescriptor,
    method: &MethodDescriptor,
    switches: &BTreeMap<String, bool>,
) -> Result<Rule, RuleError> {
    let full_name = format!("{}/{}", service.full_name(), method.name());
    let server_streaming = method.is_server_streaming();
    let (access, data) = if is_builtin(service.full_name()) {
        (Access::Public, Data::Global)
    } else {
        declared(pool, method, &full_name, switches)?
    };
    Ok(Rule {
        service_bytes: service.full_name().len(),
        always_admitted: service.full_name() == "grpc.health.v1.Health" && !server_streaming,
        full_name: full_name.into(),
        access,
        data,
        client_streaming: method.is_client_streaming(),
        server_streaming,
    })
}

/// Services of the gRPC project, whose files cannot carry our options. Reflection is mounted only where it is public.
fn is_builtin(service: &str) -> bool {
    service == "grpc.health.v1.Health" || service.starts_with("grpc.reflection.")
}

fn declared(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    full_name: &str,
    switches: &BTreeMap<String, bool>,
) -> Result<(Access, Data), RuleError> {
    let policy = option(pool, method, POLICY).and_then(|value| policy_name(pool, &value));
    let access = match policy.as_deref() {
        Some("POLICY_PUBLIC") => Access::Public,
        Some("POLICY_OWNER") => Access::Owner,
        Some("POLICY_ADMIN") => Access::Admin,
        _ => return Err(RuleError::NoPolicy(full_name.to_owned())),
    };
    let Some(Value::String(shard_key)) = option(pool, method, SHARD_KEY) else {
        return Err(RuleError::NoShardKey(full_name.to_owned()));
    };
    let data = data(method, access, &shard_key).map_err(|problem| RuleError::ShardKey {
        method: full_name.to_owned(),
        shard_key,
        problem,
    })?;
    let Some(Value::String(setting)) = option(pool, method, OPEN_BY) else {
        return Ok((access, data));
    };
    match switches.get(&setting) {
        Some(true) => Ok((Access::Public, data)),
        Some(false) => Ok((access, data)),
        None => Err(RuleError::OpenBy {
            method: full_name.to_owned(),
            setting,
        }),
    }
}

/// The value of a method option of ours, `None` where it is not set.
fn option(pool: &DescriptorPool, method: &MethodDescriptor, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name)?;
    let options = method.options();
    // The options of a method from another pool would not know the extension.
    (options.descriptor().full_name() == extension.containing_message().full_name()).then_some(())?;
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).into_owned())
}

fn policy_name(pool: &DescriptorPool, value: &Value) -> Option<String> {
    let Kind::Enum(policies) = pool.get_extension_by_name(POLICY)?.kind() else {
        return None;
    };
    policies
        .get_value(value.as_enum_number()?)
        .map(|policy| policy.name().to_owned())
}

fn data(method: &MethodDescriptor, access: Access, shard_key: &str) -> Result<Data, &'static str> {
    let (field_path, pattern) = match shard_key {
        "global" | "scatter" if access == Access::Owner => return Err("names no user, as the policy OWNER needs"),
        "scatter" if access == Access::Public => return Err("opens all users' data to everybody"),
        "global" => return Ok(Data::Global),
        "scatter" => return Ok(Data::Scatter),
        _ => shard_key
            .split_once(':')
            .ok_or("must be `global`, `scatter` or `field:pattern`")?,
    };
    if pattern != "users/*" && !pattern.starts_with("users/*/") {
        return Err("has a pattern that does not begin with `users/*`");
    }
    let mut message = method.input();
    let mut path = Vec::new();
    let mut names = field_path.split('.').peekable();
    while let Some(name) = names.next() {
        let field = message
            .get_field_by_name(name)
            .ok_or("names a field that the request does not have")?;
        // In a oneof a later member would clear this one, and a list or map has no one value.
        let in_oneof = field.containing_oneof().is_some() && !field.field_descriptor_proto().proto3_optional();
        if field.is_list() || field.is_map() || field.is_group() || in_oneof {
            return Err("names a field that is repeated, a map, a group or in a oneof");
        }
        path.push(field.number());
        match (field.kind(), names.peek()) {
            (Kind::Message(inner), Some(_)) => message = inner,
            (Kind::String, None) => {
                return Ok(Data::User(UserField {
                    path: path.into(),
                    name: field_path.into(),
                    pattern: pattern.into(),
                    scatters: method.name().starts_with("List")
                        && method.output().get_field_by_name("unreachable").is_some(),
                }));
            }
            _ => break,
        }
    }
    Err("must lead through messages to a string")
}
