//! The frame of a program: its environment in, its exit code out.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{Exit, Failure, keep_freed_memory};

/// The environment's variables that are text.
pub type Environment = Vec<(String, String)>;

/// Runs a command to its end, and shows its failure.
pub fn run<E: Into<Failure>>(command: impl Future<Output = Result<Exit, E>>) -> ExitCode {
    keep_freed_memory();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(Exit::Unreachable, "the runtime cannot start", error).report(),
    };
    let outcome = runtime.block_on(command);
    // What still runs is of no use to anybody: a blocked read of a terminal must not hold the process.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.into().report(),
    }
}

/// Keeps the variables that are text. One of ours, by its prefix, that is none is refused: to go on without it would be
/// to go on with another setting than the one that was given.
///
/// # Errors
/// A variable of ours is not UTF-8.
pub fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
    prefix: &str,
) -> Result<Environment, Failure> {
    let mut kept = Vec::new();
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => kept.push((name, value)),
            (Ok(name), Err(_)) if name.starts_with(prefix) => {
                let message = format!("variable {name} is not UTF-8");
                return Err(Failure::plain(Exit::Configuration, message).help("set it again, or unset it"));
            }
            _ => {}
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_no_text_is_not_overlooked() {
        use std::os::unix::ffi::OsStringExt;
        let variable = |name: &str, value: &[u8]| (OsString::from(name), OsString::from_vec(value.to_vec()));
        let good = [variable("LESS", b"\xFF"), variable("OURS_URL", b"x")];
        let good = environment(good.into_iter(), "OURS_");
        assert_eq!(good.ok(), Some(vec![("OURS_URL".to_owned(), "x".to_owned())]));
        assert!(environment([variable("OURS_LIMIT", b"\xFF")].into_iter(), "OURS_").is_err());
    }
}
