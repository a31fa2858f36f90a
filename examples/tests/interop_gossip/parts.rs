//! State as Alertmanagers gossip it, kept without looking into it: silences and notifications, each entry a key of its own.

use std::collections::BTreeMap;

use promha_gossip_core::dissemination::{Source, Verdict};
use promha_gossip_core::wire::alertmanager::{FullState, Part};
use promha_gossip_core::{Heard, Key, Replica, Version};

/// The entries that were heard of. None replaces another: there is no order between them that is known here.
#[derive(Debug, Default)]
pub(crate) struct Entries(BTreeMap<Key, Entry>);

#[derive(Debug)]
struct Entry {
    state: String,
    data: Vec<u8>,
}

impl Entries {
    /// Whether something that was heard of contains this text.
    pub(crate) fn contain(&self, text: &str) -> bool {
        self.0.values().any(|entry| entry.data.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    /// Takes an entry, and says what is to be told of it.
    pub(crate) fn take(&mut self, state: &str, data: &[u8]) -> (Key, Version, Verdict) {
        let key = Key::of(data);
        let version = Version { stamp_ms: 0, content: key.0 };
        let known = self.0.insert(key, Entry { state: state.to_owned(), data: data.to_owned() }).is_some();
        (key, version, if known { Verdict::Known } else { Verdict::Fresh })
    }

    fn take_part(&mut self, part: Part<'_>, heard: Heard<'_>) {
        let mut rest = part.data;
        while let Some((entry, behind)) = split_delimited(rest) {
            let (key, version, verdict) = self.take(part.key, entry);
            heard(key, version, verdict);
            rest = behind;
        }
    }
}

/// The first of several messages each of which has its length before it, length included, and those behind it.
fn split_delimited(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.split_at_checked(at + 1 + length);
        }
    }
    None
}

impl Source for Entries {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let Entry { state, data } = self.0.get(&key)?;
        Part { key: state, data }.encode(into);
        Some(Version { stamp_ms: 0, content: key.0 })
    }
}

impl Replica for Entries {
    fn merge(&mut self, message: &[u8], _now_ms: u64, heard: Heard<'_>) {
        if let Ok(part) = Part::decode(message) {
            self.take_part(part, heard);
        }
    }

    fn write_all(&self, into: &mut Vec<u8>) {
        let mut parts = BTreeMap::from([("nfl", Vec::new()), ("sil", Vec::new())]);
        for Entry { state, data } in self.0.values() {
            if let Some(part) = parts.get_mut(state.as_str()) {
                part.extend_from_slice(data);
            }
        }
        FullState::encode(parts.iter().map(|(key, data)| Part { key, data }), into);
    }

    fn merge_all(&mut self, state: &[u8], _now_ms: u64, heard: Heard<'_>) {
        if let Ok(state) = FullState::decode(state) {
            state.parts().for_each(|part| self.take_part(part, heard));
        }
    }

    fn versions(&self, tell: &mut dyn FnMut(Key, Version)) {
        self.0.keys().for_each(|&key| tell(key, Version { stamp_ms: 0, content: key.0 }));
    }
}
