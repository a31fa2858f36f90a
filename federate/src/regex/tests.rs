//! What expressions mean: by tables, and beside an oracle that tries everything.

use proptest::prelude::*;

use super::automaton::Automaton;
use super::node::{Look, Node};
use super::*;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern, &MatcherLimits::default()).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn refused(pattern: &str) -> String {
    match Regex::new(pattern, &MatcherLimits::default()) {
        Ok(_) => panic!("{pattern} is accepted"),
        Err(error) => error.to_string().trim_start_matches("error parsing regexp: ").to_owned(),
    }
}

/// Whether all of the text matches, by trying all ways there are: where each node can end that begins at a place.
mod oracle {
    use super::*;

    pub(super) fn matches(node: &Node, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        ends(node, &chars, vec![0]).contains(&chars.len())
    }

    fn ends(node: &Node, text: &[char], starts: Vec<usize>) -> Vec<usize> {
        let mut out: Vec<usize> = match node {
            Node::Empty => starts,
            Node::Literal(literal) => literal.chars().fold(starts, |at, c| step(&at, text, |it| it == c)),
            Node::Folded(folded) => {
                let same = |c: char, it: char| {
                    it.to_lowercase().eq(c.to_lowercase()) || fold::orbit(c).contains(&it)
                };
                folded.chars().fold(starts, |at, c| step(&at, text, |it| same(c, it)))
            }
            Node::Class(class) => step(&starts, text, |it| {
                class.iter().any(|range| (range.start()..=range.end()).contains(&it))
            }),
            Node::Any => step(&starts, text, |_| true),
            Node::Look(look) => starts.into_iter().filter(|&at| holds(*look, text, at)).collect(),
            Node::Repeat { node, min, max } => {
                let mut all = Vec::new();
                let mut at = starts;
                for count in 0..=max.unwrap_or(min + text.len() as u32) {
                    if count >= *min {
                        all.extend_from_slice(&at);
                    }
                    at = ends(node, text, at);
                    if at.is_empty() {
                        break;
                    }
                }
                all
            }
            Node::Concat(nodes) => nodes.iter().fold(starts, |at, node| ends(node, text, at)),
            Node::Alternate(nodes) => {
                nodes.iter().flat_map(|node| ends(node, text, starts.clone())).collect()
            }
        };
        out.sort_unstable();
        out.dedup();
        out
    }

    fn step(starts: &[usize], text: &[char], accepts: impl Fn(char) -> bool) -> Vec<usize> {
        starts.iter().filter(|&&at| text.get(at).is_some_and(|&c| accepts(c))).map(|at| at + 1).collect()
    }

    fn holds(look: Look, text: &[char], at: usize) -> bool {
        let is_word = |c: Option<&char>| c.is_some_and(|&c| c == '_' || c.is_ascii_alphanumeric());
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let boundary = is_word(before) != is_word(text.get(at));
        match look {
            Look::Start => at == 0,
            Look::End => at == text.len(),
            Look::StartLine => at == 0 || before == Some(&'\n'),
            Look::EndLine => at == text.len() || text[at] == '\n',
            Look::WordBoundary => boundary,
            Look::NotWordBoundary => !boundary,
        }
    }
}

#[test]
fn forms() {
    let long = (0..300).map(|n| format!("v{n}\\.x")).collect::<Vec<_>>().join("|");
    let folded = (0..20).map(|n| format!("v{n}")).collect::<Vec<_>>().join("|");
    for (pattern, form) in [
        ("", "literal"),
        ("foo", "literal"),
        ("foo\\.bar", "literal"),
        ("^foo$", "literal"),
        ("^(?:foo)$", "literal"),
        ("\\Qa.b\\E", "literal"),
        ("foo|bar", "set"),
        ("|foo", "set"),
        ("(foo|bar)(a|b)?", "set"),
        ("[a-c][0-9]", "set"),
        (&long, "set"),
        ("^a|pi$", "set"),
        (".*", "everything"),
        ("(.*)", "everything"),
        ("^.*$", "everything"),
        (".*.*", "everything"),
        ("(.+)?", "everything"),
        ("(foo|.*)", "everything"),
        (".+", "non-empty"),
        (".*.+", "non-empty"),
        ("(?s:.+)", "non-empty"),
        ("foo.*", "prefix"),
        ("(foo).*$", "prefix"),
        ("foo(|bar).*", "prefix"),
        ("foo.*|foo", "any-of"),
        (".*foo", "suffix"),
        (".*foo.*", "contains"),
        ("(foo|bar).*", "glob"),
        ("p0.*|p1.*|p2.*", "glob"),
        (".*(foo|bar)", "glob"),
        ("foo.+", "glob"),
        ("foo.*bar", "glob"),
        (".*-.*-.*", "glob"),
        (".*foo.*bar.*baz.*", "glob"),
        ("(a|b|c).*(x|y)", "glob"),
        (".*foo.*|.*bar.*", "any-of"),
        ("foo|bar.*", "any-of"),
        ("a(b.*|c)", "any-of"),
        ("(?i)foo", "folded"),
        ("(?i)foo.*", "even-prefix"),
        ("(?i).+foo", "even-suffix"),
        ("(?i)123.*", "prefix"),
        (&format!("(?i){folded}"), "normalised"),
        ("[^\\x00-\\x{10ffff}]", "nothing"),
        ("a[^\\x00-\\x{10ffff}].*", "nothing"),
        ("5..", "table"),
        ("[a-z]+-[0-9]{4}", "table"),
        (".*\\bfoo\\b.*", "table"),
        ("(?-s).*", "table"),
        ("(?i).*foo.*", "table"),
        ("\\pL{100}x", "lazy"),
    ] {
        assert_eq!(regex(pattern).form.name(), form, "{pattern}");
    }
}

