//! Checks of request fields that every domain makes. A violation names the field, its limit and what would be right.

use millrace_chassis::status::Violation;

use crate::text::{self, Rule};

/// Most characters of a request id.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// Collects what is wrong with a request, so that the caller learns of everything at once.
#[derive(Debug, Default)]
pub(crate) struct Check(Vec<Violation>);

impl Check {
    /// Adds a violation.
    pub(crate) fn fail(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation::new(field, description));
    }

    /// Takes the value of a check that was made elsewhere, or notes its violation.
    pub(crate) fn take<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.0.push(violation)).ok()
    }

    /// Returns a text as it is stored, or notes what is wrong with it and returns an empty one.
    pub(crate) fn text(&mut self, field: &str, typed: &str, rule: &Rule) -> String {
        text::normal(typed, rule).unwrap_or_else(|problem| {
            self.fail(field, problem);
            String::new()
        })
    }

    /// Requires a request id that is empty or 1 to 128 printable ASCII characters.
    pub(crate) fn request_id(&mut self, value: &str) {
        if value.len() > REQUEST_ID_CHARS_MAX || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            self.fail(
                "request_id",
                format!("must be at most {REQUEST_ID_CHARS_MAX} printable ASCII characters, as in a UUID"),
            );
        }
    }

    /// Ends the check.
    ///
    /// # Errors
    /// The violations, if there were any.
    pub(crate) fn done(self) -> Result<(), Vec<Violation>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// Says in one line what is wrong: the first violation, and how many more there are.
pub(crate) fn summary(violations: &[Violation]) -> String {
    match violations {
        [] => "the request has an invalid field".to_owned(),
        [only] => format!("{} {}", only.field, only.description),
        [first, rest @ ..] => format!("{} {} (and {} more)", first.field, first.description, rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_short_printable_ascii() {
        let long = "x".repeat(129);
        for (value, good) in [
            ("", true),
            ("a1 b2", true),
            ("ä", false),
            ("a\n", false),
            (&long, false),
            (&long[1..], true),
        ] {
            let mut check = Check::default();
            check.request_id(value);
            assert_eq!(check.done().is_ok(), good, "{value:?}");
        }
    }
}
