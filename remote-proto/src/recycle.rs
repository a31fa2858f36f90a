//! Memory of vectors whose items borrow from something that does not live as long as the memory should.

/// An empty vector with the memory of `used`, but free to hold items of another lifetime.
///
/// The standard library collects in place when the items are of the same size; a test that counts allocations
/// relies on it. Were that to change, this would still be right, only slower.
pub(crate) fn recycle<T, U>(mut used: Vec<T>) -> Vec<U> {
    used.clear();
    used.into_iter().filter_map(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_stays() {
        let text = String::from("borrowed");
        let pairs = vec![(text.as_str(), text.as_str()); 100];
        let (at, capacity) = (pairs.as_ptr().addr(), pairs.capacity());
        let kept: Vec<(&'static str, &'static str)> = recycle(pairs);
        drop(text);
        assert_eq!((kept.as_ptr().addr(), kept.capacity(), kept.len()), (at, capacity, 0));
    }
}
