//! The memory of all REST bodies that are there at one time: one budget, taken from as bytes arrive, given back when
//! their calls have ended. Without it a few hundred callers with bodies of the largest size could fill the machine.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget, shared by all calls of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    bytes: Arc<Semaphore>,
}

/// The budget is spent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent;

impl BodyMemory {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Takes bytes for a body that has taken `held` so far. It never waits: two bodies that wait for each other's
    /// memory would wait for ever.
    pub(crate) fn take(&self, bytes: usize, held: &mut Held) -> Result<(), Spent> {
        if bytes == 0 {
            return Ok(());
        }
        let bytes = u32::try_from(bytes).map_err(|_| Spent)?;
        let taken = self.bytes.clone().try_acquire_many_owned(bytes).map_err(|_| Spent)?;
        match &mut held.0 {
            Some(held) => held.merge(taken),
            none => *none = Some(taken),
        }
        Ok(())
    }
}

/// What one body has taken; dropping it gives all back.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_and_no_more_is_given_than_there_is() {
        let memory = BodyMemory::new(10);
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
}
