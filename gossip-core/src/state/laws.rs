//! Whether a merge keeps its laws.

use thiserror::Error;

use super::merge::{Choice, Held, Merge};
use super::record::Record;

/// Which law a merge broke, and with which values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Broken {
    /// Which side is ours makes a difference.
    #[error("not commutative: {0:?} and {1:?}")]
    Commutative(Vec<u8>, Vec<u8>),
    /// Of three, it makes a difference which two come first.
    #[error("not associative: {0:?}, {1:?} and {2:?}")]
    Associative(Vec<u8>, Vec<u8>, Vec<u8>),
    /// A value and itself, or what was made of it, become something else.
    #[error("not idempotent: {0:?} and {1:?}")]
    Idempotent(Vec<u8>, Vec<u8>),
}

/// Tries the laws of a [`Merge`] with all pairs and triples of some values, each written at the time given with it.
///
/// `O(n^3)`.
///
/// ```
/// use promha_gossip_core::state::{Choice, Held, LastWriter, Merge, laws};
///
/// let values = [(1, &b"a"[..]), (1, b"b"), (2, b"c")];
/// assert_eq!(laws::check(&LastWriter, b"key", &values), Ok(()));
///
/// struct First;
/// impl Merge for First {
///     fn merge(&self, _: &[u8], _: Held<'_>, _: Held<'_>, _: &mut Vec<u8>) -> Choice {
///         Choice::Ours
///     }
/// }
/// assert!(laws::check(&First, b"key", &values).is_err());
/// ```
///
/// # Errors
/// The first law that is found broken.
pub fn check(merge: &impl Merge, key: &[u8], values: &[(u64, &[u8])]) -> Result<(), Broken> {
    let values: Vec<Value> = values.iter().map(|&(at_ms, value)| (at_ms, value.to_vec())).collect();
    let join = |a: &Value, b: &Value| join(merge, key, a, b);
    for a in &values {
        for b in &values {
            let both = join(a, b);
            if both.1 != join(b, a).1 {
                return Err(Broken::Commutative(a.1.clone(), b.1.clone()));
            }
            if join(a, a).1 != a.1 || join(&both, b).1 != both.1 {
                return Err(Broken::Idempotent(a.1.clone(), b.1.clone()));
            }
            for c in &values {
                if join(&both, c).1 != join(a, &join(b, c)).1 {
                    return Err(Broken::Associative(a.1.clone(), b.1.clone(), c.1.clone()));
                }
            }
        }
    }
    Ok(())
}

type Value = (u64, Vec<u8>);

fn join(merge: &impl Merge, key: &[u8], ours: &Value, theirs: &Value) -> Value {
    let held = |value: &Value| {
        let (stamp_ms, value) = (value.0, Some(value.1.as_slice()));
        Record { key, value, rank_ms: 0, stamp_ms, expires_ms: None }.version()
    };
    let mut both = Vec::new();
    let choice = merge.merge(
        key,
        Held { value: &ours.1, version: held(ours), expires_ms: None },
        Held { value: &theirs.1, version: held(theirs), expires_ms: None },
        &mut both,
    );
    match choice {
        Choice::Ours => ours.clone(),
        Choice::Theirs => theirs.clone(),
        Choice::Both => (ours.0.max(theirs.0), both),
    }
}
