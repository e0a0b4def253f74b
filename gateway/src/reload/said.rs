//! What the sources of a schema have said so far.

use futures_util::future::join_all;

use super::sources::{LoadError, SchemaSource};
use crate::reflection::{MergeError, Merged, Source, merge};

/// Which sources are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    All,
    /// Those that the interval asks.
    Polled,
    /// Those that have said nothing yet.
    Silent,
}

/// What each source said last, in their order.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Said {
    sources: Vec<Source>,
    /// Which have said nothing yet.
    silent: Vec<bool>,
}

impl Said {
    /// Asks all for the first time. A server that is away has said nothing; why is told beside.
    ///
    /// # Errors
    /// A source that is there has no descriptors to give.
    pub(super) async fn first(sources: &[SchemaSource]) -> Result<(Self, Vec<String>), LoadError> {
        let (mut said, mut failures) = (Self::of(Vec::new()), Vec::new());
        for (source, loaded) in sources
            .iter()
            .zip(join_all(sources.iter().map(SchemaSource::load)).await)
        {
            said.silent.push(loaded.is_err());
            said.sources.push(match loaded {
                Ok(loaded) => loaded,
                Err(error) if error.is_away() => {
                    failures.push(error.to_string());
                    source.silent()
                }
                Err(error) => return Err(error),
            });
        }
        Ok((said, failures))
    }

    fn of(sources: Vec<Source>) -> Self {
        let silent = vec![false; sources.len()];
        Self { sources, silent }
    }

    /// Asks again. One that fails is taken to say what it said last; why it failed is told beside.
    pub(super) async fn again(&self, sources: &[SchemaSource], asked: Asked) -> (Self, Vec<String>) {
        let known = self.sources.iter().zip(&self.silent);
        let loads = sources.iter().zip(known).map(async |(source, (said, silent))| {
            let is_asked = match asked {
                Asked::All => true,
                Asked::Polled => source.polled,
                Asked::Silent => *silent,
            };
            if !is_asked {
                return (said.clone(), *silent, None);
            }
            match source.load().await {
                Ok(now) => (now, false, None),
                Err(error) => (said.clone(), *silent, Some(error.to_string())),
            }
        });
        let (mut said, mut failures) = (Self::of(Vec::new()), Vec::new());
        for (now, is_silent, failure) in join_all(loads).await {
            said.sources.push(now);
            said.silent.push(is_silent);
            failures.extend(failure);
        }
        (said, failures)
    }

    /// All together.
    ///
    /// # Errors
    /// They contradict each other.
    pub(super) fn merged(&self) -> Result<Merged, MergeError> {
        let mut merged = merge(&self.sources)?;
        merged.complete = !self.is_partial();
        Ok(merged)
    }

    /// Whether one has said nothing yet.
    pub(super) fn is_partial(&self) -> bool {
        self.silent.contains(&true)
    }

    /// Whether none has said anything yet.
    pub(super) fn is_nothing(&self) -> bool {
        self.silent.iter().all(|silent| *silent)
    }

    /// Names of those that have said nothing yet.
    pub(super) fn missing(&self) -> Vec<String> {
        let silent = self.sources.iter().zip(&self.silent).filter(|(_, silent)| **silent);
        silent.map(|(source, _)| source.name.clone()).collect()
    }
}
