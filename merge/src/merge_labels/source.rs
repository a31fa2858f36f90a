//! A source of a merge of label sets: where it stands, and what it is waiting for.

use crate::key::{self, Code};
use crate::label_arena::LabelArena;
use crate::labels::Labels;
use crate::order::OutOfOrder;

#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub(super) feed: Feed,
    /// Where its current key stands in its arena.
    pub(super) index: usize,
    /// How the key behind that one differs from it.
    next_code: Code,
    /// The number of the group in which its key before that one came out; 0 if that one is the first of its arena.
    pub(super) behind: u64,
    /// The last key of the arena before this one, if there was one.
    last_key: Vec<u64>,
    /// No key came yet.
    pub(super) is_new: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Feed {
    #[default]
    Awaited,
    Supplied,
    /// The current key takes part, or came out with the last group.
    Ready,
    /// It came out before, and the next one does not take part yet.
    Taken,
    Exhausted,
}

impl Source {
    /// The key behind its current one is in the same arena, and in order.
    #[inline]
    pub(super) fn can_step(&self) -> bool {
        self.next_code < Code::DISORDER
    }

    /// Goes on to the next key, which is in the same arena: how it differs from the one before it.
    #[inline]
    pub(super) fn step(&mut self, arena: &LabelArena, behind: u64, shared: bool) -> Code {
        let code = self.next_code;
        self.index += 1;
        self.behind = behind;
        self.feed = Feed::Ready;
        self.look_ahead(arena);
        // Its turn to be looked at is in two steps of this source.
        arena.prefetch(self.index + 3, shared);
        code
    }

    #[inline]
    pub(super) fn look_ahead(&mut self, arena: &LabelArena) {
        self.next_code = arena.code(self.index + 1);
    }

    /// Goes on to the next key, if the last one came out: how it differs from that. `None` if nothing changes, or
    /// there is none.
    #[inline]
    pub(super) fn next_code<'a>(
        &mut self,
        arenas: &impl Fn(usize) -> &'a LabelArena,
        source: usize,
        behind: u64,
        shared: bool,
    ) -> Option<Code> {
        match self.feed {
            Feed::Taken => {
                let arena = arenas(source);
                if self.next_code != Code::NONE {
                    return Some(self.step(arena, behind, shared));
                }
                self.last_key.clear();
                self.last_key.extend_from_slice(arena.last_key());
                self.feed = Feed::Awaited;
                None
            }
            Feed::Supplied => {
                let arena = arenas(source);
                if arena.is_empty() {
                    self.feed = Feed::Awaited;
                    return None;
                }
                (self.index, self.behind, self.feed) = (0, 0, Feed::Ready);
                self.look_ahead(arena);
                let is_new = std::mem::take(&mut self.is_new);
                Some(if is_new { arena.code(0) } else { key::code_after(&self.last_key, arena.first_key()) })
            }
            Feed::Awaited | Feed::Ready | Feed::Exhausted => None,
        }
    }

    pub(super) fn disorder(&self, source: usize, arena: &LabelArena) -> OutOfOrder<Labels> {
        let previous = match self.index {
            0 => key::labels(&self.last_key),
            index => arena.set(index - 1).to_labels(),
        };
        OutOfOrder { source, previous, next: arena.set(self.index).to_labels() }
    }
}
