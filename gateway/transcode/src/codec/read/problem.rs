//! What is wrong with a body. The path is gathered innermost first, by those who called whoever found it.

use std::fmt::Write;

use super::Reader;
use crate::codec::required::Missing;
use crate::codec::token::SyntaxError;
use crate::echo;

pub(crate) type Result<T> = std::result::Result<T, Box<Problem>>;

/// What is wrong in a body, where, and under which field.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) offset: usize,
    pub(crate) text: String,
    /// What was probably meant: the end of the sentence that begins with `text`.
    pub(crate) hint: String,
    /// It is no JSON; that is nothing to do with a field.
    pub(crate) is_syntax: bool,
    /// Required fields that are missing, if that is what is wrong.
    pub(crate) missing: Vec<String>,
    /// The setting that allows it, if one does.
    pub(crate) relaxed_by: Option<&'static str>,
    /// Innermost first.
    path: Vec<Step>,
}

/// One step of a path.
#[derive(Debug)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
    Key(String),
}

impl From<Box<SyntaxError>> for Box<Problem> {
    #[cold]
    fn from(error: Box<SyntaxError>) -> Self {
        Box::new(Problem {
            offset: error.offset,
            text: error.problem,
            hint: String::new(),
            is_syntax: !error.is_json,
            missing: Vec::new(),
            relaxed_by: None,
            path: Vec::new(),
        })
    }
}

impl Problem {
    #[cold]
    pub(crate) fn new(offset: usize, text: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            offset,
            text: text.into(),
            hint: String::new(),
            is_syntax: false,
            missing: Vec::new(),
            relaxed_by: None,
            path: Vec::new(),
        })
    }

    /// Says what was probably meant.
    #[cold]
    pub(crate) fn hint(mut self: Box<Self>, hint: String) -> Box<Self> {
        self.hint = hint;
        self
    }

    /// Required fields are missing.
    #[cold]
    pub(crate) fn missing(missing: Missing) -> Box<Self> {
        let mut problem = Self::new(0, missing.to_string());
        problem.missing = missing.paths;
        problem
    }

    /// Names the setting that allows it.
    #[cold]
    pub(crate) fn relaxed_by(mut self: Box<Self>, setting: &'static str) -> Box<Self> {
        self.relaxed_by = Some(setting);
        self
    }

    /// Says where the value stands that this is about.
    #[cold]
    pub(crate) fn under(mut self: Box<Self>, step: impl FnOnce() -> Step) -> Box<Self> {
        if !self.is_syntax {
            self.path.push(step());
        }
        self
    }

    /// As `lines[3].labels["a"].name`.
    pub(crate) fn field(&self) -> String {
        path_text(self.path.iter().rev())
    }
}

/// A path, outermost first; one that is too long to be read is cut.
pub(crate) fn path_text<'s>(steps: impl Iterator<Item = &'s Step>) -> String {
    let mut text = String::new();
    for step in steps {
        let dot = if text.is_empty() { "" } else { "." };
        // Writing to a string cannot fail.
        let _ = match step {
            Step::Field(name) => write!(text, "{dot}{}", echo::short(name)),
            Step::Index(index) => write!(text, "[{index}]"),
            Step::Key(key) => write!(text, "[{}]", echo::quoted(key)),
        };
        if text.len() > echo::PATH_BYTES_MAX {
            break;
        }
    }
    echo::within(text, echo::PATH_BYTES_MAX)
}

impl Reader<'_, '_> {
    /// The expected kind of value is not there: another is, or none at all.
    #[cold]
    pub(super) fn mismatch(&self, expected: &str) -> Box<Problem> {
        match self.tokens.start() {
            Ok(found) => Problem::new(self.tokens.at(), format!("expected {expected}, found {}", found.name())),
            Err(error) => error.into(),
        }
    }
}
