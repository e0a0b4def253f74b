//! A tree of values as serde reads it, whose errors say at which key.

use std::fmt::Display;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, map};

/// The values of a section by their names.
pub(super) type Section = Map<String, Value>;

/// Why a tree does not fit a type.
#[derive(Debug)]
pub(super) struct Unfit {
    /// From the innermost key outwards.
    path: Vec<String>,
    pub(super) kind: Kind,
}

/// What does not fit.
#[derive(Debug)]
pub(super) enum Kind {
    /// A name that the section does not know, and those that it does.
    Unknown(String, &'static [&'static str]),
    /// Anything else, in words that may quote the value.
    Other(String),
}

impl Unfit {
    /// The dotted key: of the value, or of the section that has an unknown name.
    pub(super) fn key(&self) -> String {
        let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
        path.join(".")
    }

    fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }
}

impl Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            Kind::Unknown(name, _) => write!(f, "unknown field `{name}`"),
            Kind::Other(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: Display>(problem: T) -> Self {
        Self {
            path: Vec::new(),
            kind: Kind::Other(problem.to_string()),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            path: Vec::new(),
            kind: Kind::Unknown(field.to_owned(), expected),
        }
    }
}

/// Reads a type from the values of its sections.
pub(super) fn read<T: DeserializeOwned>(values: &Section) -> Result<T, Unfit> {
    T::deserialize(MapAccessDeserializer::new(InSection::new(values)))
}

/// The value of a dotted key.
pub(super) fn find<'v>(values: &'v Section, key: &str) -> Option<&'v Value> {
    match key.split_once('.') {
        Some((section, rest)) => find(values.get(section)?.as_object()?, rest),
        None => values.get(key),
    }
}

/// The tree that has this value alone.
pub(super) fn nested(key: &str, value: Value) -> Section {
    match key.split_once('.') {
        Some((section, rest)) => Section::from_iter([(section.to_owned(), Value::Object(nested(rest, value)))]),
        None => Section::from_iter([(key.to_owned(), value)]),
    }
}

/// Puts values over those that are there; sections are joined.
pub(super) fn merge(into: &mut Section, values: &Section) {
    for (name, value) in values {
        match (into.get_mut(name), value) {
            (Some(Value::Object(section)), Value::Object(more)) => merge(section, more),
            _ => drop(into.insert(name.clone(), value.clone())),
        }
    }
}

/// Takes away the value of a dotted key, or what stands in the place of one of its sections.
pub(super) fn remove(values: &mut Section, key: &str) -> bool {
    match key.split_once('.') {
        Some((section, rest)) => match values.get_mut(section) {
            Some(Value::Object(inner)) => remove(inner, rest),
            Some(_) => values.shift_remove(section).is_some(),
            None => false,
        },
        None => values.shift_remove(key).is_some(),
    }
}

/// A value, to be read.
#[derive(Clone, Copy)]
struct Of<'v>(&'v Value);

impl<'de> Deserializer<'de> for Of<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items(items.iter())),
            Value::Object(section) => visitor.visit_map(InSection::new(section)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(BorrowedStrDeserializer::new(word)),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The items of a list, one after the other.
struct Items<'v>(std::slice::Iter<'v, Value>);

impl<'v> SeqAccess<'v> for Items<'v> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        self.0.next().map(|item| seed.deserialize(Of(item))).transpose()
    }
}

/// The values of a section, one after the other.
struct InSection<'v> {
    fields: map::Iter<'v>,
    value: Option<(&'v str, &'v Value)>,
}

impl<'v> InSection<'v> {
    fn new(values: &'v Section) -> Self {
        Self {
            fields: values.iter(),
            value: None,
        }
    }
}

impl<'v> MapAccess<'v> for InSection<'v> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        let Some((name, value)) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some((name, value));
        let name: BorrowedStrDeserializer<'v, Unfit> = BorrowedStrDeserializer::new(name);
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Unfit> {
        let (name, value) = self
            .value
            .take()
            .ok_or_else(|| de::Error::custom("a value without a name"))?;
        seed.deserialize(Of(value)).map_err(|unfit: Unfit| unfit.under(name))
    }
}
