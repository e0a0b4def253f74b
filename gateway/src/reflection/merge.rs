//! Several servers behind one gateway: their descriptors in one set.
//!
//! A service belongs to one server. Files are another matter: two servers carry `google/api/http.proto` of different
//! years, a shared `money.proto` of which one has a field more, or each its own `service.proto`. So files of one name
//! are compared by what they say: of two versions of which one says all that the other says, that one is taken; two
//! files that have nothing but their name in common both stay, one under another name; the same types under two names
//! are taken once. Only types that contradict each other are refused. (A set of descriptors per server would need no
//! comparison, but then one name could mean two types in one API: in `Any`, in OpenAPI and in error details.)

use std::collections::{BTreeMap, BTreeSet};

use super::contents::Contents;
use super::descriptor::File;
use super::{is_exposed, wire};

/// What one server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, for errors: the server's URL.
    pub name: String,
    /// An encoded `google.protobuf.FileDescriptorSet` with imports.
    pub descriptor_set: Vec<u8>,
    /// Full names of the services that it offers; `None` for all that the set declares but reflection, health and
    /// channelz.
    pub services: Option<Vec<String>>,
    /// What was odd about getting them; a part of [`Merged::warnings`].
    pub warnings: Vec<String>,
}

/// All servers together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// An encoded `google.protobuf.FileDescriptorSet`, imports first. Services that nobody offers have no methods in
    /// it.
    pub descriptor_set: Vec<u8>,
    /// The services of each source, in the order of the sources; sorted.
    pub services: Vec<Vec<String>>,
    /// Files of which the servers have versions that agree, and such.
    pub warnings: Vec<String>,
    /// Whether every source has said what it offers. Who starts before one answers goes on without it.
    pub complete: bool,
}

/// Why servers cannot be behind one gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The descriptors of a source are none.
    #[error("{source_name}: the descriptors are malformed")]
    Malformed {
        /// The source.
        source_name: String,
    },
    /// Two servers offer one service.
    #[error("the service {service} is offered by {first} and by {second}; it can belong to one of them")]
    ServiceTwice {
        /// The service.
        service: String,
        /// Whose it is.
        first: String,
        /// Whose claim is refused.
        second: String,
    },
    /// Two servers mean different things by one name.
    #[error("{first} and {second} have versions of {file} that contradict each other{}",
        if .type_name.is_empty() { String::new() } else { format!(" in {type_name}") })]
    Contradiction {
        /// The file, as the second names it.
        file: String,
        /// The type in which they do, without its package; empty if it is the file itself.
        type_name: String,
        /// The source that came first.
        first: String,
        /// The source whose version is refused.
        second: String,
    },
}

/// Joins what servers offer.
///
/// # Errors
/// A service of two servers, or types that contradict each other; see [`MergeError`].
pub fn merge(sources: &[Source]) -> Result<Merged, MergeError> {
    let mut merging = Merging::default();
    let mut services = Vec::new();
    for source in sources {
        let files = files_of(source)?;
        let warnings = source
            .warnings
            .iter()
            .map(|warning| format!("{}: {warning}", source.name));
        merging.warnings.extend(warnings);
        services.push(merging.claim(source, &files)?);
        merging.add(source, files)?;
    }
    Ok(Merged {
        descriptor_set: merging.encoded(),
        services,
        warnings: merging.warnings,
        complete: true,
    })
}

/// Full names of all services that a set declares; `None` if it is none.
pub(crate) fn declared(descriptor_set: &[u8]) -> Option<Vec<String>> {
    let files = wire::fields_of(descriptor_set, 1).map(|file| File::read(file?.bytes()?));
    let files = files.collect::<Result<Vec<_>, _>>().ok()?;
    Some(files.into_iter().flat_map(|file| file.services).collect())
}

fn files_of(source: &Source) -> Result<Vec<File>, MergeError> {
    let files = wire::fields_of(&source.descriptor_set, 1).map(|file| File::read(file?.bytes()?));
    let files = files
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| MergeError::Malformed {
            source_name: source.name.clone(),
        })?;
    // A set put together from several may hold a file more than once.
    let mut seen: BTreeMap<String, File> = BTreeMap::new();
    for file in files {
        if seen
            .get(&file.name)
            .is_some_and(|known| Contents::of(known) != Contents::of(&file))
        {
            return Err(MergeError::Contradiction {
                file: file.name,
                type_name: String::new(),
                first: source.name.clone(),
                second: source.name.clone(),
            });
        }
        seen.insert(file.name.clone(), file);
    }
    Ok(seen.into_values().collect())
}

/// The files so far, by name, each with the source that brought it.
#[derive(Default)]
struct Merging {
    files: BTreeMap<String, Known>,
    /// Which file declares a type or a service.
    symbols: BTreeMap<String, String>,
    /// Services, and whose they are.
    claims: BTreeMap<String, String>,
    warnings: Vec<String>,
}

struct Known {
    source: String,
    file: File,
}

/// What becomes of a file.
enum Verdict {
    New,
    /// A file of that name that is there says the same, or more.
    Known(String),
    /// It says more than the one that is there.
    Better,
    /// It has nothing but its name in common with the one that is there.
    Renamed(String),
}

