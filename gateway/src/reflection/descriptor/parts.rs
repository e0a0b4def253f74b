//! The parts of a `FileDescriptorProto`, visited in the order in which they stand: types, services, members, and the
//! types that those use.

use super::tag;
use crate::reflection::wire::{Malformed, fields, fields_of};

/// Longest name of a file, and longest full name of anything in it.
pub(super) const NAME_BYTES_MAX: usize = 1_024;
/// Deepest nesting of messages in messages.
const NESTING_MAX: usize = 64;

/// What a descriptor consists of.
pub(super) enum Part<'f> {
    /// A message or an enum, by full name.
    Type(&'f str),
    /// A service, by full name.
    Service(&'f str),
    /// A field, an enum value or a method.
    Member,
    /// The name of a type.
    Use(&'f str),
}

/// Calls back with each part, types before what is in them.
pub(super) fn visit(file: &[u8], each: &mut dyn FnMut(Part<'_>)) -> Result<(), Malformed> {
    let package = last_text(file, tag::FILE_PACKAGE)?;
    for part in fields(file) {
        let part = part?;
        match part.number {
            tag::FILE_MESSAGE => visit_message(part.bytes()?, package, NESTING_MAX, each)?,
            tag::FILE_ENUM => visit_enum(part.bytes()?, package, each)?,
            tag::FILE_EXTENSION => visit_field(part.bytes()?, each)?,
            tag::FILE_SERVICE => {
                let service = part.bytes()?;
                each(Part::Service(&joined(package, last_text(service, tag::NAME)?)?));
                for method in fields_of(service, tag::SERVICE_METHOD) {
                    let method = method?.bytes()?;
                    each(Part::Member);
                    each(Part::Use(last_text(method, tag::METHOD_INPUT)?));
                    each(Part::Use(last_text(method, tag::METHOD_OUTPUT)?));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn visit_message(
    message: &[u8],
    scope: &str,
    nesting_left: usize,
    each: &mut dyn FnMut(Part<'_>),
) -> Result<(), Malformed> {
    let nesting_left = nesting_left.checked_sub(1).ok_or(Malformed)?;
    let name = joined(scope, last_text(message, tag::NAME)?)?;
    each(Part::Type(&name));
    for part in fields(message) {
        let part = part?;
        match part.number {
            tag::MESSAGE_FIELD | tag::MESSAGE_EXTENSION => visit_field(part.bytes()?, each)?,
            tag::MESSAGE_NESTED => visit_message(part.bytes()?, &name, nesting_left, each)?,
            tag::MESSAGE_ENUM => visit_enum(part.bytes()?, &name, each)?,
            _ => {}
        }
    }
    Ok(())
}

fn visit_enum(descriptor: &[u8], scope: &str, each: &mut dyn FnMut(Part<'_>)) -> Result<(), Malformed> {
    each(Part::Type(&joined(scope, last_text(descriptor, tag::NAME)?)?));
    for value in fields_of(descriptor, tag::ENUM_VALUE) {
        value?;
        each(Part::Member);
    }
    Ok(())
}

fn visit_field(field: &[u8], each: &mut dyn FnMut(Part<'_>)) -> Result<(), Malformed> {
    each(Part::Member);
    for part in fields(field) {
        let part = part?;
        if matches!(part.number, tag::FIELD_EXTENDEE | tag::FIELD_TYPE_NAME) {
            each(Part::Use(part.text()?));
        }
    }
    Ok(())
}

/// The last text of a number; empty if there is none.
pub(super) fn last_text(message: &[u8], number: u32) -> Result<&str, Malformed> {
    match fields_of(message, number).last() {
        Some(field) => field?.text(),
        None => Ok(""),
    }
}

/// Whether a text can be the full name of a service.
pub(in crate::reflection) fn is_full_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(|first: char| first.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_word)
}

/// The full name of something in a scope.
pub(super) fn joined(scope: &str, name: &str) -> Result<String, Malformed> {
    let full = match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    };
    if is_full_name(&full) { Ok(full) } else { Err(Malformed) }
}
