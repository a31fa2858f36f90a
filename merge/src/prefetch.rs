//! Memory asked for before its turn comes.
//!
//! Many sources take turns in an order that no processor foresees, and each brings several places where its memory is
//! read. So nearly all of what a merge reads first has to come from afar, and a plain load that waits for it keeps
//! everything behind it from being finished. An instruction to fetch is finished at once.

/// As of the processors that are common today.
pub(crate) const CACHE_LINE_BYTES: usize = 64;

/// Has memory brought near, on processors that can be told to. Changes nothing, and nobody waits for it.
#[inline]
pub(crate) fn prefetch<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        let line_items = (CACHE_LINE_BYTES / size_of::<T>().max(1)).max(1);
        items.iter().step_by(line_items).for_each(safe_arch::prefetch_t0);
        // It may begin in the middle of a line.
        items.last().into_iter().for_each(safe_arch::prefetch_t0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = items;
}

/// The same for one item, if there is one.
#[inline]
pub(crate) fn prefetch_at<T>(items: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    items.get(index).into_iter().for_each(safe_arch::prefetch_t0);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, index);
}
