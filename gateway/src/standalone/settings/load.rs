//! Reads the settings from file, environment and flags, and remembers where each came from.

use std::collections::BTreeMap;
use std::path::Path;

use millrace_cli::{ConfigError, FLAG, listeners_overlap, log};
use serde_json::{Map, Value};

use super::keys::{Key, keys};
use super::{PREFIX, Settings, compat, file, slot};
use crate::transcode::nearest;

/// The variable that names the file; the command line reads it.
const FILE_VARIABLE: &str = "CONFIG";

/// The `type` of a service configuration.
const SERVICE_TYPE: &str = "google.api.Service";

/// What else a `google.api.Service` may hold; it is not for a gateway, or not for this one.
const OF_SERVICE: [&str; 25] = [
    "apis",
    "types",
    "enums",
    "documentation",
    "backend",
    "quota",
    "authentication",
    "context",
    "usage",
    "endpoints",
    "control",
    "logs",
    "metrics",
    "monitored_resources",
    "billing",
    "logging",
    "monitoring",
    "system_parameters",
    "source_info",
    "publishing",
    "producer_project_id",
    "id",
    "system_types",
    "visibility",
    "custom_error",
];

/// A setting given on the command line: its dotted key and the value.
pub(crate) type Flag = (&'static str, Value);

/// Settings, with what was given and where.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    given: BTreeMap<&'static str, Given>,
}

/// A value that somebody has given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) source: String,
}

impl Loaded {
    /// What was given for a key, by whatever source.
    pub(super) fn given(&self, key: &str) -> Option<&Given> {
        self.given.get(key)
    }
}

/// Loads settings: file < environment < flags.
///
/// # Errors
/// The file cannot be read, or keys are unknown or values do not fit: all of them.
pub(crate) fn load(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = Flag>,
) -> Result<Loaded, ConfigError> {
    let mut sources = Sources::default();
    if let Some(path) = path {
        let source = path.display().to_string();
        match file::tree(path)? {
            Value::Object(fields) => sources.tree(&source, &mut Vec::new(), &fields),
            // An empty file.
            Value::Null => {}
            _ => sources.problem("", &source, "must hold settings by name"),
        }
    }
    let mut variables = BTreeMap::new();
    for (name, text) in environment {
        if let Some(key) = name.strip_prefix(PREFIX).filter(|key| *key != FILE_VARIABLE) {
            let dotted = key.to_ascii_lowercase().replace("__", ".");
            // Which of two would win is no more than their order in the environment.
            if let Some(other) = variables.insert(dotted.clone(), name.clone()) {
                let problem = format!("is given by {other} too; unset one of them");
                sources.problem(&dotted, &format!("environment {name}"), problem);
            }
            sources.variable(&name, &dotted, &text);
        }
    }
    for (key, value) in flags {
        sources.given.insert(
            key,
            Given {
                value,
                source: FLAG.to_owned(),
            },
        );
    }
    sources.settings()
}

/// What the sources have given so far, the later over the earlier.
#[derive(Default)]
struct Sources {
    given: BTreeMap<&'static str, Given>,
    /// How the file writes each key that it gives.
    written: BTreeMap<&'static str, String>,
    problems: Vec<ConfigError>,
}

