//! Maps as modules read and write them: a count, the lengths, then names and values with a zero byte after each.
// Spec: proxy-wasm ABI 0.2.1, Serialization.

/// Bytes and pairs of a map that a module may write, as in Envoy.
const BYTES_MAX: usize = 1024 * 1024;
const PAIRS_MAX: usize = 1024;

/// A map as modules read it; nothing: an empty one.
pub(super) fn write<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> Vec<u8> {
    let texts: Vec<&[u8]> = pairs.flat_map(|(name, value)| [name, value]).collect();
    if texts.is_empty() {
        return Vec::new();
    }
    let mut written = u32::try_from(texts.len() / 2).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    for text in &texts {
        written.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    for text in texts {
        written.extend(text);
        written.push(0);
    }
    written
}

/// How long [`write`] makes it.
pub(super) fn length<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> usize {
    let total: usize = pairs.map(|(name, value)| 8 + name.len() + 1 + value.len() + 1).sum();
    if total == 0 { 0 } else { 4 + total }
}

/// The pairs that a module has written; `None`: they are none.
pub(super) fn read(written: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if written.is_empty() || written == [0] {
        return Some(Vec::new());
    }
    if written.len() > BYTES_MAX {
        return None;
    }
    let number = |at: usize| {
        let bytes = written.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    if count > PAIRS_MAX {
        return None;
    }
    let mut at = 4 + count * 8;
    let mut text = |length: usize| {
        let text = written.get(at..at.checked_add(length)?)?;
        at += length + 1;
        // The zero byte after it is there.
        (written.get(at - 1) == Some(&0)).then_some(text)
    };
    (0..count).map(|pair| Some((text(number(4 + pair * 8)?)?, text(number(8 + pair * 8)?)?))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_map_is_written_as_the_specification_shows_it() {
        let pairs: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"b", b"22")];
        let written = write(pairs.into_iter());
        assert_eq!(
            written, b"\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0a\x001\0b\x0022\0",
            "count, lengths, texts"
        );
        assert_eq!(read(&written).unwrap(), pairs);
        assert!(write(std::iter::empty()).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20)) {
            let slices = pairs.iter().map(|(name, value)| (&name[..], &value[..]));
            let written = write(slices.clone());
            prop_assert_eq!(written.len(), length(slices.clone()));
            prop_assert_eq!(read(&written).unwrap(), slices.collect::<Vec<_>>());
        }

        #[test]
        fn whatever_a_module_writes_is_read_or_refused(bytes in any::<Vec<u8>>(), count in 0_u32..3000) {
            let _ = read(&bytes);
            let _ = read(&[&count.to_le_bytes()[..], &bytes].concat());
        }
    }
}
