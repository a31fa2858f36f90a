//! Selectors: what is read, what is refused and in which words, and that their text is read as the same selector.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use promha_federate::matcher::{MatcherError, MatcherLimits};
use promha_federate::selector::{ParseErrorKind, Rule};
use promha_federate::{Matcher, Op, Selector};
use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr};
use proptest::prelude::*;

/// Besides those of the vectors.
#[test]
fn refusals() {
    for (text, error) in [
        ("up @ 1", "1:4: parse error: unexpected <op:@>"),
        ("up@start()", "1:3: parse error: unexpected <op:@>"),
        ("up OFFSET 5m", "1:4: parse error: unexpected <OFFSET>"),
        ("up bool", "1:4: parse error: unexpected <bool>"),
        ("up sum", "1:4: parse error: unexpected <aggr:sum>"),
        ("up by", "1:4: parse error: unexpected <by>"),
        ("up start", "1:4: parse error: unexpected \"start\""),
        ("up down", "1:4: parse error: unexpected identifier \"down\""),
        ("up a:b", "1:4: parse error: unexpected metric identifier \"a:b\""),
        ("up == 1", "1:4: parse error: unexpected <op:==>"),
        ("up != 1", "1:4: parse error: unexpected <op:!=>"),
        ("up >= 1", "1:4: parse error: unexpected <op:>=>"),
        ("up = 1", "1:4: parse error: unexpected \"=\""),
        ("up =~ 1", "1:4: parse error: unexpected character after '=': '~'"),
        ("up ! 1", "1:4: parse error: unexpected character after '!': ' '"),
        ("up !", "1:4: parse error: unexpected character after '!': '\u{fffd}'"),
        ("up)", "1:4: parse error: unexpected right parenthesis ')'"),
        ("up]", "1:3: parse error: unexpected right bracket ']'"),
        ("5m", "1:1: parse error: unexpected duration \"5m\""),
        ("1h30m", "1:1: parse error: unexpected duration \"1h30m\""),
        ("5mx", "1:1: parse error: bad number or duration syntax: \"5mx\""),
        ("0x_1F", "1:1: parse error: unexpected number \"0x_1F\""),
        ("1.5e-3", "1:1: parse error: unexpected number \"1.5e-3\""),
        (".5", "1:1: parse error: unexpected number \".5\""),
        ("1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.\""),
        ("12345678901234", "1:1: parse error: unexpected number \"1234567890\"..."),
        ("\"abcdefghijkl\"", "1:1: parse error: unexpected string \"\\\"abcdefghi\"..."),
        ("`a", "1:1: parse error: unterminated raw string"),
        ("{a=\"b\nc\"}", "1:4: parse error: unterminated quoted string"),
        ("{a=\"\\", "1:4: parse error: escape sequence not terminated"),
        ("{a=\"\\x4\"}", "1:4: parse error: illegal character U+0022 '\"' in escape sequence"),
        ("{a=\"\\777\"}", "1:4: parse error: escape sequence is an invalid Unicode code point"),
        ("{a=\"\\ud800\"}", "1:4: parse error: escape sequence is an invalid Unicode code point"),
        ("{a=\"\\Uffffffff\"}", "1:4: parse error: escape sequence is an invalid Unicode code point"),
        ("{a=\"\u{fffd}\"}", "1:4: parse error: invalid UTF-8 rune"),
        ("{{", "1:2: parse error: unexpected left brace '{'"),
        ("{,}", "1:2: parse error: unexpected \",\" in label matching, expected identifier or \"}\""),
        (
            "{a=\"b\" c=\"d\"}",
            "1:8: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
        ),
        (
            "{\"a\" \"b\"}",
            "1:6: parse error: unexpected string \"\\\"b\\\"\" in label matching, expected \",\" or \"}\"",
        ),
        (
            "{a \"b\"}",
            "1:4: parse error: unexpected string \"\\\"b\\\"\" in label matching, expected label matching operator",
        ),
        ("{a=~}", "1:5: parse error: unexpected \"}\" in label matching, expected string"),
        ("{=~\"a\"}", "1:2: parse error: unexpected <op:=~> in label matching, expected identifier or \"}\""),
        ("# only\n", "2:1: parse error: unexpected end of input"),
        ("\n up\n  {a=}", "3:6: parse error: unexpected \"}\" in label matching, expected string"),
        ("{a=~\"(\", b=}", "1:2: parse error: error parsing regexp: missing closing ): `(`"),
        ("{a=~\"\\xff\"}", "1:2: parse error: error parsing regexp: invalid UTF-8: `\u{fffd}`"),
        ("é", "1:1: parse error: unexpected character: 'é'"),
        ("\0", "1:1: parse error: unexpected character: '\\x00'"),
    ] {
        assert_eq!(Selector::parse(text).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn texts() {
    for (text, written) in [
        ("up", "up"),
        ("up{}", "up"),
        ("{}", "{}"),
        ("BY", "BY"),
        ("offset{a='b',}", "offset{a=\"b\"}"),
        ("{__name__=\"up\"}", "up"),
        ("{__name__=\"bool\"}", "{__name__=\"bool\"}"),
        ("{\"inf\"}", "{__name__=\"inf\"}"),
        ("{\"a.b\", 'c d'!~`\\d`}", "{__name__=\"a.b\",\"c d\"!~\"\\\\d\"}"),
        ("{a=\"\\u00e9\\n\\x00\\\"'\\U0001F600\"}", "{a=\"é\\n\\x00\\\"'😀\"}"),
        ("{a=\"\\ufffd\\xff\",\"\\xfe\"=\"\"}", "{a=\"\\ufffd\\xff\",\"\\xfe\"=\"\"}"),
        ("{a=\"b\", __name__=\"up\"} # and more", "{a=\"b\",__name__=\"up\"}"),
    ] {
        let selector = Selector::parse(text).unwrap();
        assert_eq!(selector.to_string(), written, "{text}");
        assert_eq!(Selector::parse(written).unwrap().matchers(), selector.matchers(), "{text}");
    }
}

#[test]
fn what_is_not_utf8_equals_nothing() {
    let selector = Selector::parse("{a=\"\\xff\"}").unwrap();
    let matcher = &selector.matchers()[0];
    assert_eq!((matcher.value(), matcher.values()), ("\u{fffd}", Some(&[][..])));
    assert!(!selector.matches(&[("a", "\u{fffd}")]));
    let selector = Selector::parse("{\"\\xff\"!=\"x\"}").unwrap();
    assert_eq!(selector.matchers()[0].name(), "");
    assert!(selector.matches(&[("\u{fffd}", "x")]));
}

#[test]
fn limits_are_those_of_the_caller() {
    let mut limits = MatcherLimits::default();
    limits.max_pattern_bytes = 4;
    let error = Selector::parse_within("up{a=~\"long|er\"}", Rule::Federate, &limits).unwrap_err();
    assert_eq!(*error.kind(), ParseErrorKind::Matcher(MatcherError::PatternBytes { found: 7, limit: 4 }));
    assert_eq!(error.line_column(), Some((1, 4)));
    assert!(Selector::parse_within("up{a=\"long|er\"}", Rule::Federate, &limits).is_ok());
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![Op::Equal, Op::NotEqual, Op::Regex, Op::NotRegex]);
    let name = prop_oneof!["[a-z_][a-z0-9_]{0,3}", ".{0,4}", Just("__name__".to_owned())];
    (name, op, prop_oneof!["[a-z|.*]{0,6}", ".{0,4}"])
        .prop_filter_map("not an expression", |(name, op, value)| Matcher::new(&name, op, &value).ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn written_and_read_again(matchers in prop::collection::vec(any_matcher(), 0..5)) {
        let selector = Selector::new(matchers);
        let again = Selector::parse(&selector.to_string()).unwrap();
        prop_assert_eq!(selector.matchers(), again.matchers());
    }

    #[test]
    fn any_text_is_a_selector_or_an_error(text in "(\\PC|[up{}\"'`=~!,#\\\\\n])*") {
        match Selector::parse(&text) {
            Ok(selector) => {
                let again = Selector::parse(&selector.to_string()).unwrap();
                prop_assert_eq!(selector.matchers(), again.matchers());
            }
            Err(error) => prop_assert!(error.offset().is_none_or(|at| at <= text.len())),
        }
    }

    /// Another parser of PromQL, where it reads a plain selector.
    #[test]
    fn as_promql_parser_reads_it(text in "([a-z:]{1,6})?(\\{([a-z]{1,3}(=|!=|=~|!~)(\"[a-z.|]{0,4}\"|'[a-z]{0,3}'),?){0,3}\\})?( offset 5m| or up)?") {
        let Ok(Expr::VectorSelector(expected)) = parser::parse(&text) else { return Ok(()) };
        if expected.offset.is_some() || !expected.matchers.or_matchers.is_empty() {
            prop_assert!(Selector::parse(&text).is_err(), "{}", text);
            return Ok(());
        }
        let selector = Selector::parse(&text).unwrap();
        let found: Vec<_> = selector.matchers().iter().map(|it| (it.name(), it.op(), it.value())).collect();
        let name = expected.name.iter().map(|name| ("__name__", Op::Equal, name.as_str()));
        let expected: Vec<_> = name.chain(expected.matchers.matchers.iter().map(|it| {
            let op = match it.op {
                MatchOp::Equal => Op::Equal,
                MatchOp::NotEqual => Op::NotEqual,
                MatchOp::Re(_) => Op::Regex,
                MatchOp::NotRe(_) => Op::NotRegex,
            };
            (it.name.as_str(), op, it.value.as_str())
        })).collect();
        prop_assert_eq!(found, expected);
    }
}
