//! Puts collected files in order, imports first, and decides about what is missing: an import that only custom options
//! need is left out, one whose types are used is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::Collected;
use super::descriptor::File;
use super::session::Question;
use super::{Limits, ReflectionError, bundled, imports, shown, wire};

const ANNOTATIONS: &str = "google/api/annotations.proto";
/// What [`ANNOTATIONS`] needs, imports first.
const ANNOTATIONS_AND_IMPORTS: [&str; 3] = ["google/protobuf/descriptor.proto", "google/api/http.proto", ANNOTATIONS];

/// Encodes the files of the services and what they import as a `FileDescriptorSet`.
pub(super) fn link(
    collected: &mut Collected<'_>,
    services: &BTreeSet<String>,
    limits: &Limits,
) -> Result<Vec<u8>, ReflectionError> {
    imports::complete(collected)?;
    add_annotations(collected)?;
    let mut order = Order {
        files: &collected.files,
        depth_max: limits.depth,
        row: Vec::new(),
        done: BTreeSet::new(),
        sorted: Vec::new(),
    };
    for file in collected.files.values() {
        let is_root = file.services.iter().any(|name| services.contains(name));
        if is_root || ANNOTATIONS == file.name {
            order.visit(&file.name)?;
        }
    }
    let sorted = order.sorted;
    let is_complete = sorted.iter().all(|file| absent(&collected.files, file).is_empty());
    let types = (!is_complete).then(|| Types::of(&collected.files));
    let mut set = Vec::new();
    let mut warnings = Vec::new();
    for file in sorted {
        let dropped = absent(&collected.files, file);
        if let Some(types) = &types {
            types.check(file, &dropped)?;
        }
        if dropped.is_empty() {
            wire::put_bytes(&mut set, 1, &file.bytes);
        } else {
            warnings.extend(dropped.iter().map(|name| {
                format!(
                    "{} imports {name}, which the server does not have; only options need it: left out",
                    file.name
                )
            }));
            wire::put_bytes(&mut set, 1, &file.without_imports(&dropped));
        }
        warnings.extend(stripped(file));
    }
    collected.warnings.extend(warnings);
    Ok(set)
}

/// HTTP rules are extensions: a server that gives them without the file that declares them is helped out.
fn add_annotations(collected: &mut Collected<'_>) -> Result<(), ReflectionError> {
    if !collected.files.values().any(|file| file.has_rules) {
        return Ok(());
    }
    for name in ANNOTATIONS_AND_IMPORTS {
        if !collected.files.contains_key(name)
            && let Some(bytes) = bundled::file(name)
        {
            collected.add(&Question::FileNamed(name.to_owned()), bytes)?;
        }
    }
    Ok(())
}

/// A file that imports the annotations and has none was written by a server that dropped its options.
fn stripped(file: &File) -> Option<String> {
    let imports_them = file.imports.iter().any(|import| import.name == ANNOTATIONS);
    (imports_them && !file.services.is_empty() && !file.has_rules).then(|| {
        format!(
            "{} imports {ANNOTATIONS}, but no method has a rule: the server's reflection seems to drop options; give \
             the descriptors as a file, or the rules by setting",
            file.name
        )
    })
}

/// The imports that are not there.
fn absent<'f>(files: &BTreeMap<String, File>, file: &'f File) -> Vec<&'f str> {
    let imports = file.imports.iter().map(|import| &import.name);
    let absent = imports
        .chain(&file.option_imports)
        .filter(|name| !files.contains_key(*name));
    absent.map(String::as_str).collect()
}

/// A depth-first walk along imports.
struct Order<'f> {
    files: &'f BTreeMap<String, File>,
    depth_max: usize,
    /// From the root to the file that is being visited.
    row: Vec<&'f str>,
    done: BTreeSet<&'f str>,
    sorted: Vec<&'f File>,
}

impl<'f> Order<'f> {
    fn visit(&mut self, name: &str) -> Result<(), ReflectionError> {
        let Some(file) = self.files.get(name) else {
            return Ok(());
        };
        if self.done.contains(name) {
            return Ok(());
        }
        if let Some(start) = self.row.iter().position(|above| *above == name) {
            let files = self.row[start..].iter().chain([&name]);
            return Err(ReflectionError::Cycle {
                files: files.map(|name| (*name).to_owned()).collect(),
            });
        }
        if self.row.len() >= self.depth_max {
            return Err(ReflectionError::TooLarge {
                what: "imports in a row",
                max: self.depth_max,
            });
        }
        self.row.push(&file.name);
        for import in &file.imports {
            self.visit(&import.name)?;
        }
        for import in &file.option_imports {
            self.visit(import)?;
        }
        self.row.pop();
        self.done.insert(&file.name);
        self.sorted.push(file);
        Ok(())
    }
}

/// The types of all files, to see whether a file uses one that is in none.
struct Types {
    full_names: BTreeSet<String>,
    /// For relative names: which of several is meant is the loader's to find out.
    last_words: BTreeSet<String>,
}

impl Types {
    fn of(files: &BTreeMap<String, File>) -> Self {
        let mut full_names = BTreeSet::new();
        for file in files.values() {
            file.types(|name| {
                full_names.insert(name.to_owned());
            });
        }
        let last_words = full_names.iter().map(|name| last_word(name).to_owned()).collect();
        Self { full_names, last_words }
    }

    fn has(&self, used: &str) -> bool {
        match used.strip_prefix('.') {
            Some(full) => self.full_names.contains(full),
            None => self.last_words.contains(last_word(used)),
        }
    }

    /// Refuses a file that uses a type which is in no file.
    fn check(&self, file: &File, absent: &[&str]) -> Result<(), ReflectionError> {
        let mut missing = None;
        file.uses(|name| {
            if missing.is_none() && !self.has(name) {
                missing = Some(shown(name.trim_start_matches('.')));
            }
        });
        let Some(type_name) = missing else { return Ok(()) };
        Err(match absent.first() {
            Some(absent) => ReflectionError::MissingFile {
                file: (*absent).to_owned(),
                importer: file.name.clone(),
                type_name,
            },
            None => ReflectionError::MissingType {
                file: file.name.clone(),
                type_name,
            },
        })
    }
}

fn last_word(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}
