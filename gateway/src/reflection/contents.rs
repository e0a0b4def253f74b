//! What two versions of a file are compared by: every field, enum value and method, by where it stands. Comments, the
//! order of things and options of generators do not count.

use std::collections::BTreeSet;

use super::descriptor::{File, tag};
use super::wire::{Field, fields};

/// One thing that a file says: in which type, under which number of `descriptor.proto`, and its bytes.
type Statement = (String, u32, Vec<u8>);

/// Everything that a file says about messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents(BTreeSet<Statement>);

impl Contents {
    pub(super) fn of(file: &File) -> Self {
        let mut contents = Self::default();
        let has_edition = fields(&file.bytes)
            .flatten()
            .any(|part| part.number == tag::FILE_EDITION);
        for part in fields(&file.bytes).flatten() {
            match part.number {
                tag::FILE_MESSAGE => contents.message("", &part),
                tag::FILE_ENUM | tag::FILE_SERVICE => contents.list("", &part),
                tag::FILE_EXTENSION => contents.add("", part.number, without_default_json_name(&part)),
                tag::FILE_PACKAGE | tag::FILE_SYNTAX | tag::FILE_EDITION => contents.add("", part.number, part.whole),
                // The features of an edition shape the wire; other options are for generators.
                tag::FILE_OPTIONS if has_edition => contents.add("", part.number, part.whole),
                _ => {}
            }
        }
        contents
    }

    /// Whether it says all that the other says.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the other says something that this does not: a type's name, or nothing for the file itself.
    pub(super) fn first_lacking<'o>(&'o self, other: &'o Self) -> &'o str {
        other.0.difference(&self.0).next().map_or("", |(scope, ..)| scope)
    }

    fn message(&mut self, scope: &str, part: &Field<'_>) {
        let bytes = part.bytes().unwrap_or_default();
        let name = named(scope, bytes);
        self.add(&name, tag::NAME, []);
        for part in fields(bytes).flatten() {
            match part.number {
                tag::NAME | tag::MESSAGE_RESERVED_RANGE | tag::MESSAGE_RESERVED_NAME => {}
                tag::MESSAGE_NESTED => self.message(&name, &part),
                tag::MESSAGE_ENUM => self.list(&name, &part),
                tag::MESSAGE_FIELD | tag::MESSAGE_EXTENSION => {
                    self.add(&name, part.number, without_default_json_name(&part));
                }
                _ => self.add(&name, part.number, part.whole),
            }
        }
    }

    /// An enum with its values, or a service with its methods.
    fn list(&mut self, scope: &str, part: &Field<'_>) {
        let bytes = part.bytes().unwrap_or_default();
        let name = named(scope, bytes);
        self.add(&name, tag::NAME, []);
        for part in fields(bytes).flatten().filter(|part| part.number != tag::NAME) {
            self.add(&name, part.number, part.whole);
        }
    }

    fn add(&mut self, scope: &str, number: u32, bytes: impl AsRef<[u8]>) {
        self.0.insert((scope.to_owned(), number, bytes.as_ref().to_vec()));
    }
}

fn named(scope: &str, descriptor: &[u8]) -> String {
    let name = fields(descriptor)
        .flatten()
        .filter(|part| part.number == tag::NAME)
        .last();
    let name = name.and_then(|part| part.text().ok()).unwrap_or_default();
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

/// A field without its JSON name where that is the usual one: some compilers write it, others leave it out.
fn without_default_json_name(field: &Field<'_>) -> Vec<u8> {
    let bytes = field.bytes().unwrap_or_default();
    let usual = camel(&named("", bytes));
    let kept = fields(bytes).flatten().filter(|part| {
        let is_usual = part.number == tag::FIELD_JSON_NAME && part.text() == Ok(&usual);
        !is_usual
    });
    kept.flat_map(|part| part.whole).copied().collect()
}

fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            _ if upper => {
                camel.push(letter.to_ascii_uppercase());
                upper = false;
            }
            _ => camel.push(letter),
        }
    }
    camel
}
