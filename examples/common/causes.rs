//! Errors with what caused them.

use std::error::Error;

/// The error with all its causes, outermost first; a cause that is part of the text already is not repeated.
///
/// Many errors say only what failed and leave why to their source: a failed request, for one, "error sending
/// request".
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let inner = std::iter::successors(error.source(), |cause| (**cause).source());
    inner.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    enum Layered {
        #[error("no answer")]
        Silent(#[source] io::Error),
        #[error("no answer because {0}")]
        Telling(#[source] io::Error),
        #[error("gave up")]
        Outer(#[source] Box<Layered>),
    }

    #[test]
    fn every_cause_is_told_once() {
        let refused = || io::Error::other("connection refused");
        assert_eq!(causes(&refused()), "connection refused");
        assert_eq!(causes(&Layered::Silent(refused())), "no answer: connection refused");
        assert_eq!(causes(&Layered::Telling(refused())), "no answer because connection refused");
        let deep = Layered::Outer(Box::new(Layered::Silent(refused())));
        assert_eq!(causes(&deep), "gave up: no answer: connection refused");
    }
}
