//! Every RPC with its routes and rights, as `millrace routes` lists them: from descriptors alone, without a database.

use std::collections::BTreeMap;

use crate::chassis::StartError;
use crate::stack::Rules;

/// One line: an RPC and one of its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLine {
    /// HTTP method and path template; `None` for an RPC that only gRPC reaches.
    pub http: Option<(String, String)>,
    /// `package.Service/Method`.
    pub rpc: String,
    /// `PUBLIC`, `OWNER` or `ADMIN`, as the switches make it.
    pub policy: &'static str,
    /// The shard key as declared: `global`, `scatter`, or the field that names the user.
    pub shard_key: String,
}

/// Lists the RPCs that declare our options, by path and then by name. `switches` are the settings that methods name by
/// `open_by`.
///
/// # Errors
/// The descriptors cannot be used, or a method's declarations are missing or contradict each other.
pub fn routes(descriptors: &[&[u8]], switches: &BTreeMap<String, bool>) -> Result<Vec<RouteLine>, StartError> {
    let builder = descriptors
        .iter()
        .fold(millrace_gateway::Gateway::builder(), |builder, set| {
            builder.descriptors(set)
        });
    let gateway = builder.build()?;
    let schema = gateway.schema();
    let services: Vec<String> = schema
        .pool()
        .services()
        .map(|service| service.full_name().to_owned())
        .collect();
    let rules = Rules::load(schema.pool(), services.iter().map(String::as_str), switches)?;
    let mut lines = Vec::new();
    for rule in rules.iter() {
        let line = |http| RouteLine {
            http,
            rpc: rule.full_name().to_string(),
            policy: rule.access().name(),
            shard_key: rule.data().to_string(),
        };
        let bound = schema
            .routes()
            .filter(|route| route.method().full_name() == &**rule.full_name());
        let before = lines.len();
        lines.extend(bound.map(|route| line(Some((route.http_method().to_owned(), route.path().to_owned())))));
        if lines.len() == before {
            lines.push(line(None));
        }
    }
    // By path and then by method, so that what belongs together stands together; gRPC alone comes last.
    lines.sort_by_key(|line| {
        let http = line.http.clone().map(|(method, path)| (path, method));
        (http.is_none(), http, line.rpc.clone())
    });
    Ok(lines)
}
