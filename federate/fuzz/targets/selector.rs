//! A selector: what is accepted is written as text that is read as the same one, and each matcher agrees with its values,
//! its prefix and its negation on a value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_federate::selector::{Rule, Selector};

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (text, value) = input.split_once('\0').unwrap_or((input, "foo"));
    let selector = match Selector::parse(text) {
        Ok(selector) => selector,
        Err(error) => return assert!(error.offset().is_none_or(|offset| offset <= text.len()), "{error}"),
    };
    assert_eq!(Selector::parse_with(text, Rule::Series).is_err(), selector.matches_everything());
    let written = selector.to_string();
    let again = Selector::parse(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(selector.matchers(), again.matchers(), "{written}");
    for matcher in selector.matchers() {
        let accepts = matcher.matches(value);
        assert_ne!(accepts, matcher.negated().matches(value), "{matcher} on {value:?}");
        let stands_for = accepts != matcher.op().is_negative();
        assert!(!stands_for || value.starts_with(matcher.prefix()), "{matcher} on {value:?}");
        if let Some(values) = matcher.values() {
            assert_eq!(stands_for, values.binary_search_by(|it| it.as_str().cmp(value)).is_ok(), "{matcher}");
            assert!(values.iter().all(|it| matcher.matches(it) != matcher.op().is_negative()), "{matcher}");
        }
    }
});
