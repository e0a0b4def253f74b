//! An error as one line of a log.

use std::error::Error;

/// The words of an error and of all that caused it, outermost first.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the shop is closed")]
    struct Closed(#[source] io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        assert_eq!(with_causes(&io::Error::other("no key")), "no key");
        assert_eq!(
            with_causes(&Closed(io::Error::other("no key"))),
            "the shop is closed: no key"
        );
    }
}
