//! An object into a message: keys to fields, each once.

use super::{Claims, Problem, Reader, Result, Step};
use crate::codec::plan::{Bits, FieldPlan, Form, Kind, MessageId, MessagePlan, Shape};
use crate::codec::token::{Duplicate, Key};
use crate::codec::{message_set, wire};
use crate::{echo, suggest};

/// The key that says which message an `Any` holds.
pub(super) const TYPE_KEY: &str = "@type";

/// The setting that allows unknown names.
pub(super) const JSON_UNKNOWN: &str = "json.unknown = \"ignore\"";
/// The setting that lets the path win over a body that contradicts it.
pub(super) const PATH_BOUND: &str = "path.bound = \"strip\"";

impl<'p, 'j> Reader<'p, 'j> {
    /// Reads a message of any form, without tag and length.
    pub(super) fn message(&mut self, id: MessageId, claims: Option<&Claims<'_>>) -> Result<()> {
        let plan = self.plans.message(id);
        match plan.form {
            Form::Plain | Form::Empty => self.members(plan, claims, false),
            Form::MessageSet => self.message_set(plan, claims, false),
            Form::Any => self.any(),
            Form::Timestamp | Form::Duration => self.time(plan.form),
            Form::FieldMask => self.field_mask(),
            Form::Struct => self.map(&plan.fields[0], Kind::String),
            Form::Value => self.json_value(plan),
            Form::List => self.repeated(&plan.fields[0], false),
            Form::Wrapper => self.wrapper(&plan.fields[0]),
        }
    }

    /// Reads an object of fields. In an `Any` one of its keys is the type's.
    pub(super) fn members(&mut self, plan: &'p MessagePlan, claims: Option<&Claims<'_>>, in_any: bool) -> Result<()> {
        if self.tokens.peek() != Some(b'{') {
            return Err(self.mismatch("an object"));
        }
        let (mut seen, mut present) = (Bits::default(), Bits::default());
        let unknown = self.keys.open();
        // Index of the field after the one before.
        let mut next = 0;
        let mut more = self.tokens.open(b'}')?;
        while more {
            let key_offset = self.tokens.at();
            let mut index = self.guesses.get(plan, next);
            let expected = plan.fields.get(index);
            if !expected.is_some_and(|field| self.tokens.eat_key(&field.expected)) {
                let Some(found) = self.key(plan, unknown, in_any)? else {
                    more = self.tokens.more(b'}')?;
                    continue;
                };
                index = found;
                self.guesses.set(plan, next, index);
            }
            let field = &plan.fields[index];
            if !seen.insert(index) {
                return Err(twice(self.tokens.rest_from(key_offset), key_offset, field));
            }
            self.member(plan, index, &mut present, claims)
                .map_err(|problem| problem.under(|| Step::Field(field.name.to_string())))?;
            next = index + 1;
            more = self.tokens.more(b'}')?;
        }
        if self.options.unknown_ignored || in_any {
            self.keys
                .close(unknown)
                .map_err(|duplicate| duplicate_key(&duplicate))?;
        }
        Ok(())
    }

    /// Reads an object of extensions, which have another form on the wire in a message set.
    pub(super) fn message_set(
        &mut self,
        plan: &'p MessagePlan,
        claims: Option<&Claims<'_>>,
        in_any: bool,
    ) -> Result<()> {
        let start = self.out.len();
        self.enter()?;
        self.members(plan, claims, in_any)?;
        self.leave();
        let items = message_set::packed(&self.out[start..]);
        self.out.truncate(start);
        self.out.extend_from_slice(&items);
        Ok(())
    }

    /// Takes a key and finds its field; `None` if the member was dropped with it.
    #[inline(never)]
    fn key(&mut self, plan: &MessagePlan, unknown: usize, in_any: bool) -> Result<Option<usize>> {
        if let Some(name) = self.tokens.next_plain()
            && let Some(index) = plan.by_name(name)
        {
            self.tokens.take_plain(name);
            self.tokens.colon()?;
            return Ok(Some(index));
        }
        let offset = self.tokens.at();
        let key = self.tokens.key()?;
        if let Some(index) = plan.by_name(key.as_bytes()) {
            return Ok(Some(index));
        }
        let is_type = in_any && key == TYPE_KEY;
        if !is_type && !self.options.unknown_ignored {
            return Err(unknown_field(plan, &key, offset));
        }
        self.keys
            .insert(unknown, Key::Text(key), offset)
            .map_err(|duplicate| duplicate_key(&duplicate))?;
        self.tokens.skip(Some(&mut self.keys))?;
        Ok(None)
    }

    /// Reads the value of a member.
    #[inline(always)]
    pub(super) fn member(
        &mut self,
        plan: &'p MessagePlan,
        index: usize,
        present: &mut Bits,
        claims: Option<&Claims<'_>>,
    ) -> Result<()> {
        match self.mask {
            None => self.member_here(plan, index, present, claims).map(drop),
            Some(_) => self.member_with_mask(plan, index, present, claims),
        }
    }

    /// Reads the value of a member, whatever a mask says about it; false if it was dropped, since something else than
    /// the body says what the field is.
    #[inline(never)]
    pub(super) fn member_alone(
        &mut self,
        plan: &'p MessagePlan,
        index: usize,
        present: &mut Bits,
        claims: Option<&Claims<'_>>,
    ) -> Result<bool> {
        self.member_here(plan, index, present, claims)
    }

