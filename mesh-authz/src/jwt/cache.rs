//! What was found out about tokens whose signature was right, so that it need not be checked again.
//!
//! Only tokens that were accepted are kept, so bad ones, however many, cost the cache nothing. What depends on the time
//! is not kept: callers check `exp` and `nbf` at each hit. A cache belongs to one compiled set of rules and dies with it,
//! so a token never outlives the keys that it was verified with.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality;

/// Locks; so many requests can look at the same time.
const SHARDS: usize = 16;

/// Longer tokens are verified every time, so that entries bound the memory too.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// So many bytes of the end of a token are hashed; all of them are compared.
const HASHED_BYTES: usize = 64;

/// Verified tokens by rule and whole text; never more than a fixed number. `V` is cheap to clone.
#[derive(Debug)]
pub(crate) struct TokenCache<V> {
    shards: Vec<Mutex<Shard<V>>>,
    /// Secret, so that nobody can choose tokens that fall into one place.
    hashing: quality::RandomState,
    entries_max: usize,
}

/// Two generations of entries. The older one is dropped as a whole when the younger one is full; what is used moves to
/// the younger one first.
#[derive(Debug)]
struct Shard<V> {
    half: usize,
    young: HashMap<u64, Entry<V>, ByHash>,
    old: HashMap<u64, Entry<V>, ByHash>,
}

/// Keys are secret hashes already: they are their own.
type ByHash = BuildHasherDefault<Itself>;

#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Debug)]
struct Entry<V> {
    rule: usize,
    text: Box<[u8]>,
    value: V,
}

impl<V: Clone> TokenCache<V> {
    /// A cache of at most `entries_max` tokens, rounded up to a multiple of 32.
    pub(crate) fn new(entries_max: usize) -> Self {
        let half = entries_max.div_ceil(SHARDS * 2).max(1);
        let shard = || Mutex::new(Shard { half, young: HashMap::default(), old: HashMap::default() });
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        Self { shards, hashing: quality::RandomState::default(), entries_max }
    }

    /// As asked for when it was made.
    pub(crate) fn entries_max(&self) -> usize {
        self.entries_max
    }

    /// What is known of the token, where this rule verified the very same text before.
    pub(crate) fn get(&self, rule: usize, text: &[u8]) -> Option<V> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let hash = self.hash(rule, text);
        let mut shard = self.shard(hash)?;
        if let Some(entry) = shard.young.get(&hash) {
            return entry.is_of(rule, text).then(|| entry.value.clone());
        }
        let entry = shard.old.remove(&hash)?;
        let value = entry.is_of(rule, text).then(|| entry.value.clone());
        shard.insert(hash, entry);
        value
    }

    /// Keeps what is known of a token that this rule has verified.
    pub(crate) fn insert(&self, rule: usize, text: &[u8], value: V) {
        if text.len() > TOKEN_BYTES_MAX {
            return;
        }
        let hash = self.hash(rule, text);
        if let Some(mut shard) = self.shard(hash) {
            shard.insert(hash, Entry { rule, text: text.into(), value });
        }
    }

    /// Of the end of the text: the signature, which no two verified tokens share. Forms of one token that differ in
    /// front of it (stray dots, padding) take each other's place, and hurt nobody but their sender.
    fn hash(&self, rule: usize, text: &[u8]) -> u64 {
        let end = text.last_chunk::<HASHED_BYTES>().map_or(text, <[u8; HASHED_BYTES]>::as_slice);
        self.hashing.hash_one((rule, text.len(), end))
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard<V>>> {
        // Bits in the middle: the maps inside use the lowest and the highest ones.
        let at = usize::try_from(hash >> 32).ok()? % SHARDS;
        // Nothing can panic between two changes of a shard, so a poisoned one is as good as any.
        self.shards.get(at).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let entries = |shard: &Mutex<Shard<V>>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(entries).sum()
    }
}

impl<V> Shard<V> {
    fn insert(&mut self, hash: u64, entry: Entry<V>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, entry);
    }
}

impl<V> Entry<V> {
    /// Equal hashes prove nothing.
    fn is_of(&self, rule: usize, text: &[u8]) -> bool {
        self.rule == rule && *self.text == *text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_for_its_rule_and_its_whole_text_only() {
        let cache = TokenCache::new(100);
        cache.insert(1, b"abc", ());
        assert!(cache.get(1, b"abc").is_some());
        assert!(
            cache.get(2, b"abc").is_none()
                && cache.get(1, b"ab").is_none()
                && cache.get(1, b"abcd").is_none()
        );
    }

    #[test]
    fn a_flood_of_tokens_stays_within_bounds_and_what_is_used_stays_in() {
        let cache = TokenCache::new(64);
        cache.insert(0, b"used", ());
        for n in 0..10_000u32 {
            cache.insert(0, &n.to_be_bytes(), ());
            assert!(cache.get(0, b"used").is_some(), "{n}");
        }
        assert!(cache.len() <= 64, "{}", cache.len());
        assert!(cache.get(0, &0u32.to_be_bytes()).is_none());
    }

    #[test]
    fn threads_can_share_it() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&TokenCache::<()>::new(1));
    }

    #[test]
    fn long_tokens_are_not_kept() {
        let cache = TokenCache::new(64);
        let text = vec![b'a'; TOKEN_BYTES_MAX + 1];
        cache.insert(0, &text, ());
        assert_eq!((cache.len(), cache.get(0, &text).is_none()), (0, true));
    }
}
