//! Samples that come out without anybody looking at them: what must be known of them afterwards, and how it is
//! made up for when it turns out to matter.

use super::recent::{Recent, Unknown};
use super::replica::Wait;
use super::{Stitch, Tail};
use crate::samples::Samples;

impl Stitch {
    /// All samples up to `last_ms` that follow what is known of these replicas come out, the same of each of
    /// them, and nobody has looked at them.
    pub(crate) fn pass(&mut self, followed: &[usize], last_ms: i64, all_live: bool) {
        if self.followed != followed {
            self.parted = true;
            self.followed.clear();
            self.followed.extend_from_slice(followed);
        }
        self.interrupt_others();
        for &source in followed {
            self.hide(source);
            self.replicas[source].taken = Some(0);
        }
        self.last_ms = Some(last_ms);
        self.tail = Tail::Unread { all_live };
    }

    /// There are samples of a replica behind its column, not later than the last that came out, that nobody
    /// has looked at: the column is no longer what stands before the next one.
    pub(crate) fn hide(&mut self, source: usize) {
        let replica = &mut self.replicas[source];
        replica.window.restart();
        (replica.taken, replica.continues_at) = (None, None);
        replica.hidden = true;
    }

    /// The next column of a replica begins further back, with samples that have been dealt with, after all.
    /// `hidden` says whether there are more before them.
    pub(crate) fn look_back(&mut self, source: usize, hidden: bool) {
        if self.followed.contains(&source) && self.tail == Tail::Read {
            // What came before it may be known better now.
            self.tail = Tail::Unread { all_live: self.last_is_live() };
        }
        let replica = &mut self.replicas[source];
        replica.continues_at = (replica.taken == Some(replica.window.at)).then_some(self.last_ms).flatten();
        replica.taken = None;
        replica.window.restart();
        replica.hidden = hidden;
    }

    /// Sees to it that `recent` is right.
    pub(super) fn read_tail<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<(), Wait> {
        let (Tail::Unread { all_live }, Some(last_ms)) = (self.tail, self.last_ms) else { return Ok(()) };
        self.recent = if all_live && !self.hints.counter {
            // The level is of no interest then.
            Recent::at(last_ms)
        } else {
            let source = self.followed[0];
            let replica = &self.replicas[source];
            let recent = Recent::of(0..replica.window.at, columns(source));
            match recent.last() {
                None if replica.hidden => return Err(Wait::Tail(source)),
                None => self.recent,
                Some(_) if replica.hidden => recent,
                Some(_) => recent.after(Recent::default()),
            }
        };
        self.tail = Tail::Read;
        Ok(())
    }

    /// Looks at what was asked for by [`look_back`](Self::look_back), as soon as it is there: columns are not
    /// kept that far back.
    pub(super) fn read_tail_again<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) {
        let Some(&source) = self.followed.first() else { return };
        if self.replicas[source].window.at > 0 {
            // There is nothing to wait for then.
            let _ = self.read_tail(columns);
        }
    }

    /// What is known of the samples that came out, or a reason to look at them again.
    pub(super) fn known<T>(&self, known: Result<T, Unknown>) -> Result<T, Wait> {
        known.map_err(|Unknown| Wait::Tail(self.followed[0]))
    }
}
