//! `millrace-gateway routes`.

use clap::Args;
use serde_json::json;

use super::settings::{Settings, UpstreamSettings};
use super::{Environment, Exit, Failure, SettingsArgs, output, run, schema};
use crate::transcode::{Body, Schema};

/// What is said instead of a list without a line.
const NO_ROUTES: &str = "no RPC has an HTTP rule: annotate RPCs with google.api.http, give rules by `http.rules` in \
                         the file of --config, or set `rpc_paths = true` there for POST /package.Service/Method";

/// Flags of `millrace-gateway routes`.
#[derive(Debug, Clone, Args)]
pub(super) struct Routes {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Prints one JSON object a line
    #[arg(long)]
    json: bool,
}

/// One route, as it is listed.
struct Line {
    method: String,
    path: String,
    rpc: String,
    /// Of the body's field, or `*`; none where the rule binds no body.
    body: Option<String>,
    /// None where no upstream has the service.
    upstream: Option<String>,
}

impl Routes {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let settings = self.settings.load(environment)?.settings;
        let source = run::source(&settings).await?;
        let gateway = schema::gateway(&settings, &source).map_err(schema::unloadable)?;
        let lines = lines(&settings, &source, gateway.schema());
        if lines.is_empty() {
            output::note(NO_ROUTES);
        }
        if self.json {
            for line in &lines {
                output::line(json!({
                    "method": line.method,
                    "path": line.path,
                    "rpc": line.rpc,
                    "body": line.body,
                    "upstream": line.upstream,
                }))?;
            }
            return Ok(Exit::Ok);
        }
        let width = |text: fn(&Line) -> &str| {
            let widths = lines.iter().map(|line| text(line).chars().count());
            widths.max().unwrap_or_default()
        };
        let (methods, paths) = (width(|line| &line.method), width(|line| &line.path));
        let (rpcs, bodies) = (width(|line| &line.rpc), width(|line| shown(&line.body)));
        for line in &lines {
            let Line {
                method,
                path,
                rpc,
                body,
                upstream,
            } = line;
            let (body, upstream) = (shown(body), shown(upstream));
            let text = format!("{method:methods$}  {path:paths$}  {rpc:rpcs$}  {body:bodies$}  {upstream}");
            output::line(text.trim_end())?;
        }
        Ok(Exit::Ok)
    }
}

/// As a table shows what is not there.
fn shown(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("-")
}

fn lines(settings: &Settings, source: &schema::Source, schema: &Schema) -> Vec<Line> {
    let owners = schema::owners(settings, source, schema);
    let lines = schema.routes().map(|route| {
        let service = route.method().descriptor().parent_service().full_name().to_owned();
        let owner = owners.iter().position(|services| services.contains(&service));
        Line {
            method: route.http_method().to_owned(),
            path: route.path().to_owned(),
            rpc: route.method().full_name().to_owned(),
            body: match route.body() {
                Body::None => None,
                Body::Whole => Some("*".to_owned()),
                Body::Field(field) => Some(field.name().to_owned()),
            },
            upstream: owner
                .and_then(|index| settings.upstreams.get(index))
                .map(UpstreamSettings::shown_url),
        }
    });
    lines.collect()
}
