//! JSON, and flow collections of plain words that look like it.

use super::super::text::narrow;
use super::Reader;
use super::scalar::{Style, Token};

/// Whether lines may end inside of a flow collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// The document is the collection.
    Many,
    /// It is a value in a block collection.
    One,
}

impl Reader<'_, '_> {
    /// A document that is one flow collection, as JSON is.
    pub(super) fn flow_document(&mut self) -> Option<()> {
        self.skip_blanks(Lines::Many);
        self.flow(Lines::Many)?;
        self.skip_blanks(Lines::Many);
        (self.at == self.bytes.len()).then_some(())
    }

    /// A collection or scalar, from its first byte on.
    pub(super) fn flow(&mut self, lines: Lines) -> Option<()> {
        match self.peek()? {
            b'{' => self.flow_map(lines),
            b'[' => self.flow_list(lines),
            quote @ (b'"' | b'\'') => {
                let token = self.quoted(quote)?;
                self.add_scalar(token)
            }
            _ => {
                let token = self.flow_word()?;
                self.add_scalar(token)
            }
        }
    }

    // The depth budget bounds the recursion.
    fn flow_map(&mut self, lines: Lines) -> Option<()> {
        self.enter()?;
        let (at, first_key) = (self.tree.len(), self.keys.len());
        self.tree.map(narrow(self.at));
        self.at += 1;
        self.skip_blanks(lines);
        if self.peek()? == b'}' {
            self.at += 1;
        } else {
            loop {
                self.flow_key()?;
                self.skip_blanks(lines);
                self.flow(lines)?;
                if self.goes_on(lines, b'}')? {
                    continue;
                }
                break;
            }
        }
        self.leave(at)?;
        if self.has_doubles(first_key) {
            self.find_doubles(at);
        }
        Some(())
    }

    fn flow_list(&mut self, lines: Lines) -> Option<()> {
        self.enter()?;
        let at = self.tree.len();
        self.tree.list(narrow(self.at));
        self.at += 1;
        self.skip_blanks(lines);
        if self.peek()? == b']' {
            self.at += 1;
        } else {
            loop {
                self.flow(lines)?;
                if self.goes_on(lines, b']')? {
                    continue;
                }
                break;
            }
        }
        self.leave(at)
    }

    fn enter(&mut self) -> Option<()> {
        self.depth_left = self.depth_left.checked_sub(1)?;
        self.count(self.at..self.at + 1)
    }

    fn leave(&mut self, at: usize) -> Option<()> {
        self.depth_left += 1;
        self.tree.close(at, narrow(self.at));
        Some(())
    }

    /// A key and its colon.
    fn flow_key(&mut self) -> Option<()> {
        let token = match self.peek()? {
            quote @ (b'"' | b'\'') => self.quoted(quote)?,
            _ => self.flow_word()?,
        };
        // Only after quotes may the value stand right behind the colon.
        let is_plain = token.style == Style::Plain;
        self.add_key(token)?;
        let is_colon = self.peek()? == b':' && (!is_plain || self.byte_after()? == b' ');
        self.at += 1;
        is_colon.then_some(())
    }

    /// After a value: whether another follows; `false` once the closing bracket is passed. YAML lets a comma stand
    /// before it.
    fn goes_on(&mut self, lines: Lines, closing: u8) -> Option<bool> {
        self.skip_blanks(lines);
        if self.peek()? == b',' {
            self.at += 1;
            self.skip_blanks(lines);
            if self.peek()? != closing {
                return Some(true);
            }
        }
        let is_closed = self.peek()? == closing;
        self.at += 1;
        is_closed.then_some(false)
    }

    /// A plain word of harmless characters.
    fn flow_word(&mut self) -> Option<Token> {
        let rest = self.bytes.get(self.at..)?;
        let is_harmless =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+' | b'/');
        let length = rest.iter().position(|byte| !is_harmless(byte))?;
        match rest.get(..length)? {
            [first, ..] if first.is_ascii_alphanumeric() || matches!(first, b'/' | b'_' | b'.') => {}
            [b'-' | b'+', second, ..] if second.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        let range = self.at..self.at + length;
        self.at = range.end;
        Some(Token { range, style: Style::Plain })
    }

    fn skip_blanks(&mut self, lines: Lines) {
        while let Some(byte) = self.peek()
            && (byte == b' ' || byte == b'\n' && lines == Lines::Many)
        {
            self.at += 1;
        }
    }
}
