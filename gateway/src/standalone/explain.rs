//! `millrace-gateway explain`: why a request is answered as it is, without a call.

use std::path::PathBuf;

use clap::Args;
use millrace_cli::read_stream;
use serde_json::json;

use super::{Environment, Exit, Failure, SettingsArgs, output, run, schema};
use crate::transcode::{Explanation, HeaderFields};

/// Flags of `millrace-gateway explain`.
#[derive(Debug, Clone, Args)]
pub(super) struct Explain {
    /// HTTP method
    #[arg(value_name = "METHOD")]
    method: String,
    /// Path and query, as they are sent
    #[arg(value_name = "PATH")]
    path: String,
    /// The request's body, taken for JSON. A real request with a body has to say `Content-Type:
    /// application/json`, or it is a 415
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A header that fills a field, `Idempotency-Key: 7` or `Last-Event-ID: 7`; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Bytes of a body.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Reads a header as curl's `-H` does.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

impl Explain {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let settings = self.settings.load(environment)?.settings;
        let source = run::source(&settings).await?;
        let gateway = schema::gateway(&settings, &source).map_err(schema::unloadable)?;
        let body = match &self.body {
            // A pipe too: a body is often what another command makes.
            Some(path) => read_stream(path, BODY_BYTES_MAX).map_err(|error| {
                Failure::new(
                    Exit::Unreachable,
                    format!("body {} cannot be read", path.display()),
                    error,
                )
            })?,
            None => Vec::new(),
        };
        let value = |name: &str| {
            let found = self.header.iter().rev().find(|(given, _)| given == name);
            found.map(|(_, value)| value.as_str())
        };
        let headers = HeaderFields {
            idempotency_key: value("idempotency-key"),
            last_event_id: value("last-event-id"),
        };
        let explanation = gateway.schema().explain(&self.method, &self.path, &headers, &body);
        let services = schema::owners(&settings, &source, gateway.schema());
        let owner = explanation.route.as_ref().and_then(|route| {
            let service = route.rpc.split('/').next()?;
            let index = services.iter().position(|of| of.iter().any(|owned| owned == service))?;
            Some(settings.upstreams.get(index)?.shown_url())
        });
        let call = explanation.grpcurl(owner.as_deref().unwrap_or("HOST:PORT"));
        if self.json {
            output::line(as_json(&explanation, owner.as_deref(), call.as_deref()))?;
        } else {
            output::text(&explanation.to_string())?;
            if let Some(owner) = owner {
                output::line(format_args!("upstream: {owner}"))?;
            }
            if let Some(call) = call {
                output::line(format_args!("grpcurl: {call}"))?;
            }
        }
        Ok(match explanation.refusal {
            Some(_) => Exit::CheckFailed,
            None => Exit::Ok,
        })
    }
}

fn as_json(explanation: &Explanation, upstream: Option<&str>, grpcurl: Option<&str>) -> serde_json::Value {
    let fields = explanation
        .fields
        .iter()
        .map(|field| json!({"path": field.path, "value": field.value, "source": field.source.to_string()}));
    let rejected = explanation
        .rejected
        .iter()
        .map(|rejected| json!({"route": rejected.route.to_string(), "why": rejected.why.to_string()}));
    let message = explanation
        .message
        .as_ref()
        .map(|message| json!({"type": message.name, "text": message.text, "hex": message.hex(), "json": message.json}));
    let refusal = explanation.refusal.as_ref().map(|refusal| {
        json!({
            "httpStatus": refusal.http_status,
            "code": refusal.code,
            "message": refusal.message,
            "relaxedBy": refusal.relaxed_by,
        })
    });
    json!({
        "request": explanation.request,
        "route": explanation.route.as_ref().map(ToString::to_string),
        "why": explanation.why,
        "rejected": rejected.collect::<Vec<_>>(),
        "fields": fields.collect::<Vec<_>>(),
        "message": message,
        "refusal": refusal,
        "upstream": upstream,
        "grpcurl": grpcurl,
    })
}
