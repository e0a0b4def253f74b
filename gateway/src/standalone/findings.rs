//! What of the settings and the schema goes together badly: nothing refuses it, and it never does anything. `check`
//! says it and fails; `run` warns.

use std::collections::BTreeSet;

use super::published::Published;
use super::schema::{self, Source};
use super::settings::Settings;
use crate::transcode::{Schema, nearest};

/// What servers have besides their own, and which is in no schema.
const BESIDES: [&str; 4] = [
    "grpc.channelz.v1.Channelz",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// All findings, each with the key and the remedy. Of sources that have not all been heard nothing can be said yet.
pub(super) fn findings(settings: &Settings, source: &Source, schema: &Schema) -> Vec<String> {
    if !source.complete {
        return Vec::new();
    }
    let known: BTreeSet<String> = schema
        .pool()
        .services()
        .map(|service| service.full_name().to_owned())
        .collect();
    let mut found = unknown_services(settings, source, &known);
    found.extend(without_calls(settings, source, schema));
    if schema.routes().next().is_none() && Published::new(settings, schema).is_empty() {
        found.push(
            "nothing is served: no RPC has an HTTP rule; give rules by `http.rules`, or set `rpc_paths` or \
             `grpc = \"all\"`"
                .to_owned(),
        );
    }
    found
}

/// Names in lists of services that stand for none.
fn unknown_services(settings: &Settings, source: &Source, known: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |key: String, name: &String, is_there: bool| {
        if is_there || BESIDES.contains(&name.as_str()) {
            return;
        }
        let near = nearest(name, known.iter().map(String::as_str).chain(BESIDES));
        let remedy = match near.filter(|near| *near != name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "take it out, or give the descriptors that declare it".to_owned(),
        };
        found.push(format!(
            "`{key}` names the service {name}, which is not there; {remedy}"
        ));
    };
    for name in &settings.grpc_also {
        look("grpc_also".to_owned(), name, known.contains(name));
    }
    for (index, upstream) in settings.upstreams.iter().enumerate() {
        let reflected = source.reflected.as_ref().and_then(|of_all| of_all.get(index));
        for name in &upstream.services {
            let is_there = reflected.map_or_else(|| known.contains(name), |services| services.contains(name));
            look(format!("upstreams[{index}].services"), name, is_there);
        }
    }
    found
}

/// Services that are bound and belong to no upstream, and upstreams that have none.
fn without_calls(settings: &Settings, source: &Source, schema: &Schema) -> Vec<String> {
    if settings.upstreams.is_empty() {
        return Vec::new();
    }
    let owners = schema::owners(settings, source, schema);
    let bound: BTreeSet<_> = schema
        .routes()
        .map(|route| route.method().descriptor().parent_service().full_name().to_owned())
        .collect();
    let lost = bound
        .into_iter()
        .filter(|service| !owners.iter().flatten().any(|owned| owned == service))
        .map(|service| {
            format!(
                "no upstream has the service {service}: add it to `services` of the one in `upstreams` that is to \
                 have it"
            )
        });
    let idle = settings.upstreams.iter().zip(&owners).enumerate().skip(1);
    let idle = idle
        .filter(|(_, (upstream, owned))| upstream.services.is_empty() && owned.is_empty())
        .map(|(index, (upstream, _))| {
            let url = upstream.shown_url();
            format!("`upstreams[{index}]` ({url}) gets no call: list its services under `services`, or take it out")
        });
    lost.chain(idle).collect()
}
