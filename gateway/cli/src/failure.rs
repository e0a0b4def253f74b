//! How a command fails: what it was about, the causes, what helps, and the exit code.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::{Exit, output};

/// Why a command ends without success, as it is shown.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    exit: Exit,
    message: String,
    help: Option<String>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with its cause.
    pub fn new(exit: Exit, message: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::plain(exit, message)
        }
    }

    /// A failure that says all itself.
    pub fn plain(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            cause: None,
        }
    }

    /// Adds what helps.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Shows the failure on standard error, and returns its exit code.
    #[expect(
        clippy::disallowed_methods,
        reason = "what terminals and their users want is no setting of ours"
    )]
    pub fn report(self) -> ExitCode {
        let terminal = std::io::stderr().is_terminal();
        let is_coloured = is_coloured(terminal, |name| std::env::var(name).ok());
        output::note(self.text(is_coloured).trim_end());
        self.exit.into()
    }

    /// The failure as it is shown, without colour: what failed, each cause, what helps.
    pub fn shown(&self) -> String {
        self.text(false)
    }

    /// Lines are never wrapped: reports are read by people and by programs alike, and a path in them must stay in one
    /// piece.
    fn text(&self, is_coloured: bool) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, is_coloured);
        text
    }

    fn write(&self, text: &mut String, is_coloured: bool) -> fmt::Result {
        let label = |label: &str, colour: &str| match is_coloured {
            true => format!("\x1b[1;{colour}m{label}:\x1b[0m"),
            false => format!("{label}:"),
        };
        writeln!(text, "{} {}", label("error", RED), indented(&self.message))?;
        let mut cause = self.source();
        while let Some(error) = cause {
            writeln!(text, "  {} {}", label("because", RED), indented(&error.to_string()))?;
            cause = error.source();
        }
        if let Some(help) = &self.help {
            writeln!(text, "  {} {}", label("help", CYAN), indented(help))?;
        }
        Ok(())
    }
}

const RED: &str = "31";
const CYAN: &str = "36";

/// Colour is for people: on a terminal that has it, unless they do not want it (<https://no-color.org>).
fn is_coloured(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_unwanted = variable("NO_COLOR").is_some_and(|text| !text.is_empty());
    is_terminal && !is_unwanted && variable("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// A text whose further lines stand under its first.
fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigError;

    #[test]
    fn a_report_has_the_causes_and_what_helps() {
        let unread = ConfigError::Read {
            path: "/a/b.toml".into(),
            source: std::io::Error::other("no such file"),
        };
        let failure = Failure::new(Exit::Configuration, "the settings cannot be used", unread).help("give another");
        assert_eq!(
            failure.shown(),
            "error: the settings cannot be used\n  because: settings file /a/b.toml cannot be read\n  \
             because: no such file\n  help: give another\n"
        );
        let coloured = failure.text(true);
        assert!(coloured.starts_with("\x1b[1;31merror:\x1b[0m the"), "{coloured:?}");
    }

    #[test]
    fn a_list_stands_under_what_it_belongs_to() {
        let failure = Failure::new(Exit::Configuration, "no", "2 settings are wrong:\n- a\n- b");
        assert_eq!(
            failure.shown(),
            "error: no\n  because: 2 settings are wrong:\n    - a\n    - b\n"
        );
    }

    #[test]
    fn colour_is_for_terminals_whose_users_want_it() {
        for (is_terminal, variables, expected) in [
            (true, &[][..], true),
            (false, &[], false),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "")], true),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "xterm")], true),
        ] {
            let variable = |name: &str| {
                let mut variables = variables.iter();
                variables
                    .find(|(known, _)| *known == name)
                    .map(|(_, text)| (*text).to_owned())
            };
            assert_eq!(is_coloured(is_terminal, variable), expected, "{variables:?}");
        }
    }
}
