//! Memory that all calls share, one budget for the bodies of REST requests and one for REST answers: taken from as bytes
//! come to be, given back when they are gone. Without the first a few hundred callers with bodies of the largest size
//! could fill the machine, without the second a few who do not read what they asked for.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A call is begun only while a budget has this part of it left, which is for what calls that have begun make.
const RESERVE: usize = 8;

/// A buffer with more room than this besides its bytes is cut to them: what is counted is there for an answer.
const ROOM_BYTES_MAX: usize = 16 << 10;

/// A budget, shared by all calls of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    left: Arc<Semaphore>,
    reserve: usize,
}

/// The budget is spent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent;

impl Memory {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self {
            left: Arc::new(Semaphore::new(bytes)),
            reserve: bytes / RESERVE,
        }
    }

    /// Takes bytes for one who has taken `held` so far. It never waits: two who wait for each other's memory would wait
    /// for ever.
    pub(crate) fn take(&self, bytes: usize, held: &mut Held) -> Result<(), Spent> {
        if bytes == 0 {
            return Ok(());
        }
        let bytes = u32::try_from(bytes).map_err(|_| Spent)?;
        let taken = self.left.clone().try_acquire_many_owned(bytes).map_err(|_| Spent)?;
        match &mut held.0 {
            Some(held) => held.merge(taken),
            none => *none = Some(taken),
        }
        Ok(())
    }

    /// Whether there is memory for the answer of a call that is still to be made: to refuse it then undoes nothing.
    pub(crate) fn has_room(&self) -> bool {
        let left = self.left.available_permits();
        left > 0 && left >= self.reserve
    }

    /// Takes what a buffer needs besides what is held for it already.
    pub(crate) fn count(&self, buffer: &mut Vec<u8>, held: &mut Held) -> Result<(), Spent> {
        if buffer.is_empty() {
            return Ok(());
        }
        if buffer.capacity() - buffer.len() > ROOM_BYTES_MAX {
            buffer.shrink_to_fit();
        }
        self.take(buffer.capacity().saturating_sub(held.bytes()), held)
    }
}

/// What one has taken; dropping it gives all back.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Ties what is held to the bytes it is held for. HTTP/2 takes a body's bytes long before its peer does, so that
    /// the body is no measure of how long they are there. It costs nothing: bytes of a buffer that is not full are kept
    /// in a box of their own anyway.
    pub(crate) fn by(self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Counted { buffer, _held: self })
    }
}

/// Bytes that are there until the last who has a part of them drops it.
struct Counted {
    buffer: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_and_no_more_is_given_than_there_is() {
        let memory = Memory::new(10);
        let (mut one, mut other) = (Held::default(), Held::default());
        memory.take(0, &mut one).unwrap();
        assert!(one.0.is_none());
        memory.take(4, &mut one).unwrap();
        memory.take(4, &mut one).unwrap();
        assert_eq!(memory.take(3, &mut other), Err(Spent));
        assert!(other.0.is_none());
        memory.take(2, &mut other).unwrap();
        drop(one);
        memory.take(8, &mut other).unwrap();
        assert_eq!(memory.take(1, &mut other), Err(Spent));
        drop(other);
        memory.take(10, &mut Held::default()).unwrap();
    }

    #[test]
    fn bytes_are_held_until_their_last_part_is_dropped() {
        let memory = Memory::new(100_000);
        let (mut buffer, mut held) = (Vec::with_capacity(90_000), Held::default());
        buffer.extend_from_slice(&[7; 50_000]);
        memory.count(&mut buffer, &mut held).unwrap();
        let once = held.bytes();
        assert!((50_000..60_000).contains(&once), "what is not used is not kept: {once}");
        memory.count(&mut buffer, &mut held).unwrap();
        assert_eq!(held.bytes(), once, "nothing is counted twice");
        let mut bytes = held.by(buffer);
        let part = bytes.split_to(10);
        drop(bytes);
        assert_eq!(memory.take(60_000, &mut Held::default()), Err(Spent));
        assert_eq!(part, [7; 10][..]);
        drop(part);
        memory.take(100_000, &mut Held::default()).unwrap();
    }

    #[test]
    fn a_call_is_begun_only_while_a_part_is_left() {
        let (memory, mut held) = (Memory::new(800), Held::default());
        memory.take(700, &mut held).unwrap();
        assert!(memory.has_room());
        memory.take(1, &mut held).unwrap();
        assert!(!memory.has_room());
        memory.take(99, &mut held).unwrap();
        drop(held);
        assert!(memory.has_room());
    }
}
