//! Imports that a server leaves out. The reflection of grpc-js hands out files of its own making, one for each package and
//! without any import; what such a file uses of others is found by the names of the types.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::Collected;
use super::descriptor::{File, tag};
use super::session::Question;
use super::{ReflectionError, bundled, wire};

/// Gives the files without imports those that they need.
pub(super) fn complete(collected: &mut Collected<'_>) -> Result<(), ReflectionError> {
    let bare = collected
        .files
        .values()
        .filter(|file| file.imports.is_empty() && file.option_imports.is_empty());
    let mut lacking: Vec<(File, BTreeSet<String>)> = Vec::new();
    let mut homes = None;
    for file in bare {
        let foreign = foreign(file);
        if !foreign.is_empty() {
            let homes = homes.get_or_insert_with(|| homes_of(&collected.files));
            let found = foreign.iter().filter_map(|name| home(name, file.package(), homes));
            lacking.push((file.clone(), found.collect()));
        }
    }
    for (file, imports) in lacking.into_iter().filter(|(_, imports)| !imports.is_empty()) {
        for import in &imports {
            add_bundled(collected, import)?;
        }
        if !file.services.is_empty() {
            collected.warnings.push(format!(
                "{} has no imports, but uses {}: the server's reflection leaves imports out, and HTTP rules likely too; \
                 give the rules by setting",
                file.name,
                imports.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ));
        }
        collected.files.insert(file.name.clone(), file.importing(imports));
    }
    Ok(())
}

/// The names of types that a file uses and does not define. Of a relative name the end decides: which of several is
/// meant is the loader's to find out.
fn foreign(file: &File) -> BTreeSet<String> {
    let mut own = BTreeSet::new();
    file.types(|name| {
        // Each name by which one of its scopes can call it.
        own.insert(format!(".{name}"));
        own.extend(name.match_indices('.').map(|(at, _)| name[at + 1..].to_owned()));
        own.insert(name.to_owned());
    });
    let mut foreign = BTreeSet::new();
    file.uses(|name| {
        if !own.contains(name) {
            foreign.insert(name.to_owned());
        }
    });
    foreign
}

/// Which file has a type. Google's own are ours, because those of such a server lack what tells them apart.
fn homes_of(files: &BTreeMap<String, File>) -> BTreeMap<String, String> {
    let mut homes = BTreeMap::new();
    for file in files.values() {
        file.types(|name| {
            homes.entry(name.to_owned()).or_insert_with(|| file.name.clone());
        });
    }
    for file in bundled::files() {
        file.types(|name| {
            homes.insert(name.to_owned(), file.name.clone());
        });
    }
    homes
}

/// Looks for a type from the inside of a package outwards, unless its name is full.
fn home(name: &str, package: &str, homes: &BTreeMap<String, String>) -> Option<String> {
    if let Some(full) = name.strip_prefix('.') {
        return homes.get(full).cloned();
    }
    let outwards = std::iter::successors(Some(package), |scope| scope.rsplit_once('.').map(|(outer, _)| outer));
    let inside = outwards.filter_map(|scope| homes.get(&format!("{scope}.{name}")));
    inside.chain(homes.get(name)).next().cloned()
}

/// Adds a file of ours with what it imports; one that the server has stays.
fn add_bundled(collected: &mut Collected<'_>, name: &str) -> Result<(), ReflectionError> {
    let mut wanted = vec![name.to_owned()];
    while let Some(name) = wanted.pop() {
        if collected.files.contains_key(&name) {
            continue;
        }
        let Some(bytes) = bundled::file(&name) else { continue };
        collected.add(&Question::FileNamed(name.clone()), bytes)?;
        let imports = collected.files.get(&name).into_iter().flat_map(|file| &file.imports);
        wanted.extend(imports.map(|import| import.name.clone()));
    }
    Ok(())
}

impl File {
    /// The file with imports.
    fn importing(mut self, names: BTreeSet<String>) -> Self {
        for name in names {
            wire::put_bytes(&mut self.bytes, tag::FILE_IMPORT, name.as_bytes());
            self.imports.push(super::descriptor::Import { name, is_public: false });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_from_the_inside_outwards() {
        let homes = [
            ("a.b.T", "inner"),
            ("a.T", "outer"),
            ("U", "root"),
            ("google.protobuf.Any", "any"),
        ];
        let homes = homes.map(|(name, file)| (name.to_owned(), file.to_owned())).into();
        for (name, package, file) in [
            ("T", "a.b.c", Some("inner")),
            ("T", "a", Some("outer")),
            (".a.T", "a.b", Some("outer")),
            ("U", "a.b", Some("root")),
            ("U", "", Some("root")),
            ("google.protobuf.Any", "a.b", Some("any")),
            (".T", "a.b", None),
            ("T", "", None),
        ] {
            assert_eq!(home(name, package, &homes).as_deref(), file, "{name} in {package}");
        }
    }
}
