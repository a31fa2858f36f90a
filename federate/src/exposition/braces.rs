//! What stands in braces: the labels of a series, perhaps with its name, or those of an exemplar.

use super::entry::NAME;
use super::error::{ExpositionError, ExpositionErrorKind};
use super::labels::{LabelBuffer, Pairs, check};
use super::scan;
use super::source::{Source, Text};

/// Whose labels they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A series whose name is in front of the braces.
    Named,
    /// A series whose name has to be in the braces, in quotes.
    Unnamed,
    /// An exemplar.
    Exemplar,
}

/// A string in quotes.
struct Quoted<'a> {
    text: &'a str,
    has_escapes: bool,
    /// Behind the closing quote.
    end: usize,
}

/// Reads labels from `at` on, behind the opening brace, and returns where they end, behind the closing one.
///
/// OpenMetrics (`OM`) has no blanks here, commas between all labels, and no line breaks in values.
#[inline]
pub(super) fn read<'a, const OM: bool>(
    source: &Source<'a>,
    buffer: &mut LabelBuffer,
    pairs: &mut Pairs<'a>,
    at: usize,
    owner: Owner,
) -> Result<usize, ExpositionError> {
    let (bytes, text, first) = (source.bytes(), source.text(), pairs.len());
    let mut owner = owner;
    let mut at = at;
    loop {
        at = blanks::<OM>(bytes, at);
        let name_start = at;
        let name_end = scan::label_name_end(bytes, at);
        let name = if name_end > at {
            at = blanks::<OM>(bytes, name_end);
            &text[name_start..name_end]
        } else {
            match bytes.get(at) {
                Some(b'}') if owner == Owner::Unnamed => {
                    return Err(source.error(ExpositionErrorKind::NoName, at));
                }
                Some(b'}') => return Ok(at + 1),
                Some(b'"') => {}
                _ => return Err(source.unexpected("a label name or }", at)),
            }
            let quoted = quoted_name::<OM>(source, at, owner)?;
            at = blanks::<OM>(bytes, quoted.end);
            let is_metric = matches!(bytes.get(at), Some(b',' | b'}')) && owner != Owner::Exemplar;
            if is_metric && owner == Owner::Named {
                return Err(source.error(ExpositionErrorKind::SecondName, name_start));
            }
            let (label, is_name) =
                if is_metric { (first.saturating_sub(1), false) } else { (pairs.len(), true) };
            if quoted.has_escapes {
                buffer.escaped(label, is_name, quoted.text);
            }
            if is_metric {
                check(&source.limits, 0, NAME, quoted.text).map_err(|kind| source.error(kind, name_start))?;
                if let Some(metric) = pairs.get_mut(label) {
                    metric.1 = quoted.text;
                }
                owner = Owner::Named;
                at += usize::from(bytes.get(at) == Some(&b','));
                continue;
            }
            quoted.text
        };
        if bytes.get(at) != Some(&b'=') {
            return Err(source.unexpected("= behind the label name", at));
        }
        at = blanks::<OM>(bytes, at + 1);
        if bytes.get(at) != Some(&b'"') {
            return Err(source.unexpected("a label value in quotes", at));
        }
        let value = quoted::<OM>(source, at)?;
        check(&source.limits, pairs.len() - first + 1, name, value.text)
            .map_err(|kind| source.error(kind, name_start))?;
        if value.has_escapes {
            buffer.escaped(pairs.len(), false, value.text);
        }
        pairs.push((name, value.text));
        at = blanks::<OM>(bytes, value.end);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'}') => {}
            _ if OM => return Err(source.unexpected(", or } behind the label", at)),
            // Prometheus' text parser needs no comma.
            _ => {}
        }
    }
}

#[inline]
fn blanks<const OM: bool>(bytes: &[u8], at: usize) -> usize {
    if OM { at } else { scan::blanks_end(bytes, at) }
}

/// A name in quotes: not empty, and without NUL.
#[cold]
fn quoted_name<'a, const OM: bool>(
    source: &Source<'a>,
    start: usize,
    owner: Owner,
) -> Result<Quoted<'a>, ExpositionError> {
    // Line breaks are in names of series where they are not in values of OpenMetrics.
    let quoted = if OM && owner == Owner::Exemplar {
        quoted::<true>(source, start)?
    } else {
        quoted::<false>(source, start)?
    };
    if quoted.text.is_empty() {
        return Err(source.unexpected("a name that is not empty", start));
    }
    match memchr::memchr(0, quoted.text.as_bytes()) {
        Some(nul) => Err(source.unexpected("a name without NUL", start + 1 + nul)),
        None => Ok(quoted),
    }
}

/// The name of a family at `at`, and where it ends.
#[cold]
pub(super) fn family<'a>(
    source: &Source<'a>,
    at: usize,
    family: &mut Text<'a>,
    unescaped: &mut String,
) -> Result<usize, ExpositionError> {
    let bytes = source.bytes();
    if bytes.get(at) == Some(&b'"') {
        let quoted = quoted_name::<false>(source, at, Owner::Named)?;
        *family = Text::new(quoted.text, true, unescaped);
        return Ok(quoted.end);
    }
    let end = scan::metric_name_end(bytes, at);
    if end == at {
        return Err(source.unexpected("the name of a family", at));
    }
    *family = Text::Plain(&source.text()[at..end]);
    Ok(end)
}

/// The string whose opening quote is at `start`.
#[inline]
fn quoted<'a, const OM: bool>(source: &Source<'a>, start: usize) -> Result<Quoted<'a>, ExpositionError> {
    let bytes = source.bytes();
    let mut at = scan::quote_or_escape(bytes, start + 1);
    let has_escapes = bytes.get(at) == Some(&b'\\');
    if has_escapes {
        at = escapes_end(source, at)?;
    }
    if at >= bytes.len() {
        return Err(source.unexpected("a closing quote", at));
    }
    let text = &source.text()[start + 1..at];
    if OM && let Some(broken) = memchr::memchr(b'\n', text.as_bytes()) {
        return Err(source.unexpected("a closing quote on the same line", start + 1 + broken));
    }
    Ok(Quoted { text, has_escapes, end: at + 1 })
}

/// Where the closing quote is, when there is a backslash at `at`; or the end.
#[cold]
fn escapes_end(source: &Source<'_>, mut at: usize) -> Result<usize, ExpositionError> {
    let bytes = source.bytes();
    while bytes.get(at) == Some(&b'\\') {
        match bytes.get(at + 1) {
            Some(b'\n') => return Err(source.unexpected("an escape", at + 1)),
            Some(_) => at = scan::quote_or_escape(bytes, at + 2),
            None => return Ok(bytes.len()),
        }
    }
    Ok(at)
}
