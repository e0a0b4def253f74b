//! One `FileDescriptorProto` as bytes, and what reflection has to know of it: its name, its imports, its services, and,
//! when something is missing, which types it defines and uses (`parts`).

mod parts;

use super::wire::{self, Malformed, fields, fields_of};
pub(super) use parts::is_full_name;
use parts::{NAME_BYTES_MAX, Part, joined, last_text, visit};

/// Field numbers of `descriptor.proto`.
pub(super) mod tag {
    pub(in crate::reflection) const NAME: u32 = 1;
    pub(in crate::reflection) const FILE_PACKAGE: u32 = 2;
    pub(in crate::reflection) const FILE_IMPORT: u32 = 3;
    pub(in crate::reflection) const FILE_MESSAGE: u32 = 4;
    pub(in crate::reflection) const FILE_ENUM: u32 = 5;
    pub(in crate::reflection) const FILE_SERVICE: u32 = 6;
    pub(in crate::reflection) const FILE_EXTENSION: u32 = 7;
    pub(in crate::reflection) const FILE_OPTIONS: u32 = 8;
    pub(in crate::reflection) const FILE_PUBLIC: u32 = 10;
    pub(in crate::reflection) const FILE_WEAK: u32 = 11;
    pub(in crate::reflection) const FILE_SYNTAX: u32 = 12;
    pub(in crate::reflection) const FILE_EDITION: u32 = 14;
    pub(in crate::reflection) const FILE_OPTION_IMPORT: u32 = 15;
    pub(in crate::reflection) const MESSAGE_FIELD: u32 = 2;
    pub(in crate::reflection) const MESSAGE_NESTED: u32 = 3;
    pub(in crate::reflection) const MESSAGE_ENUM: u32 = 4;
    pub(in crate::reflection) const MESSAGE_EXTENSION: u32 = 6;
    pub(in crate::reflection) const MESSAGE_RESERVED_RANGE: u32 = 9;
    pub(in crate::reflection) const MESSAGE_RESERVED_NAME: u32 = 10;
    pub(in crate::reflection) const FIELD_EXTENDEE: u32 = 2;
    pub(in crate::reflection) const FIELD_TYPE_NAME: u32 = 6;
    pub(in crate::reflection) const FIELD_JSON_NAME: u32 = 10;
    pub(in crate::reflection) const ENUM_VALUE: u32 = 2;
    pub(in crate::reflection) const SERVICE_METHOD: u32 = 2;
    pub(in crate::reflection) const METHOD_INPUT: u32 = 2;
    pub(in crate::reflection) const METHOD_OUTPUT: u32 = 3;
    pub(in crate::reflection) const METHOD_OPTIONS: u32 = 4;
    /// The extension `google.api.http`.
    pub(in crate::reflection) const HTTP_RULE: u32 = 72_295_728;
}

/// A file descriptor.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) imports: Vec<Import>,
    /// Imports of edition 2024 that only options use.
    pub(super) option_imports: Vec<String>,
    /// Full names.
    pub(super) services: Vec<String>,
    /// Whether a method has an HTTP rule.
    pub(super) has_rules: bool,
    /// Messages, enums and services.
    pub(super) types: usize,
    /// Fields, enum values, methods and imports.
    pub(super) members: usize,
}

/// An import.
#[derive(Debug, Clone)]
pub(super) struct Import {
    pub(super) name: String,
    /// Whether who imports this file sees that one too.
    pub(super) is_public: bool,
}

