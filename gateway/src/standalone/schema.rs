//! The schema that is served: from descriptor files, or from the upstreams by reflection; and which upstream has which
//! service.

use std::collections::BTreeSet;

use millrace_cli::read_file;

use super::settings::{Settings, UpstreamSettings};
use super::{Exit, Failure};
use crate::Gateway;
use crate::reflection::Merged;
use crate::reflection::{error_details, is_exposed};
use crate::reload::FILE_BYTES_MAX;
use crate::transcode::{LoadError, Options, RouteOptions, Schema};

/// What helps where a descriptor file cannot be read.
pub(super) const NO_FILE: &str = "`buf build -o FILE` or `protoc --include_imports -o FILE` writes them";

/// Where a schema comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Encoded descriptor sets.
    pub(super) sets: Vec<Vec<u8>>,
    /// What each upstream says it has, where it was asked.
    pub(super) reflected: Option<Vec<Vec<String>>>,
    /// Whether all have been heard. Where not, a rule that selects nothing may be one of an upstream that is away.
    pub(super) complete: bool,
}

impl Source {
    /// What the sources of the settings say together: the files, or the upstreams in their order.
    pub(super) fn merged(settings: &Settings, merged: &Merged) -> Self {
        Self {
            sets: vec![merged.descriptor_set.clone()],
            reflected: settings.descriptors.is_empty().then(|| merged.services.clone()),
            complete: merged.complete,
        }
    }
}

/// Reads the descriptor files.
pub(super) fn files(settings: &Settings) -> Result<Source, Failure> {
    let read = settings.descriptors.iter().map(|path| {
        read_file(path, FILE_BYTES_MAX).map_err(|error| {
            let message = format!("descriptors {} cannot be read", path.display());
            Failure::new(Exit::Unreachable, message, error).help(NO_FILE)
        })
    });
    Ok(Source {
        sets: read.collect::<Result<_, _>>()?,
        reflected: None,
        complete: true,
    })
}

/// Why no gateway can be made of a schema.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    /// Nothing is in the descriptor files, as in `/dev/null`.
    #[error("the descriptor set holds no file")]
    NoFile,
    /// Only messages are in the descriptor files.
    #[error("the descriptor set holds no service")]
    NoService,
    /// The library cannot load it.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Loads the gateway of a schema.
///
/// # Errors
/// The schema does not load, or is one of files in which no service is. An upstream without services may have some at
/// its next start.
pub(super) fn gateway(settings: &Settings, source: &Source) -> Result<Gateway, SchemaError> {
    let gateway = loaded(settings, source)?;
    if !settings.descriptors.is_empty() && gateway.schema().pool().services().next().is_none() {
        return Err(match source.sets.iter().all(Vec::is_empty) {
            true => SchemaError::NoFile,
            false => SchemaError::NoService,
        });
    }
    Ok(gateway)
}

fn loaded(settings: &Settings, source: &Source) -> Result<Gateway, LoadError> {
    let mut options = settings.options.clone();
    let routes = settings.routes.iter();
    options.overrides = routes
        .map(|route| (route.selector.clone(), route.options.clone()))
        .collect();
    let gateway = build(settings, source, options.clone())?;
    // A path by name is for the server's own services; these must be listed.
    let pool = gateway.schema().pool();
    let hidden = pool
        .services()
        .filter(|service| service.methods().len() > 0 && !is_served(settings, service.full_name()));
    let hidden: Vec<_> = hidden
        .map(|service| (format!("{}.*", service.full_name()), unbound()))
        .collect();
    if !settings.options.rpc_paths || hidden.is_empty() {
        return Ok(gateway);
    }
    options.overrides.splice(0..0, hidden);
    build(settings, source, options)
}

fn unbound() -> RouteOptions {
    RouteOptions {
        rpc_path: Some(false),
        ..RouteOptions::default()
    }
}

fn build(settings: &Settings, source: &Source, mut options: Options) -> Result<Gateway, LoadError> {
    options.selectors_unmatched_ignored = !source.complete;
    let limits = &settings.limits;
    let builder = Gateway::builder()
        .options(options)
        .request_headers(&settings.request_headers)
        .header_names(settings.header_names)
        .header_text_refused(settings.header_text_refused)
        .response_trailers(settings.response_trailers.iter().cloned())
        .forwarding(settings.forwarding.policy())
        .www_authenticate(settings.www_authenticate.clone())
        .error_domain(settings.error_domain.clone())
        .uri_bytes_max(limits.uri_bytes)
        .body_bytes_max(limits.body_bytes)
        .body_memory_bytes(limits.body_memory_bytes)
        .answer_memory_bytes(limits.answer_memory_bytes)
        .response_json_bytes_max(limits.response_json_bytes)
        .body_time_max(limits.body)
        .stream_silence_max(limits.stream_silence)
        .deadline_max(limits.deadline_max);
    let details = error_details(&source.sets);
    let sets = source.sets.iter().chain(std::iter::once(&details));
    sets.fold(builder, |builder, set| builder.descriptors(set)).build()
}

/// Says what to do about a schema that does not load.
pub(super) fn unloadable(error: SchemaError) -> Failure {
    let help = match &error {
        SchemaError::NoFile | SchemaError::NoService => {
            "give the descriptors of the server with --descriptors, or none: then the server is asked by reflection"
        }
        SchemaError::Load(LoadError::Descriptors(_) | LoadError::Inconsistent | LoadError::MapEntry { .. }) => {
            "give the descriptors with all imports: `protoc --include_imports --include_source_info -o FILE`"
        }
        SchemaError::Load(LoadError::Selector { .. } | LoadError::OverrideSelector { .. }) => {
            "`http.rules` and `routes` select RPCs as package.Service.Method; those of health and reflection only if \
             --descriptors has them"
        }
        SchemaError::Load(LoadError::StatusByField { .. }) => {
            "correct `status_by_field` under `routes` of --config: a field of the answer, and a value that it can have"
        }
        _ => "correct the annotation, or replace it by a rule under `http.rules` of --config",
    };
    Failure::new(Exit::Configuration, "the schema cannot be served", error).help(help)
}

/// Whether a service is one that may be published without being bound: reflection and health must be listed.
pub(super) fn is_served(settings: &Settings, service: &str) -> bool {
    is_exposed(service) || settings.grpc_also.iter().any(|listed| listed == service)
}

/// The services of each upstream, in its order: a service belongs to the first that has it.
pub(super) fn owners(settings: &Settings, source: &Source, schema: &Schema) -> Vec<Vec<String>> {
    let mut services: BTreeSet<String> = schema
        .pool()
        .services()
        .map(|service| service.full_name().to_owned())
        .collect();
    services.extend(settings.grpc_also.iter().cloned());
    let taken = settings.upstreams.iter().enumerate().map(|(index, upstream)| {
        let reflected = source.reflected.as_ref().and_then(|of_all| of_all.get(index));
        let (own, rest) = services
            .iter()
            .cloned()
            .partition(|service| has(upstream, reflected, service));
        services = rest;
        Vec::from_iter::<BTreeSet<String>>(own)
    });
    taken.collect()
}

fn has(upstream: &UpstreamSettings, reflected: Option<&Vec<String>>, service: &String) -> bool {
    // Health and reflection are in no schema, and often in no list of services either.
    let has = reflected.is_none_or(|services| services.contains(service)) || !is_exposed(service);
    has && (upstream.services.is_empty() || upstream.services.contains(service))
}
