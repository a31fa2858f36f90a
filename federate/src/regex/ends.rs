//! Sets of texts at the beginning, at the end, and in the middle of a text.

use memchr::memmem::Finder;

use super::fold::FoldedText;

/// Which bytes, all of them ASCII.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes([u64; 2]);

impl Bytes {
    /// If all texts are one byte.
    fn of(texts: &[String]) -> Option<Self> {
        let mut bits = [0; 2];
        for text in texts {
            let &[byte] = text.as_bytes() else { return None };
            *bits.get_mut(usize::from(byte / 64))? |= 1 << (byte % 64);
        }
        Some(Self(bits))
    }

    #[inline]
    fn has(self, byte: u8) -> bool {
        byte < 128 && self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }
}

/// What a text begins with.
#[derive(Debug, Clone)]
pub(super) enum Head {
    Anything,
    One(Box<str>),
    Byte(Bytes),
    /// Sorted, and none begins with another one.
    Many(Box<[String]>),
    Folded(FoldedText),
}

impl Head {
    /// One of these texts, of which the shortest counts.
    pub(super) fn new(mut texts: Vec<String>) -> Self {
        texts.sort_unstable();
        texts.dedup_by(|longer, shorter| longer.starts_with(&**shorter));
        match (&*texts, Bytes::of(&texts)) {
            ([text], _) if text.is_empty() => Self::Anything,
            ([text], _) => Self::One(text.as_str().into()),
            (_, Some(bytes)) => Self::Byte(bytes),
            _ => Self::Many(texts.into()),
        }
    }

    /// How many bytes of the text are one of these.
    #[inline]
    pub(super) fn take(&self, text: &str) -> Option<usize> {
        match self {
            Self::Anything => Some(0),
            Self::One(one) => text.starts_with(&**one).then_some(one.len()),
            Self::Byte(bytes) => text.as_bytes().first().is_some_and(|&byte| bytes.has(byte)).then_some(1),
            Self::Many(many) => {
                let before = many.partition_point(|one| one.as_str() <= text);
                let one = many[..before].last()?;
                text.starts_with(&**one).then_some(one.len())
            }
            Self::Folded(folded) => folded.prefix_of(text),
        }
    }
}

/// What a text ends with.
#[derive(Debug, Clone)]
pub(super) enum Tail {
    Anything,
    One(Box<str>),
    Byte(Bytes),
    /// Sorted from the last byte to the first, and none ends with another one.
    Many(Box<[String]>),
    Folded(FoldedText),
}

impl Tail {
    /// One of these texts, of which the shortest counts.
    pub(super) fn new(mut texts: Vec<String>) -> Self {
        texts.sort_unstable_by(|a, b| a.bytes().rev().cmp(b.bytes().rev()));
        texts.dedup_by(|longer, shorter| longer.ends_with(&**shorter));
        match (&*texts, Bytes::of(&texts)) {
            ([text], _) if text.is_empty() => Self::Anything,
            ([text], _) => Self::One(text.as_str().into()),
            (_, Some(bytes)) => Self::Byte(bytes),
            _ => Self::Many(texts.into()),
        }
    }

    /// How many bytes of the text are one of these.
    #[inline]
    pub(super) fn take(&self, text: &str) -> Option<usize> {
        match self {
            Self::Anything => Some(0),
            Self::One(one) => text.ends_with(&**one).then_some(one.len()),
            Self::Byte(bytes) => text.as_bytes().last().is_some_and(|&byte| bytes.has(byte)).then_some(1),
            Self::Many(many) => {
                let before = many.partition_point(|one| one.bytes().rev().le(text.bytes().rev()));
                let one = many[..before].last()?;
                text.ends_with(&**one).then_some(one.len())
            }
            Self::Folded(folded) => folded.suffix_of(text),
        }
    }
}

/// What is somewhere in a text.
#[derive(Debug, Clone)]
pub(super) enum Middle {
    Byte(u8),
    One(Box<Finder<'static>>),
    Bytes(Bytes),
    Few(Box<[Finder<'static>]>),
}

impl Middle {
    /// More texts than this are for an automaton.
    const MAX: usize = 4;

    /// One of these texts, none of which is empty, if they are few.
    pub(super) fn new(mut texts: Vec<String>) -> Option<Self> {
        texts.sort_unstable();
        texts.dedup();
        let finder = |text: &String| Finder::new(text.as_bytes()).into_owned();
        match (&*texts, Bytes::of(&texts)) {
            ([text], _) if text.len() == 1 => Some(Self::Byte(text.as_bytes()[0])),
            ([text], _) => Some(Self::One(Box::new(finder(text)))),
            (_, Some(bytes)) => Some(Self::Bytes(bytes)),
            (few, _) if few.len() <= Self::MAX => Some(Self::Few(few.iter().map(finder).collect())),
            _ => None,
        }
    }

    /// Where the one ends that ends first.
    #[inline]
    pub(super) fn end(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Byte(byte) => position(text, *byte).map(|at| at + 1),
            Self::One(finder) => finder.find(text).map(|at| at + finder.needle().len()),
            Self::Bytes(bytes) => text.iter().position(|&byte| bytes.has(byte)).map(|at| at + 1),
            Self::Few(few) => {
                few.iter().filter_map(|finder| finder.find(text).map(|at| at + finder.needle().len())).min()
            }
        }
    }
}

/// Short texts are not worth a call.
#[inline]
fn position(text: &[u8], byte: u8) -> Option<usize> {
    if text.len() < 16 { text.iter().position(|&it| it == byte) } else { memchr::memchr(byte, text) }
}
