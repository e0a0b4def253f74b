//! Which field a key names, probably: the one that came after the same field before, in a message of the same type.
//!
//! Members come in the order of the schema, or in that of their names, or in one of the caller's own; in a list all its
//! messages have the same. What is wrong here costs a look into a table, and nothing else.

use crate::codec::plan::MessagePlan;

/// How many places are remembered; two that share one make each other wrong.
const PLACES: usize = 64;

/// For the places between two fields, how many fields were skipped there.
#[derive(Debug)]
pub(super) struct Guesses {
    skipped: [u16; PLACES],
}

impl Guesses {
    /// Nothing skipped: each field is followed by the next.
    pub(super) fn new() -> Self {
        Self { skipped: [0; PLACES] }
    }

    /// The field that probably comes where `next` is the one after the field before.
    #[inline]
    pub(super) fn get(&self, message: &MessagePlan, next: usize) -> usize {
        // Backwards is forwards, around the end.
        usize::from((next as u16).wrapping_add(self.skipped[place(message, next)]))
    }

    /// Remembers the field that came there.
    #[inline]
    pub(super) fn set(&mut self, message: &MessagePlan, next: usize, came: usize) {
        self.skipped[place(message, next)] = (came as u16).wrapping_sub(next as u16);
    }
}

#[inline]
fn place(message: &MessagePlan, next: usize) -> usize {
    (message.id as usize * 11 + next) % PLACES
}
