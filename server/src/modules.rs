//! The services of this binary: the one list from which routes, reflection, health, OpenAPI, rights, metrics and
//! migrations follow.

use millrace_chassis::{Module, Platform};

use crate::settings::Settings;
use crate::{catalog, identity, ordering, sample, upkeep};

/// Returns the modules, one line each.
pub fn modules(platform: &Platform, settings: &Settings) -> Vec<Module> {
    vec![
        identity::module(platform, &settings.identity),
        catalog::module(platform),
        ordering::module(platform),
        sample::module(),
        upkeep::module(platform),
        // `millrace new service` adds a line above this one.
    ]
}
