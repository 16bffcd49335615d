//! A connection that comes in pieces, without I/O: what tests and fuzz targets hold against the oracle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::Rules;
use super::message::Reader;

/// Lengths of complete messages, and the status of what is refused. `cuts`: lengths of the pieces, over and over.
pub(crate) fn read(bytes: &[u8], cuts: &[usize], rules: Rules) -> (Vec<usize>, Option<u16>) {
    let mut reader = Reader::new(rules);
    let (mut messages, mut length, mut head) = (Vec::new(), 0, Vec::new());
    let mut cuts = cuts.iter().copied().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mut piece, later) = rest.split_at(cuts.next().unwrap().clamp(1, rest.len()));
        rest = later;
        while !piece.is_empty() {
            if reader.is_at_tunnel() {
                return (messages, None);
            }
            let taken = if reader.is_at_head() {
                let before = head.len();
                head.extend_from_slice(piece);
                match reader.head(&head) {
                    Err(refusal) => return (messages, Some(refusal.status)),
                    Ok(None) => break,
                    Ok(Some(end)) => {
                        head.clear();
                        length = end;
                        end - before
                    }
                }
            } else {
                match reader.body(piece) {
                    Err(refusal) => return (messages, Some(refusal.status)),
                    Ok(taken) => {
                        length += taken;
                        taken
                    }
                }
            };
            piece = &piece[taken..];
            if reader.is_at_head() || reader.is_at_tunnel() {
                messages.push(length);
            }
        }
    }
    (messages, None)
}
