//! Lines and columns of the bytes of a text.

use super::tree::narrow;

/// Line breaks in `before`, and where the line after the last starts. `\n`, `\r\n` and `\r` break.
pub(super) fn lines_before(before: &[u8]) -> (usize, usize) {
    let (mut lines, mut start) = (0, 0);
    for (at, byte) in before.iter().enumerate() {
        if *byte == b'\n' || *byte == b'\r' && before.get(at + 1) != Some(&b'\n') {
            lines += 1;
            start = at + 1;
        }
    }
    (lines, start)
}

/// What tells the line and the column of a byte without a look at all bytes before it.
#[derive(Debug)]
pub(super) struct LineTable {
    /// Where the lines after the first start.
    starts: Box<[u32]>,
    /// Letters before every [`BLOCK`]th byte: a list of ten thousand objects may stand on one line.
    letters: Box<[u32]>,
}

const BLOCK: usize = 1 << 10;

impl LineTable {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let breaks = bytes
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte == b'\n' || **byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let mut letters = vec![0];
        let mut before = 0;
        for block in bytes.chunks(BLOCK) {
            before += count_letters(block);
            letters.push(narrow(before));
        }
        Self { letters: letters.into(), starts: breaks.map(|(at, _)| narrow(at + 1)).collect() }
    }

    /// Line breaks before a byte, and where its line starts.
    pub(super) fn lines_before(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start as usize <= at);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or_default();
        (line, start as usize)
    }

    /// Letters before a byte.
    pub(super) fn letters(&self, text: &str, at: usize) -> usize {
        let block = at / BLOCK;
        let before = self.letters.get(block).copied().unwrap_or_default() as usize;
        before + count_letters(text.as_bytes().get(block * BLOCK..at).unwrap_or_default())
    }
}

/// Letters that begin in these bytes of UTF-8.
fn count_letters(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    // Eight at a time: a byte that goes on with a letter has its first bit set and not its second.
    let going_on = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        (word >> 7 & !(word >> 6) & ONES).count_ones() as usize
    };
    let going_on =
        words.iter().map(going_on).sum::<usize>() + rest.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
    bytes.len() - going_on
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_table_tells_what_a_look_at_all_bytes_tells(
            parts in prop::collection::vec(("(é|x|\n|\r\n|\r|\u{1f600})", 1_usize..700), 0..8)
        ) {
            let text: String = parts.iter().map(|(part, count)| part.repeat(*count)).collect();
            let table = LineTable::of(&text);
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)).step_by(7).chain([text.len()]) {
                let before = text.get(..at).unwrap_or_default();
                let (lines, start) = table.lines_before(at);
                // The second half of a break belongs to its line.
                if !before.ends_with('\r') {
                    prop_assert_eq!((lines, start), lines_before(before.as_bytes()), "{}", at);
                }
                let column = text.get(start..at).unwrap_or_default().chars().count();
                prop_assert_eq!(table.letters(&text, at) - table.letters(&text, start), column);
            }
        }
    }
}
