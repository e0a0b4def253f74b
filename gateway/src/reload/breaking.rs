//! What breaks between two versions of a message, for who reads or writes its JSON or its bytes: a field that is gone,
//! or has another number, name, type or label; an enum value that is gone, renamed or renumbered.

use std::collections::BTreeSet;

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::compare::Change;

/// Messages that were compared already, old and new name: a type that many RPCs use is reported once.
#[derive(Default)]
pub(super) struct Messages {
    seen: BTreeSet<(String, String)>,
}

impl Messages {
    /// Compares two messages and everything that they hold.
    pub(super) fn compare(&mut self, old: &MessageDescriptor, new: &MessageDescriptor, changes: &mut Vec<Change>) {
        // A list instead of recursion: types may be nested as deep as somebody likes.
        let mut next = vec![(old.clone(), new.clone())];
        while let Some((old, new)) = next.pop() {
            let names = (old.full_name().to_owned(), new.full_name().to_owned());
            if !self.seen.insert(names) {
                continue;
            }
            for before in old.fields() {
                match new.get_field(before.number()) {
                    Some(after) => self.field(&before, &after, &mut next, changes),
                    None => changes.push(Change::breaking(gone(&before, &new))),
                }
            }
            let added = new.fields().filter(|field| old.get_field(field.number()).is_none());
            for field in added {
                let renumbered = old.get_field_by_name(field.name()).is_some();
                let sentence = format!("{} is new", called(&field));
                match field.cardinality() {
                    Cardinality::Required => changes.push(Change::breaking(format!("{sentence}, and required"))),
                    _ if renumbered => {}
                    _ => changes.push(Change::harmless(sentence)),
                }
            }
        }
    }

    fn field(
        &mut self,
        old: &FieldDescriptor,
        new: &FieldDescriptor,
        next: &mut Vec<(MessageDescriptor, MessageDescriptor)>,
        changes: &mut Vec<Change>,
    ) {
        let mut differ = |what: &str, before: String, after: String| {
            if before != after {
                let sentence = format!("{} has another {what}: {after}, it was {before}", called(old));
                changes.push(Change::breaking(sentence));
            }
        };
        differ("name", old.name().to_owned(), new.name().to_owned());
        if old.name() == new.name() {
            differ("JSON name", old.json_name().to_owned(), new.json_name().to_owned());
        }
        differ("label", label(old), label(new));
        differ("oneof", oneof(old), oneof(new));
        match (old.kind(), new.kind()) {
            (Kind::Message(before), Kind::Message(after)) => {
                differ("encoding", encoding(old), encoding(new));
                if before.full_name() != after.full_name() && (has_own_form(&before) || has_own_form(&after)) {
                    differ("type", before.full_name().to_owned(), after.full_name().to_owned());
                } else {
                    next.push((before, after));
                }
            }
            (Kind::Enum(before), Kind::Enum(after)) => {
                if self
                    .seen
                    .insert((before.full_name().to_owned(), after.full_name().to_owned()))
                {
                    compare_enums(&before, &after, changes);
                }
            }
            (before, after) => differ("type", type_name(&before), type_name(&after)),
        }
    }
}

/// What to say of a field whose number is not there any more.
fn gone(field: &FieldDescriptor, new: &MessageDescriptor) -> String {
    match new.get_field_by_name(field.name()) {
        Some(now) => format!(
            "{} has another number: {}, it was {}",
            called(field),
            now.number(),
            field.number()
        ),
        None => format!("{} is gone", called(field)),
    }
}

fn called(field: &FieldDescriptor) -> String {
    format!("the field `{}` of {}", field.name(), field.parent_message().full_name())
}

fn label(field: &FieldDescriptor) -> String {
    let label = match field.cardinality() {
        _ if field.is_map() => "a map",
        Cardinality::Repeated => "repeated",
        Cardinality::Required => "required",
        Cardinality::Optional => "singular",
    };
    label.to_owned()
}

/// A oneof of more than one field: of those a request may set one.
fn oneof(field: &FieldDescriptor) -> String {
    let oneof = field.containing_oneof().filter(|oneof| oneof.fields().len() > 1);
    oneof.map_or("none".to_owned(), |oneof| format!("`{}`", oneof.name()))
}

fn encoding(field: &FieldDescriptor) -> String {
    if field.is_group() { "a group" } else { "a length" }.to_owned()
}

/// Google's own types are written in JSON by their name.
fn has_own_form(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("google.protobuf.")
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn compare_enums(old: &EnumDescriptor, new: &EnumDescriptor, changes: &mut Vec<Change>) {
    for before in old.values() {
        let called = format!("the value {} of {}", before.name(), old.full_name());
        match (new.get_value_by_name(before.name()), new.get_value(before.number())) {
            (Some(now), _) if now.number() == before.number() => {}
            (Some(now), _) => {
                let (is, was) = (now.number(), before.number());
                changes.push(Change::breaking(format!(
                    "{called} has another number: {is}, it was {was}"
                )));
            }
            (None, Some(now)) => changes.push(Change::breaking(format!("{called} is now {}", now.name()))),
            (None, None) => changes.push(Change::breaking(format!("{called} is gone"))),
        }
    }
    let added = new
        .values()
        .filter(|value| old.get_value_by_name(value.name()).is_none());
    for value in added.filter(|value| old.get_value(value.number()).is_none()) {
        let sentence = format!("the value {} of {} is new", value.name(), new.full_name());
        changes.push(Change::harmless(sentence));
    }
}
