//! Required fields that a message lacks: all of them, each with its path, in a message that has its parts from a body,
//! a path, a query and headers together. Only messages whose types require something are gone through.

use std::borrow::Cow;
use std::fmt;

use super::known;
use super::message_set;
use super::plan::{Bits, Form, Kind, MessageId, MessagePlan, Plans, Requires, Shape};
use super::read::{Step, path_text};
use super::wire::{self, WireError};
use super::write::key_text;

/// Most paths that are named.
const NAMED_MAX: usize = 100;

/// What is missing.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    pub(crate) paths: Vec<String>,
    /// How many more there are.
    more: usize,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "required fields are missing: {}", self.paths.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// What a message on the wire lacks; `None` if nothing.
pub(crate) fn missing(plans: &Plans, message: MessageId, wire: &[u8]) -> Option<Missing> {
    let mut walk = Walk {
        plans,
        path: Vec::new(),
        missing: Missing::default(),
    };
    // Bytes of our own: what is not well-formed is nobody's to report here.
    let _ = walk.message(plans.message(message), &[wire], wire::DEPTH_MAX);
    Some(walk.missing).filter(|missing| !missing.paths.is_empty())
}

struct Walk<'p> {
    plans: &'p Plans,
    path: Vec<Step>,
    missing: Missing,
}

impl<'p> Walk<'p> {
    /// One message, whose bytes may stand in pieces.
    fn message(&mut self, plan: &'p MessagePlan, pieces: &[&[u8]], depth_left: usize) -> Result<(), WireError> {
        match plan.form {
            Form::Any => return self.any(pieces, depth_left),
            Form::Plain | Form::MessageSet => {}
            _ => return Ok(()),
        }
        let mut present = Bits::default();
        let mut inner: Vec<(usize, &[u8])> = Vec::new();
        let plain: Vec<Cow<'_, [u8]>> = pieces.iter().map(|piece| plain(plan, piece)).collect();
        for piece in &plain {
            let mut rest = piece.as_ref();
            while !rest.is_empty() {
                let (number, wire_type) = wire::tag(&mut rest)?;
                let value = wire::skip(&mut rest, number, wire_type, wire::DEPTH_MAX)?;
                let Some(index) = plan.by_number(number) else { continue };
                present.insert(index);
                if let Kind::Message(_) | Kind::Group(_) = plan.fields[index].kind {
                    inner.push((index, value));
                }
            }
        }
        for (index, field) in plan.fields.iter().enumerate() {
            if field.required && !present.contains(index) {
                self.path.push(Step::Field(field.name.to_string()));
                self.found();
                self.path.pop();
            }
        }
        inner.sort_by_key(|(index, _)| *index);
        for same in inner.chunk_by(|one, other| one.0 == other.0) {
            let values: Vec<&[u8]> = same.iter().map(|(_, value)| *value).collect();
            self.field(plan, same[0].0, &values, depth_left)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        plan: &'p MessagePlan,
        index: usize,
        values: &[&[u8]],
        depth_left: usize,
    ) -> Result<(), WireError> {
        let field = &plan.fields[index];
        let (Kind::Message(id) | Kind::Group(id)) = field.kind else {
            return Ok(());
        };
        let inner = self.plans.message(id);
        if inner.requires == Requires::Nothing {
            return Ok(());
        }
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        self.path.push(Step::Field(field.name.to_string()));
        match field.shape {
            Shape::Single => self.message(inner, values, depth_left)?,
            Shape::Repeated { .. } => {
                for (at, value) in values.iter().enumerate() {
                    self.below(Step::Index(at), inner, value, depth_left)?;
                }
            }
            Shape::Map { key } => {
                for value in values {
                    let step = Step::Key(key_text(key, value).unwrap_or_default());
                    self.below(step, inner, entry_value(value)?, depth_left)?;
                }
            }
        }
        self.path.pop();
        Ok(())
    }

    fn below(&mut self, step: Step, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<(), WireError> {
        self.path.push(step);
        self.message(plan, &[wire], depth_left)?;
        self.path.pop();
        Ok(())
    }

    /// What an `Any` holds has the path of the `Any`, or stands under its `value`, as in JSON.
    fn any(&mut self, pieces: &[&[u8]], depth_left: usize) -> Result<(), WireError> {
        let (mut type_url, mut value) = (&[][..], &[][..]);
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (number, wire_type) = wire::tag(&mut rest)?;
                let taken = wire::skip(&mut rest, number, wire_type, wire::DEPTH_MAX)?;
                match number {
                    known::TYPE_URL => type_url = taken,
                    known::ANY_VALUE => value = taken,
                    _ => {}
                }
            }
        }
        let name = std::str::from_utf8(type_url).ok().and_then(|url| url.rsplit_once('/'));
        let Some(id) = name.and_then(|(_, name)| self.plans.find(name)) else {
            return Ok(());
        };
        let plan = self.plans.message(id);
        if plan.requires == Requires::Nothing {
            return Ok(());
        }
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        match plan.is_known() {
            true => self.below(Step::Field("value".to_owned()), plan, value, depth_left),
            false => self.message(plan, &[value], depth_left),
        }
    }

    /// The path as it is leads to a field that is missing.
    fn found(&mut self) {
        match self.missing.paths.len() < NAMED_MAX {
            true => self.missing.paths.push(path_text(self.path.iter())),
            false => self.missing.more += 1,
        }
    }
}

/// The bytes as those of a message with fields.
fn plain<'w>(plan: &MessagePlan, wire: &'w [u8]) -> Cow<'w, [u8]> {
    match plan.form {
        Form::MessageSet => message_set::unpacked(wire, wire::DEPTH_MAX).map_or(Cow::Borrowed(&[]), Cow::Owned),
        _ => Cow::Borrowed(wire),
    }
}

/// The message of an entry.
fn entry_value(wire: &[u8]) -> Result<&[u8], WireError> {
    let mut message = &[][..];
    let mut rest = wire;
    while !rest.is_empty() {
        let (number, wire_type) = wire::tag(&mut rest)?;
        let value = wire::skip(&mut rest, number, wire_type, wire::DEPTH_MAX)?;
        if number == known::ENTRY_VALUE {
            message = value;
        }
    }
    Ok(message)
}
