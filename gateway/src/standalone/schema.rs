//! The schema that is served: from descriptor files, or from the upstreams by reflection; and which upstream has which
//! service.

use std::collections::BTreeSet;
use std::fs;

use super::settings::{Settings, UpstreamSettings};
use super::{Exit, Failure};
use crate::Gateway;
use crate::reflection::Merged;
use crate::reflection::error_details;
use crate::transcode::{LoadError, Options, RouteOptions, Schema};

/// Services of the infrastructure, which every server may have; they are served only if they are listed.
pub(super) const INFRASTRUCTURE: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

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
        fs::read(path).map_err(|error| {
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

/// Loads the gateway of a schema.
pub(super) fn gateway(settings: &Settings, source: &Source) -> Result<Gateway, LoadError> {
    let mut options = settings.options.clone();
    let routes = settings.routes.iter();
    options.overrides = routes
        .map(|route| (route.selector.clone(), route.options.clone()))
        .collect();
    let gateway = build(settings, source, options.clone())?;
    // A path by name is for the server's own services; these must be listed.
    let pool = gateway.schema().pool();
    let hidden = INFRASTRUCTURE
        .into_iter()
        .filter(|service| pool.get_service_by_name(service).is_some() && !is_served(settings, service));
    let hidden: Vec<_> = hidden.map(|service| (format!("{service}.*"), unbound())).collect();
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
    loop {
        match build_all(settings, source, options.clone()) {
            Err(LoadError::Selector { selector }) if !source.complete => {
                options.rules.retain(|rule| rule.selector != selector);
            }
            Err(LoadError::OverrideSelector { selector }) if !source.complete => {
                options.overrides.retain(|(of, _)| *of != selector);
            }
            built => return built,
        }
    }
}

fn build_all(settings: &Settings, source: &Source, options: Options) -> Result<Gateway, LoadError> {
    let limits = &settings.limits;
    let builder = Gateway::builder()
        .options(options)
        .request_headers(&settings.request_headers)
        .header_text_refused(settings.header_text_refused)
        .response_trailers(settings.response_trailers.iter().cloned())
        .forwarding(settings.forwarding.policy())
        .www_authenticate(settings.www_authenticate.clone())
        .uri_bytes_max(limits.uri_bytes)
        .body_bytes_max(limits.body_bytes)
        .body_memory_bytes(limits.body_memory_bytes)
        .response_json_bytes_max(limits.response_json_bytes)
        .body_time_max(limits.body)
        .stream_silence_max(limits.stream_silence)
        .deadline_max(limits.deadline_max);
    let details = error_details(&source.sets);
    let sets = source.sets.iter().chain(std::iter::once(&details));
    sets.fold(builder, |builder, set| builder.descriptors(set)).build()
}

/// Says what to do about a schema that does not load.
pub(super) fn unloadable(error: LoadError) -> Failure {
    let help = match &error {
        LoadError::Descriptors(_) | LoadError::Inconsistent => {
            "give the descriptors with all imports: `protoc --include_imports --include_source_info -o FILE`"
        }
        LoadError::Selector { .. } | LoadError::OverrideSelector { .. } => {
            "`http.rules` and `routes` select RPCs as package.Service.Method"
        }
        _ => "correct the annotation, or replace it by a rule under `http.rules` of --config",
    };
    Failure::new(Exit::Configuration, "the schema cannot be served", error).help(help)
}

/// Whether a service is one that may be published without being bound: reflection and health must be listed.
pub(super) fn is_served(settings: &Settings, service: &str) -> bool {
    !INFRASTRUCTURE.contains(&service) || settings.grpc_also.iter().any(|listed| listed == service)
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
    let has = reflected.is_none_or(|services| services.contains(service)) || INFRASTRUCTURE.contains(&service.as_str());
    has && (upstream.services.is_empty() || upstream.services.contains(service))
}