    /// The same; a part of its caller, so that nothing is called between a key and its value.
    #[inline(always)]
    fn member_here(
        &mut self,
        plan: &'p MessagePlan,
        index: usize,
        present: &mut Bits,
        claims: Option<&Claims<'_>>,
    ) -> Result<bool> {
        let field = &plan.fields[index];
        let null_is_absent = || field.shape != Shape::Single || !self.plans.takes_null(field.kind);
        if self.tokens.peek() == Some(b'n') && null_is_absent() && self.tokens.eat_null() {
            return Ok(true);
        }
        if let Some(oneof) = field.oneof {
            self.check_oneof(plan, field, usize::from(oneof), present)?;
        }
        let (offset, start) = (self.tokens.at(), self.out.len());
        match field.shape {
            Shape::Single => {
                let inside = claims.and_then(|claims| claims.inside(field));
                if !self.single(field, inside)? {
                    return Ok(true);
                }
            }
            Shape::Repeated { packed } => self.repeated(field, packed)?,
            Shape::Map { key } => self.map(field, key)?,
        }
        if let Some(claims) = claims
            && !claims.check(plan, field, &self.out[start..], offset)?
        {
            self.out.truncate(start);
            return Ok(false);
        }
        present.insert(index);
        Ok(true)
    }

    /// Reads one value with its tag; false if an unknown enum name was dropped.
    #[inline(always)]
    fn single(&mut self, field: &'p FieldPlan, claims: Option<&Claims<'_>>) -> Result<bool> {
        let start = self.out.len();
        field.tag.put(&mut self.out);
        let payload = self.out.len();
        let is_kept = self.value(field.kind, field.number, claims)?;
        // Every default is zeros on the wire, and nothing else is; `-0.0` is none.
        let is_default = field.implicit && self.out[payload..].iter().all(|byte| *byte == 0);
        if !is_kept || is_default {
            self.out.truncate(start);
        }
        Ok(is_kept)
    }

    /// Reads an array.
    #[inline(never)]
    pub(super) fn repeated(&mut self, field: &'p FieldPlan, packed: bool) -> Result<()> {
        if self.tokens.peek() != Some(b'[') {
            return Err(self.mismatch("an array"));
        }
        let mut more = self.tokens.open(b']')?;
        let begun = self.out.len();
        let mut pack = 0;
        if packed {
            field.tag.put(&mut self.out);
            pack = wire::begin(&mut self.out);
        }
        let mut index = 0;
        while more {
            let start = self.out.len();
            if !packed {
                field.tag.put(&mut self.out);
            }
            let element = self.element(field.kind, field.number);
            if !element.map_err(|problem| problem.under(|| Step::Index(index)))? {
                self.out.truncate(start);
            }
            index += 1;
            more = self.tokens.more(b']')?;
        }
        if packed && self.out.len() == pack {
            self.out.truncate(begun);
        } else if packed {
            wire::end(&mut self.out, pack);
        }
        Ok(())
    }

    /// An element of an array or a map, where null is no value but for types that have it.
    pub(super) fn element(&mut self, kind: Kind, number: u32) -> Result<bool> {
        if self.tokens.peek() == Some(b'n') && !self.plans.takes_null(kind) && self.tokens.rest().starts_with(b"null") {
            return Err(Problem::new(self.tokens.at(), "null is no element"));
        }
        self.value(kind, number, None)
    }

    #[inline(never)]
    fn check_oneof(&self, plan: &MessagePlan, field: &FieldPlan, oneof: usize, present: &Bits) -> Result<()> {
        let oneof = &plan.oneofs[oneof];
        let mut members = oneof.members.iter().map(|member| usize::from(*member));
        match members.find(|member| present.contains(*member)) {
            Some(other) => Err(Problem::new(
                self.tokens.at(),
                format!(
                    "`{}` and `{}` exclude each other (oneof `{}`)",
                    plan.fields[other].name, field.name, oneof.name
                ),
            )),
            None => Ok(()),
        }
    }
}

#[cold]
fn twice(rest: &[u8], offset: usize, field: &FieldPlan) -> Box<Problem> {
    let is_json_name = field.expected.is_named_in(rest);
    let key = if is_json_name { field.json_name() } else { &field.name };
    let text = format!("duplicate key {key:?}: the field is given before, by this name or its other one");
    Problem::new(offset, text).under(|| Step::Field(field.name.to_string()))
}

#[cold]
pub(super) fn duplicate_key(duplicate: &Duplicate) -> Box<Problem> {
    Problem::new(duplicate.offset, duplicate.problem())
}

#[cold]
fn unknown_field(plan: &MessagePlan, key: &str, offset: usize) -> Box<Problem> {
    let hint = suggest::nearest(key, plan.json_names()).map(|hint| format!("; did you mean `{hint}`?"));
    let text = format!("{} has no field {}", plan.name, echo::quoted(key));
    let problem = Problem::new(offset, text).hint(hint.unwrap_or_default());
    problem.relaxed_by(JSON_UNKNOWN).under(|| Step::Field(key.to_owned()))
}