impl Merging {
    fn claim(&mut self, source: &Source, files: &[File]) -> Result<Vec<String>, MergeError> {
        let declared: BTreeSet<&String> = files.iter().flat_map(|file| &file.services).collect();
        let offered: BTreeSet<String> = match &source.services {
            Some(services) => services
                .iter()
                .filter(|name| declared.contains(name))
                .cloned()
                .collect(),
            None => declared.into_iter().filter(|name| is_exposed(name)).cloned().collect(),
        };
        for service in &offered {
            if let Some(first) = self.claims.insert(service.clone(), source.name.clone()) {
                return Err(MergeError::ServiceTwice {
                    service: service.clone(),
                    first,
                    second: source.name.clone(),
                });
            }
        }
        Ok(offered.into_iter().collect())
    }

    fn add(&mut self, source: &Source, files: Vec<File>) -> Result<(), MergeError> {
        let verdicts = files.iter().map(|file| self.verdict(source, file));
        let verdicts = verdicts.collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeMap::new();
        for (file, verdict) in files.iter().zip(&verdicts) {
            if let Verdict::Renamed(name) | Verdict::Known(name) = verdict {
                names.insert(file.name.as_str(), name.as_str());
            }
        }
        for (file, verdict) in files.iter().zip(&verdicts) {
            if matches!(verdict, Verdict::Known(_)) {
                continue;
            }
            let bytes = file.renamed(|name| names.get(name).copied());
            let Ok(file) = File::read(&bytes) else {
                return Err(MergeError::Malformed {
                    source_name: source.name.clone(),
                });
            };
            for symbol in symbols(&file) {
                self.symbols.insert(symbol, file.name.clone());
            }
            let source = source.name.clone();
            self.files.insert(file.name.clone(), Known { source, file });
        }
        Ok(())
    }

    fn verdict(&mut self, source: &Source, file: &File) -> Result<Verdict, MergeError> {
        let same_name = self.files.get(&file.name);
        if same_name.is_some_and(|known| known.file.bytes == file.bytes) {
            return Ok(Verdict::Known(file.name.clone()));
        }
        let symbols = symbols(file);
        let others: BTreeSet<&String> = symbols.iter().filter_map(|symbol| self.symbols.get(symbol)).collect();
        let others: Vec<&Known> = others.into_iter().filter_map(|name| self.files.get(name)).collect();
        let Some(first) = others.first() else {
            return Ok(match same_name {
                None => Verdict::New,
                Some(_) => Verdict::Renamed(self.free_name(source, file)),
            });
        };
        let contents = Contents::of(file);
        let known: Vec<Contents> = others.iter().map(|known| Contents::of(&known.file)).collect();
        for (other, theirs) in others.iter().zip(&known) {
            if covers(theirs, &contents, &file.name) {
                let name = other.file.name.clone();
                if *theirs != contents {
                    self.warnings
                        .push(versions(file, &other.source, &source.name, &other.source));
                }
                return Ok(Verdict::Known(name));
            }
        }
        if others.len() == 1 && first.file.name == file.name && covers(&contents, &known[0], &file.name) {
            self.warnings
                .push(versions(file, &first.source, &source.name, &source.name));
            return Ok(Verdict::Better);
        }
        Err(MergeError::Contradiction {
            file: file.name.clone(),
            type_name: contents.first_lacking(&known[0]).to_owned(),
            first: first.source.clone(),
            second: source.name.clone(),
        })
    }

    fn free_name(&self, source: &Source, file: &File) -> String {
        let mut name = format!("{}@{}", file.name, source.name);
        while self.files.contains_key(&name) {
            name.push('+');
        }
        name
    }

    /// The set, imports first.
    fn encoded(&self) -> Vec<u8> {
        let mut done = BTreeSet::new();
        let mut set = Vec::new();
        for name in self.files.keys() {
            self.encode(name, &mut done, &mut set);
        }
        set
    }

    fn encode<'m>(&'m self, name: &str, done: &mut BTreeSet<&'m str>, set: &mut Vec<u8>) {
        let Some((name, known)) = self.files.get_key_value(name) else {
            return;
        };
        if !done.insert(name) {
            return;
        }
        let file = &known.file;
        for import in &file.imports {
            self.encode(&import.name, done, set);
        }
        for import in &file.option_imports {
            self.encode(import, done, set);
        }
        let is_offered = |service: &str| self.claims.contains_key(service);
        if file.services.iter().all(|service| is_offered(service)) {
            wire::put_bytes(set, 1, &file.bytes);
        } else {
            wire::put_bytes(set, 1, &file.without_methods(is_offered));
        }
    }
}

/// Whether a version of a file can stand for another.
fn covers(version: &Contents, other: &Contents, file: &str) -> bool {
    version.includes(other) || (is_google(file) && version.len() >= other.len())
}

fn versions(file: &File, first: &str, second: &str, taken: &str) -> String {
    format!(
        "{first} and {second} have versions of {} that agree: the one of {taken} is used, which has more",
        file.name
    )
}

/// Google's own files only ever grow, and their options for generators change.
fn is_google(file: &str) -> bool {
    ["google/protobuf/", "google/api/", "google/rpc/"]
        .iter()
        .any(|folder| file.starts_with(folder))
}

/// Full names of the types and services of a file.
fn symbols(file: &File) -> BTreeSet<String> {
    let mut symbols: BTreeSet<String> = file.services.iter().cloned().collect();
    file.types(|name| {
        symbols.insert(name.to_owned());
    });
    symbols
}
