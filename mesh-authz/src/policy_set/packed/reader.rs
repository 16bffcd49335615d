//! Reading packed rules. What is read was packed here, so that running out of bytes cannot happen; it reads as nothing.

/// The bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'c>(&'c [u8]);

impl<'c> Reader<'c> {
    pub(super) fn new(code: &'c [u8]) -> Self {
        Self(code)
    }

    #[inline(always)]
    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// Groups of seven bits, low ones first; the highest bit says that more follow.
    #[inline(always)]
    pub(super) fn number(&mut self) -> usize {
        let first = self.byte();
        if first < 0x80 {
            return usize::from(first);
        }
        let (number, rest) = self.long_rest(first);
        *self = rest;
        number
    }

    #[cold]
    fn long_rest(mut self, first: u8) -> (usize, Self) {
        let mut number = usize::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte();
            number |= usize::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte < 0x80 {
                return (number, self);
            }
        }
    }

    #[inline(always)]
    pub(super) fn bytes(&mut self, count: usize) -> &'c [u8] {
        let (taken, rest) = self.0.split_at_checked(count).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    /// Bytes behind their count.
    #[inline(always)]
    pub(super) fn text(&mut self) -> &'c [u8] {
        let count = self.number();
        self.bytes(count)
    }

    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.0 = rest;
                *chunk
            }
            None => [0; N],
        }
    }
}
