//! The messages of a gRPC stream counted as its bytes pass: five bytes of prefix, then as many as the prefix says.

/// Counts messages that have begun; what is left of the one in the middle is skipped without being kept.
/// Spec: gRPC over HTTP/2, Length-Prefixed-Message.
#[derive(Debug, Clone, Default)]
pub struct MessageCounter {
    messages: u64,
    /// Bytes of the prefix that are known.
    prefix: u8,
    /// Length so far, and then bytes of the message that are to come.
    left: u32,
}

impl MessageCounter {
    /// Takes in bytes, wherever they were cut.
    pub fn passed(&mut self, mut bytes: &[u8]) {
        loop {
            if self.prefix == 5 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= u32::try_from(skipped).unwrap_or(u32::MAX);
                bytes = bytes.get(skipped..).unwrap_or_default();
                if self.left > 0 {
                    return;
                }
                self.prefix = 0;
            }
            let Some((first, rest)) = bytes.split_first() else { return };
            // The first byte tells of compression; the next four are the length.
            self.left = if self.prefix == 0 { 0 } else { (self.left << 8) | u32::from(*first) };
            self.prefix += 1;
            self.messages += u64::from(self.prefix == 5);
            bytes = rest;
        }
    }

    /// How many there were.
    pub fn messages(&self) -> u64 {
        self.messages
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(lengths: &[u16]) -> Vec<u8> {
        let mut stream = Vec::new();
        for length in lengths {
            stream.push(0);
            stream.extend(u32::from(*length).to_be_bytes());
            stream.extend(std::iter::repeat_n(7, usize::from(*length)));
        }
        stream
    }

    proptest! {
        #[test]
        fn messages_are_counted_wherever_they_are_cut(
            lengths in prop::collection::vec(0u16..300, 0..20),
            chunk in 1usize..50,
        ) {
            let mut counter = MessageCounter::default();
            stream(&lengths).chunks(chunk).for_each(|chunk| counter.passed(chunk));
            prop_assert_eq!(counter.messages(), lengths.len() as u64);
        }
    }

    #[test]
    fn a_length_that_never_comes_is_one_message() {
        let mut counter = MessageCounter::default();
        counter.passed(b"\0\xff\xff\xff\xffabc");
        counter.passed(&[0; 1000]);
        assert_eq!(counter.messages(), 1);
    }
}