impl Sources {
    /// Takes the values of a file; `sections` are the names around them, as they are written.
    fn tree<'v>(&mut self, source: &str, sections: &mut Vec<&'v str>, fields: &'v Map<String, Value>) {
        let section: String = sections.iter().flat_map(|name| [*name, "."]).collect();
        let is_service = section.is_empty() && fields.get("type").and_then(Value::as_str) == Some(SERVICE_TYPE);
        for (name, value) in fields {
            let dotted = format!("{section}{name}");
            let inner = format!("{dotted}.");
            if let Some(key) = key(&dotted) {
                let given = Given {
                    value: value.clone(),
                    source: source.to_owned(),
                };
                let written = slot::written(sections, name);
                if let Some(other) = self.written.insert(key.name, written.clone()) {
                    let problem = slot::given_twice(&other, &written);
                    self.problem(&dotted, source, problem);
                }
                self.given.insert(key.name, given);
            } else if keys().any(|key| key.name.starts_with(&inner)) {
                match value {
                    Value::Object(fields) => {
                        sections.push(name);
                        self.tree(source, sections, fields);
                        sections.pop();
                    }
                    Value::Null => {}
                    _ => self.problem(&dotted, source, "is a section: it holds settings by name"),
                }
            } else if !(is_service && OF_SERVICE.contains(&name.as_str())) {
                self.unknown(&dotted, source);
            }
        }
    }

    /// Takes a variable of the environment.
    fn variable(&mut self, name: &str, dotted: &str, text: &str) {
        let source = format!("environment {name}");
        match key(dotted) {
            Some(key) => {
                let value = key.slot.parse(text);
                self.given.insert(key.name, Given { value, source });
            }
            None => self.unknown(dotted, &source),
        }
    }

    fn unknown(&mut self, dotted: &str, source: &str) {
        // A section that is misspelled brings many keys; one that is in no section may belong into one.
        let sections = keys()
            .filter_map(|key| key.name.split_once('.'))
            .map(|(section, _)| section);
        let last = |key: &'static str| key.rsplit_once('.').map_or(key, |(_, last)| last);
        let near = nearest(dotted, keys().map(|key| key.name).chain(sections)).or_else(|| {
            let near = nearest(dotted, keys().map(|key| last(key.name)))?;
            keys().map(|key| key.name).find(|key| last(key) == near)
        });
        self.problems.push(ConfigError::Unknown {
            key: dotted.to_owned(),
            from: source.to_owned(),
            suggestion: near.map(str::to_owned),
        });
    }

    fn problem(&mut self, key: &str, source: &str, problem: impl Into<String>) {
        self.problems.push(ConfigError::Value {
            key: key.to_owned(),
            from: source.to_owned(),
            problem: problem.into(),
        });
    }

    /// Gives what a profile of `compat` changes and nobody has given.
    fn profile(&mut self) {
        let Some(profile) = self.given.get("compat").and_then(|given| given.value.as_str()) else {
            return;
        };
        let source = format!("compat {profile}");
        for (key, value) in compat::values(profile) {
            let source = source.clone();
            self.given.entry(key).or_insert(Given { value, source });
        }
    }

    /// Puts defaults and values into their places.
    fn settings(mut self) -> Result<Loaded, ConfigError> {
        self.profile();
        let mut settings = Settings::unset();
        for key in keys() {
            if !key.default.is_empty() {
                let set = key.slot.set(&mut settings, &key.slot.parse(key.default));
                debug_assert!(set.is_ok(), "the default of {} does not fit", key.name);
            }
        }
        for key in keys() {
            let Some(given) = self.given.get(key.name).cloned() else {
                continue;
            };
            if let Err(problem) = key.slot.set(&mut settings, &given.value) {
                let place = slot::spaced(key.name, &problem);
                // A place inside the value belongs to the name.
                let (name, problem) = match place.split_once(' ') {
                    Some((name, problem)) => (name.to_owned(), problem.to_owned()),
                    None => (key.name.to_owned(), problem),
                };
                self.problem(&name, &given.source, problem);
            }
        }
        self.check(&settings);
        match ConfigError::of(self.problems) {
            None => Ok(Loaded {
                settings,
                given: self.given,
            }),
            Some(error) => Err(error),
        }
    }

    /// Checks what concerns more than one key.
    fn check(&mut self, settings: &Settings) {
        let source = |sources: &Self, key: &str| {
            let given = sources.given.get(key);
            given.map_or_else(|| "default".to_owned(), |given| given.source.clone())
        };
        let tls = &settings.tls;
        if tls.cert_file.is_some() != tls.key_file.is_some() {
            let (given, missing) = match tls.cert_file {
                Some(_) => ("tls.cert_file", "tls.key_file"),
                None => ("tls.key_file", "tls.cert_file"),
            };
            let from = source(self, given);
            self.problem(given, &from, format!("needs `{missing}` too"));
        }
        if settings
            .admin_listen
            .is_some_and(|admin| listeners_overlap(settings.listen, admin))
        {
            let given = ["admin_listen", "listen"]
                .into_iter()
                .find(|key| self.given.contains_key(*key));
            let from = source(self, given.unwrap_or("admin_listen"));
            let problem = "must not be that of `listen`: give another port, or `off`";
            self.problem("admin_listen", &from, problem);
        }
        if let Some(route) = settings.routes.iter().position(|route| route.selector.is_empty()) {
            let from = source(self, "routes");
            self.problem(&format!("routes[{route}]"), &from, "lacks `selector`");
        }
        if let Err(error) = log::filter(&settings.log.filter) {
            let from = source(self, "log.filter");
            self.problem("log.filter", &from, format!("cannot be read: {error}"));
        }
    }
}

fn key(dotted: &str) -> Option<&'static Key<Settings>> {
    keys().find(|key| key.name == dotted)
}

#[cfg(test)]
mod tests;
