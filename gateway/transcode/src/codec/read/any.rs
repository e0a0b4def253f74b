//! `google.protobuf.Any`: `@type` may stand anywhere among the members.
//!
//! The type is sought ahead, over values that are then read again: where it does not come first, an `Any` inside
//! another is gone through once more for each level around it, of which there are at most as many as JSON may nest.

use std::borrow::Cow;

use super::message::TYPE_KEY;
use super::{Problem, Reader, Result, Step};
use crate::codec::plan::{Form, MessageId, Requires};
use crate::codec::{known, wire};
use crate::echo;

impl<'j> Reader<'_, 'j> {
    pub(super) fn any(&mut self) -> Result<()> {
        if self.tokens.peek() != Some(b'{') {
            return Err(self.mismatch("an object"));
        }
        let Some((type_url, type_offset)) = self.find_type()? else {
            self.tokens.open(b'}')?;
            return Ok(());
        };
        let name = type_url.rsplit_once('/').map_or("", |(_, name)| name);
        let Some(inner) = self.plans.find(name) else {
            let text = format!("unknown type {}", echo::quoted(&type_url));
            return Err(Problem::new(type_offset, text));
        };
        self.out.push(known::TYPE_URL_TAG);
        wire::put_bytes(&mut self.out, type_url.as_bytes());
        let start = self.out.len();
        self.out.push(known::ANY_VALUE_TAG);
        let value = wire::begin(&mut self.out);
        self.enter()?;
        let plan = self.plans.message(inner);
        self.any_requires |= plan.requires == Requires::Itself;
        match plan.form {
            Form::Plain => self.members(plan, None, true)?,
            Form::MessageSet => self.message_set(plan, None, true)?,
            _ => self.known_in_any(inner, name)?,
        }
        self.leave();
        if self.out.len() == value {
            self.out.truncate(start);
        } else {
            wire::end(&mut self.out, value);
        }
        Ok(())
    }

    /// The type and where it stands; `None` in an empty object.
    fn find_type(&self) -> Result<Option<(Cow<'j, str>, usize)>> {
        let mut ahead = self.tokens.clone();
        let mut more = ahead.open(b'}')?;
        if !more {
            return Ok(None);
        }
        while more {
            if ahead.key()? != TYPE_KEY {
                ahead.skip(None)?;
                more = ahead.more(b'}')?;
                continue;
            }
            let offset = ahead.at();
            if ahead.peek() == Some(b'"') {
                return Ok(Some((ahead.text()?, offset)));
            }
            let found = ahead.start()?;
            return Err(Problem::new(
                offset,
                format!("expected a string, found {}", found.name()),
            ));
        }
        Err(Problem::new(self.tokens.at(), "an Any needs `@type`"))
    }

    /// A message with a form of its own stands under `value`.
    fn known_in_any(&mut self, id: MessageId, name: &str) -> Result<()> {
        let offset = self.tokens.at();
        let mut given = (false, false);
        let mut more = self.tokens.open(b'}')?;
        while more {
            let key_offset = self.tokens.at();
            let key = self.tokens.key()?;
            let is_new = match key.as_ref() {
                TYPE_KEY => {
                    self.tokens.skip(None)?;
                    !std::mem::replace(&mut given.0, true)
                }
                "value" if !given.1 => {
                    self.message(id, None)
                        .map_err(|problem| problem.under(|| Step::Field("value".to_owned())))?;
                    !std::mem::replace(&mut given.1, true)
                }
                "value" => false,
                _ => return Err(Problem::new(key_offset, only_value(name))),
            };
            if !is_new {
                return Err(Problem::new(key_offset, format!("duplicate key {key:?}")));
            }
            more = self.tokens.more(b'}')?;
        }
        match given.1 {
            true => Ok(()),
            false => Err(Problem::new(offset, only_value(name))),
        }
    }
}

fn only_value(name: &str) -> String {
    format!("an Any of {name} has `@type` and `value`")
}
