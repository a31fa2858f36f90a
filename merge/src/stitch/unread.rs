//! Samples that come out without anybody looking at them: what must be known of them afterwards, and how it is
//! made up for when it turns out to matter.

use super::replica::Wait;
use super::{Live, Stitch, Tail};
use crate::samples::{Samples, is_stale};

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

    /// Sees to it that `live` is right.
    pub(super) fn read_tail<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<(), Wait> {
        let (Tail::Unread { all_live }, Some(last_ms)) = (self.tail, self.last_ms) else { return Ok(()) };
        self.live = if all_live && !self.hints.counter {
            // The level is of no interest then.
            Some(Live { at_ms: last_ms, level: f64::NAN, histogram: false, fell_from: Some(None) })
        } else {
            let source = self.followed[0];
            let replica = &self.replicas[source];
            let column = columns(source);
            let mut live = (0..replica.window.at).rev().filter(|&index| !is_stale(column.level(index)));
            let Some(index) = live.next() else {
                if replica.hidden {
                    return Err(Wait::Tail(source));
                }
                self.tail = Tail::Read;
                return Ok(());
            };
            let (level, histogram) = (column.level(index), column.is_histogram(index));
            let before = live.next();
            let fall = before.map(|before| {
                let falls = column.is_histogram(before) == histogram && level < column.level(before);
                falls.then_some(column.level(before))
            });
            let fell_from = if replica.hidden { fall } else { fall.or(Some(None)) };
            Some(Live { at_ms: column.at_ms()[index], level, histogram, fell_from })
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

    /// What a live sample fell from, if it did.
    pub(super) fn fell_from(&self, live: Live) -> Result<Option<f64>, Wait> {
        live.fell_from.ok_or(Wait::Tail(self.followed[0]))
    }
}
