//! What went wrong, in words.

use std::any::Any;
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

/// What a panic says; empty where it carries something else than words.
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
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

    #[test]
    fn panics_say_what_they_were_given() {
        let said = |payload: Box<dyn Any + Send>| panic_message(&*payload).to_owned();
        assert_eq!(said(Box::new("a bug")), "a bug");
        assert_eq!(said(Box::new("a bug".to_owned())), "a bug");
        assert_eq!(said(Box::new(5)), "");
    }
}