impl File {
    /// Reads a descriptor.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut file = Self {
            name: last_text(bytes, tag::NAME)?.to_owned(),
            bytes: bytes.to_vec(),
            imports: Vec::new(),
            option_imports: Vec::new(),
            services: Vec::new(),
            has_rules: false,
            types: 0,
            members: 0,
        };
        let mut public = Vec::new();
        for part in fields(bytes) {
            let part = part?;
            match part.number {
                tag::FILE_IMPORT => file.imports.push(Import {
                    name: file_name(part.text()?)?.to_owned(),
                    is_public: false,
                }),
                tag::FILE_OPTION_IMPORT => file.option_imports.push(file_name(part.text()?)?.to_owned()),
                tag::FILE_PUBLIC => numbers(&part, &mut public)?,
                tag::FILE_SERVICE => file.note_rules(part.bytes()?)?,
                _ => {}
            }
        }
        file_name(&file.name)?;
        for at in public {
            file.imports.get_mut(at).ok_or(Malformed)?.is_public = true;
        }
        let (mut services, mut types, mut members) = (Vec::new(), 0, 0);
        visit(bytes, &mut |part| match part {
            Part::Service(name) => {
                services.push(name.to_owned());
                types += 1;
            }
            Part::Type(_) => types += 1,
            Part::Member => members += 1,
            Part::Use(_) => {}
        })?;
        members += file.imports.len() + file.option_imports.len();
        (file.services, file.types, file.members) = (services, types, members);
        Ok(file)
    }

    /// The name of its package, empty if it has none.
    pub(super) fn package(&self) -> &str {
        last_text(&self.bytes, tag::FILE_PACKAGE).unwrap_or_default()
    }

    fn note_rules(&mut self, service: &[u8]) -> Result<(), Malformed> {
        for method in fields_of(service, tag::SERVICE_METHOD) {
            for options in fields_of(method?.bytes()?, tag::METHOD_OPTIONS) {
                self.has_rules |= fields_of(options?.bytes()?, tag::HTTP_RULE).next().is_some();
            }
        }
        Ok(())
    }

    /// Calls back with every type that the file defines, by full name.
    pub(super) fn types(&self, mut each: impl FnMut(&str)) {
        // It was read before: it is well-formed.
        let _ = visit(&self.bytes, &mut |part| {
            if let Part::Type(name) = part {
                each(name);
            }
        });
    }

    /// Calls back with every type name that the file uses, as it is written: mostly with a dot before its full name.
    pub(super) fn uses(&self, mut each: impl FnMut(&str)) {
        let _ = visit(&self.bytes, &mut |part| {
            if let Part::Use(name) = part {
                each(name);
            }
        });
    }

    /// The file under another name, with other names for its imports where `rename` has one.
    pub(super) fn renamed<'n>(&self, rename: impl Fn(&str) -> Option<&'n str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        for part in fields(&self.bytes).flatten() {
            let is_name = matches!(part.number, tag::NAME | tag::FILE_IMPORT | tag::FILE_OPTION_IMPORT);
            match part.text().ok().filter(|_| is_name).and_then(&rename) {
                Some(name) => wire::put_bytes(&mut out, part.number, name.as_bytes()),
                None => out.extend_from_slice(part.whole),
            }
        }
        out
    }

    /// The file without the methods of services that `keeps` does not want. The services stay, empty: comments are
    /// found by place.
    pub(super) fn without_methods(&self, keeps: impl Fn(&str) -> bool) -> Vec<u8> {
        let package = last_text(&self.bytes, tag::FILE_PACKAGE).unwrap_or_default();
        let mut out = Vec::with_capacity(self.bytes.len());
        for part in fields(&self.bytes).flatten() {
            let service = part.bytes().ok().filter(|_| part.number == tag::FILE_SERVICE);
            let Some(service) = service else {
                out.extend_from_slice(part.whole);
                continue;
            };
            let name = last_text(service, tag::NAME).and_then(|name| joined(package, name));
            if name.is_ok_and(|name| keeps(&name)) {
                out.extend_from_slice(part.whole);
                continue;
            }
            let mut empty = Vec::new();
            for part in fields(service)
                .flatten()
                .filter(|part| part.number != tag::SERVICE_METHOD)
            {
                empty.extend_from_slice(part.whole);
            }
            wire::put_bytes(&mut out, tag::FILE_SERVICE, &empty);
        }
        out
    }

    /// The file's bytes without some of its imports. Public and weak imports are numbers in the list, so they move.
    pub(super) fn without_imports(&self, dropped: &[&str]) -> Vec<u8> {
        let keeps = |name: &str| !dropped.contains(&name);
        let mut out = Vec::with_capacity(self.bytes.len());
        for part in fields(&self.bytes).flatten() {
            match part.number {
                tag::FILE_PUBLIC | tag::FILE_WEAK => {
                    let mut places = Vec::new();
                    let _ = numbers(&part, &mut places);
                    for at in places {
                        if !self.imports.get(at).is_some_and(|import| keeps(&import.name)) {
                            continue;
                        }
                        let before = self.imports[..at].iter().filter(|other| keeps(&other.name)).count();
                        wire::put_varint(&mut out, part.number, before as u64);
                    }
                }
                tag::FILE_IMPORT | tag::FILE_OPTION_IMPORT if !part.text().is_ok_and(keeps) => {}
                _ => out.extend_from_slice(part.whole),
            }
        }
        out
    }
}

/// A list of numbers, packed or not.
fn numbers(part: &wire::Field<'_>, out: &mut Vec<usize>) -> Result<(), Malformed> {
    match part.value {
        wire::Value::Varint(value) => out.push(usize::try_from(value).map_err(|_| Malformed)?),
        wire::Value::Length(packed) => {
            for value in wire::varints(packed) {
                out.push(usize::try_from(value?).map_err(|_| Malformed)?);
            }
        }
        wire::Value::Other => return Err(Malformed),
    }
    Ok(())
}

/// A name of a file that can be one, and that a log can show.
fn file_name(name: &str) -> Result<&str, Malformed> {
    let is_plain = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control);
    if is_plain { Ok(name) } else { Err(Malformed) }
}
