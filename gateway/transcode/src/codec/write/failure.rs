//! Why a message is not written. The path is gathered innermost first.

use crate::codec::plan::MessagePlan;
use crate::codec::wire::WireError;

pub(crate) type Result<'p, T> = std::result::Result<T, Box<Failure<'p>>>;

/// A reason and the fields around it.
#[derive(Debug)]
pub(crate) struct Failure<'p> {
    pub(crate) reason: Reason<'p>,
    /// Innermost first.
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason<'p> {
    /// The bytes are no such message.
    Wire(WireError),
    /// A value of this message has no JSON form.
    NoForm(&'p str),
    /// The JSON is longer than it may be.
    TooLarge,
    /// Fields do not come in order: not a failure, but the end of a pass.
    Disorder,
}

impl From<WireError> for Box<Failure<'_>> {
    fn from(error: WireError) -> Self {
        Failure::wire(error)
    }
}

impl<'p> Failure<'p> {
    #[cold]
    fn new(reason: Reason<'p>) -> Box<Self> {
        Box::new(Self {
            reason,
            path: Vec::new(),
        })
    }

    pub(crate) fn wire(error: WireError) -> Box<Self> {
        Self::new(Reason::Wire(error))
    }

    pub(super) fn no_form(plan: &'p MessagePlan) -> Box<Self> {
        Self::without_form(&plan.name)
    }

    pub(super) fn without_form(message: &'p str) -> Box<Self> {
        Self::new(Reason::NoForm(message))
    }

    #[cold]
    pub(super) fn too_large() -> Box<Self> {
        Self::new(Reason::TooLarge)
    }

    pub(super) fn disorder() -> Box<Self> {
        Self::new(Reason::Disorder)
    }

    pub(super) fn is_disorder(&self) -> bool {
        self.reason == Reason::Disorder
    }

    #[cold]
    pub(super) fn under(mut self: Box<Self>, name: impl FnOnce() -> String) -> Box<Self> {
        if !self.is_disorder() {
            self.path.push(name());
        }
        self
    }

    /// As `lines.labels.name`.
    pub(crate) fn field(&self) -> String {
        let names: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        names.join(".")
    }
}
