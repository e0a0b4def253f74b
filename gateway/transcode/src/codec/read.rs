//! JSON to wire in one pass: the tokens of a body go straight to the bytes of a message, by the plan of its type.
//! Nothing is kept of the body but the place in it; a path is made only when something is wrong, on the way out.

mod any;
mod claims;
mod depth;
mod guess;
#[cfg(test)]
mod limits;
mod map;
mod mask;
mod message;
mod problem;
mod scalar;
#[cfg(test)]
mod tests;
mod well_known;

pub(crate) use claims::Claims;
pub(crate) use problem::{Problem, Result, Step, path_text};

use crate::codec::ReadOptions;
use crate::codec::plan::{FieldPlan, MessageId, MessagePlan, Plans};
use crate::codec::token::{Keys, SyntaxError, Tokens};
use crate::codec::wire::DEPTH_MAX;
use guess::Guesses;
use mask::Mask;

/// Reads one body.
pub(crate) struct Reader<'p, 'j> {
    plans: &'p Plans,
    options: ReadOptions,
    tokens: Tokens<'j>,
    out: Vec<u8>,
    keys: Keys<'j>,
    guesses: Guesses,
    mask: Option<Mask>,
    /// Messages that may still stand in one another here.
    depth_left: usize,
    /// An `Any` holds a message with required fields in it.
    any_requires: bool,
}

/// A message that was read.
pub(crate) struct Read {
    pub(crate) wire: Vec<u8>,
    /// An `Any` in it holds a message with required fields in it.
    pub(crate) any_requires: bool,
}

impl<'p, 'j> Reader<'p, 'j> {
    /// `depth` is how many messages are around the one that is to be read.
    pub(crate) fn new(
        plans: &'p Plans,
        options: ReadOptions,
        body: &'j [u8],
        out: Vec<u8>,
        depth: usize,
    ) -> std::result::Result<Self, Box<SyntaxError>> {
        Ok(Self {
            plans,
            options,
            tokens: Tokens::new(body)?,
            out,
            keys: Keys::default(),
            guesses: Guesses::new(),
            mask: None,
            depth_left: DEPTH_MAX.saturating_sub(depth),
            any_requires: false,
        })
    }

    /// Reads a body that is a whole message.
    pub(crate) fn whole(mut self, message: MessageId, claims: Option<&Claims<'_>>) -> Result<Read> {
        self.message(message, claims)?;
        self.tokens.finish()?;
        Ok(self.done())
    }

    /// Reads a body that is one field of a message; with a mask field, also what the body names.
    pub(crate) fn field(
        mut self,
        message: &'p MessagePlan,
        index: usize,
        mask_field: Option<&'p FieldPlan>,
        claims: Option<&Claims<'_>>,
    ) -> Result<Read> {
        let field = &message.fields[index];
        if mask_field.is_some() && self.tokens.peek() == Some(b'{') && self.is_plain(field) {
            self.mask = Some(Mask::default());
        }
        self.member(message, index, &mut Default::default(), claims)
            .map_err(|problem| problem.under(|| Step::Field(field.name.to_string())))?;
        self.tokens.finish()?;
        if let (Some(mask), Some(mask_field)) = (self.mask.take(), mask_field) {
            mask.put(mask_field, &mut self.out);
        }
        Ok(self.done())
    }

    fn done(self) -> Read {
        Read {
            wire: self.out,
            any_requires: self.any_requires,
        }
    }
}