#[test]
fn meaning() {
    for (pattern, yes, no) in [
        ("a{,2}", "a{,2}", "aa"),
        ("a{02}", "a{02}", "aa"),
        ("x{2,3}", "xxx", "x"),
        ("[a&&b]", "&", "c"),
        ("[a~~b]", "~", "c"),
        ("[a[b]", "[", "c"),
        ("[]a]", "]", "b"),
        ("[^]a]", "b", "]"),
        ("[a-]", "-", "b"),
        ("[\\d-z]", "-", "y"),
        ("\\s", "\t", "\x0b"),
        ("[[:space:]]", "\x0b", "x"),
        ("\\07\\101\\60", "\x07A0", "7"),
        ("\\x{41}\\x42", "AB", "ab"),
        ("\\<b\\>", "<b>", "b"),
        ("x\\b{start}a", "x{start}a", "xa"),
        ("a*?b+?c??", "aab", "c"),
        ("(?i)[^k]", "x", "\u{212a}"),
        ("(?i)\\W", "-", "\u{17f}"),
        ("(?i)ſ", "S", "t"),
        ("(?i)straße", "STRAẞE", "STRASSE"),
        ("(?U)a+(?-U)b*", "aab", "b"),
        ("(?m)a$\\n^b", "a\nb", "a b"),
        ("(?-s)a.b", "axb", "a\nb"),
        ("a.b", "a\nb", "ab"),
        ("\\p{^Lu}\\PN", "aa", "a1"),
        ("\\p{Greek}\\pL\\p{Nd}\\p{Any}", "αä٣\n", "aä3\n"),
        ("\\p{Zs}[\\p{Han}x]", " 日", " y"),
        ("[[:^alpha:]][[:word:]]", "1_", "a_"),
        ("(?P<n>a)(?P<n>b)(?<m>c)", "abc", "ab"),
        ("a*(?i)*b", "aab", "ac"),
        ("\\Qa|b", "a|b", "a"),
        ("(?:(?i)a)b", "Ab", "AB"),
        ("a(?i)b|c", "C", "A"),
        ("\\z\\A", "", "a"),
        ("[\\x{D800}-\\x{E000}]", "\u{e000}", "a"),
        ("\\x{D800}|a", "a", "\u{fffd}"),
        (".*é", "aé", "a\u{e8}"),
        ("..", "日é", "é"),
        (".+.+", "ab", "é"),
        ("日.+", "日x", "日"),
        (".*\\B.*", "", "aéa"),
    ] {
        let regex = regex(pattern);
        assert!(regex.matches(yes), "{pattern} on {yes:?}, {}", regex.form.name());
        assert!(!regex.matches(no), "{pattern} on {no:?}, {}", regex.form.name());
    }
}

#[test]
fn refusals() {
    for (pattern, error) in [
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a+?*", "invalid nested repetition operator: `+?*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(?i)+?", "missing argument to repetition operator: `+?`"),
        ("foo)|(bar", "unexpected ): `foo)|(bar`"),
        ("(a", "missing closing ): `(a`"),
        ("[a", "missing closing ]: `[a`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[a--b]", "invalid character class range: `a--`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ("\\p{Foo}", "invalid character class range: `\\p{Foo}`"),
        ("\\p{Grek}", "invalid character class range: `\\p{Grek}`"),
        ("\\p{Alphabetic}", "invalid character class range: `\\p{Alphabetic}`"),
        ("\\p{sc=Greek}", "invalid character class range: `\\p{sc=Greek}`"),
        ("\\pL\\pé", "invalid character class range: `\\pé`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("\\u0041", "invalid escape sequence: `\\u`"),
        ("\\8", "invalid escape sequence: `\\8`"),
        ("\\x{110000}", "invalid escape sequence: `\\x{110000`"),
        ("\\xg0", "invalid escape sequence: `\\xg0`"),
        ("\\é", "invalid escape sequence: `\\é`"),
        ("[\\b]", "invalid escape sequence: `\\b`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?<a", "invalid named capture: `(?<a`"),
        ("(?P<a-b>c)", "invalid named capture: `(?P<a-b>`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("((a{10}){10}){11}", "invalid repeat count: `{11}`"),
    ] {
        assert_eq!(refused(pattern), error, "{pattern}");
    }
}

/// In a stack as small as those that threads have.
#[test]
fn deep_and_large() {
    let nested = |open: &str, close: &str, depth| format!("{}a{}", open.repeat(depth), close.repeat(depth));
    assert!(regex(&nested("(", ")", 300)).matches("a"));
    assert!(regex(&nested("(", ")", 1000)).matches("a"));
    for pattern in [
        nested("(x*", ")*", 99),
        nested("(b|x?", ")*", 49),
        nested("(.*x|", ")", 900),
        nested("(x?", ")", 900),
        nested("(?:", ")?", 199),
        format!("a{}", "*(?i)".repeat(10_000)),
        format!("a{}", "{1}(?i)+(?i)?(?i)".repeat(10_000)),
    ] {
        assert!(regex(&pattern).matches("a"), "{pattern:.20}");
    }
    for pattern in [
        nested("(", ")", 1001),
        nested("(", "", 100_000),
        nested("(?:x*", ")*", 100_000),
        nested("(b|x", ")*", 200),
        format!("(?:ab?c?{}", "(?:x|".repeat(1001)),
    ] {
        let error = refused(&pattern);
        assert!(error.starts_with("expression nests too deeply"), "{error:.80}");
    }
    let many = (0..100_000).map(|n| format!("value-{n}")).collect::<Vec<_>>().join("|");
    let set = regex(&many);
    assert!(set.matches("value-99999") && !set.matches("value-100000") && set.values(1024).is_none());
    assert_eq!(set.prefix(), "value-");
    assert!(regex(&format!("({})", many.replace('-', "\\."))).matches("value.5"));
    assert!(regex(&"(?:x)?".repeat(10_000)).matches(&"x".repeat(100)));
}

#[test]
fn limits() {
    let limits = MatcherLimits { max_pattern_bytes: 3, ..MatcherLimits::default() };
    let error = Regex::new("abcd", &limits).unwrap_err();
    assert_eq!(error, MatcherError::PatternBytes { found: 4, limit: 3 });

    let classes = "[^\\pL\\pN]x".repeat(10_000);
    let error = Regex::new(&classes, &MatcherLimits::default()).unwrap_err();
    assert!(matches!(error, MatcherError::ClassRanges { limit: 1_000_000, .. }), "{error}");

    let error = Regex::new("(\\pL\\pN){1000}", &MatcherLimits::default()).unwrap_err();
    assert_eq!(error, MatcherError::AutomatonBytes { limit: 16 << 20 });
}

#[test]
fn values_and_prefixes() {
    for (pattern, values, prefix) in [
        ("", Some(&[""][..]), ""),
        ("foo", Some(&["foo"]), "foo"),
        ("foo|bar|foo", Some(&["bar", "foo"]), ""),
        ("fo(o|b)?", Some(&["fo", "fob", "foo"]), "fo"),
        ("(?i)ab", Some(&["AB", "Ab", "aB", "ab"]), ""),
        ("(?i)1a|b", Some(&["1A", "1a", "B", "b"]), ""),
        ("^a{2}$", Some(&["aa"]), "aa"),
        ("[a-c]x", Some(&["ax", "bx", "cx"]), ""),
        ("a[^\\x00-\\x{10ffff}]", Some(&[]), "a"),
        ("web-(a|b).*", None, "web-"),
        ("web-(1.*|12)", None, "web-1"),
        ("a.*|b", None, ""),
        ("(ab)+", None, "ab"),
        ("(ab)*", None, ""),
        ("ab?", Some(&["a", "ab"]), "a"),
        ("x[0-9]{4}", None, "x"),
        ("日本|日中", Some(&["日中", "日本"]), "日"),
    ] {
        let regex = regex(pattern);
        let found = regex.values(1024);
        assert_eq!(
            found.as_deref(),
            values.map(|values| values.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).as_deref(),
            "{pattern}"
        );
        assert_eq!(regex.prefix(), prefix, "{pattern}");
    }
}

/// Prometheus 3.9 on what ignores case, where that is not RE2.
#[test]
fn as_prometheus_ignores_case() {
    assert!(!regex("(?i)k.*").matches("\u{212a}x") && regex("(?i)k.*").matches("Kx"));
    assert!(regex("(?i)k").matches("\u{212a}") && regex("(?i)k.*x").matches("\u{212a}x"));
    assert!(!regex("(?i).*k").matches("x\u{212a}") && regex("(?i).+k").matches("xK"));
    assert!(!regex("(?i).+k").matches("K"));
    let many = |count| {
        let texts: Vec<String> = (1..count).map(|n| format!("x{n}")).collect();
        regex(&format!("(?i)é|{}", texts.join("|")))
    };
    assert!(many(16).matches("e\u{301}") && many(16).matches("X1") && many(16).values(1024).is_none());
    assert!(!many(15).matches("e\u{301}") && many(15).matches("É"));
}

/// Expressions out of pieces that are reduced in many ways.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[abk-]{1,2}",
        3 => Just(".*".to_owned()),
        2 => Just(".+".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just("é".to_owned()),
        1 => Just("(?i)".to_owned()),
        1 => Just("(?i:aK)".to_owned()),
        1 => Just("(?i:é)".to_owned()),
        1 => Just("[ab]".to_owned()),
        1 => Just("[^a]".to_owned()),
        1 => Just("\\W".to_owned()),
        1 => prop_oneof!["\\^", "\\$", "\\\\b", "\\\\B", "\\(\\?m\\)\\$"].prop_map(|text: String| text),
        1 => Just("(?-s:.*)".to_owned()),
        1 => Just(String::new()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            1 => (inner.clone(), "[*+?]|\\{[0-2]\\}|\\{1,2\\}|\\{2,\\}")
                .prop_map(|(inner, repeat)| format!("(?:{inner}){repeat}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reduced_as_the_automaton_as_the_oracle(
        pattern in expressions(),
        texts in prop::collection::vec("[abABkK\u{212a}é\n-]{0,6}", 1..12),
    ) {
        let limits = MatcherLimits::default();
        let regex = Regex::new(&pattern, &limits).unwrap();
        let node = parse::parse(&pattern, &limits).unwrap();
        let automaton = Automaton::new(&node, &limits).unwrap();
        let lazy = Automaton::new_lazy(&node, &limits).unwrap();
        let values = regex.values(1024);
        for text in &texts {
            let expected = oracle::matches(&node, text);
            prop_assert_eq!(automaton.matches(text), expected, "table, {} on {:?}", pattern, text);
            prop_assert_eq!(lazy.matches(text), expected, "lazy, {} on {:?}", pattern, text);
            // What ignores case follows Prometheus where that is not RE2.
            if !regex.form.is_even() || text.is_ascii() {
                prop_assert_eq!(regex.matches(text), expected, "{}, {} on {:?}", regex.form.name(), pattern, text);
            }
            if regex.matches(text) {
                prop_assert!(text.starts_with(regex.prefix()), "{} in {pattern}", regex.prefix());
                prop_assert!(values.as_ref().is_none_or(|values| values.contains(text)), "{} not in {:?}", text, values);
            }
        }
        for value in values.iter().flatten() {
            prop_assert!(regex.matches(value), "{} is no value of {pattern}", value);
        }
    }

    #[test]
    fn any_text_is_an_expression_or_an_error(pattern in "[a-c(|)*+?{}0-9,\\[\\]^$.\\\\pPQE:<>iмé-]{0,24}", text in "[a-cмé0-9]{0,8}") {
        let limits = MatcherLimits::default();
        if let Ok(regex) = Regex::new(&pattern, &limits) {
            let node = parse::parse(&pattern, &limits).unwrap();
            if !regex.form.is_even() {
                prop_assert_eq!(regex.matches(&text), oracle::matches(&node, &text));
            }
        }
    }
}

/// Its texts are so alike that their hashes are too: the table is given up before all lengths have been seen.
#[test]
fn a_set_that_does_not_spread_knows_all_lengths() {
    let regex = regex("(?i)rw[K(?ié)A4|d:x]5xx5|[x]Q78QQQQQi");
    let values = regex.values(1_024).unwrap();
    assert_eq!(values.len(), 560);
    assert!(values.iter().all(|value| regex.matches(value)));
}
