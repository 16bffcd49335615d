//! Keys and scalar values: quoted and plain, on one line.

use std::ops::Range;

use super::super::scalar::{self, Resolved};
use super::super::text::{find, narrow};
use super::{KEY_MAX, Reader, fingerprint};
use crate::document::Plain;

/// A key or scalar that is read, not yet added.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Its bytes, quotes included.
    pub(super) range: Range<usize>,
    pub(super) style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// Between quotes as it reads.
    Quoted,
    /// Between quotes with escapes: `scratch` holds the text.
    Escaped,
}

impl Reader<'_, '_> {
    /// A quoted scalar, from its quote on.
    pub(super) fn quoted(&mut self, quote: u8) -> Option<Token> {
        let start = self.at;
        let rest = self.bytes.get(start + 1..)?;
        // In single quotes a backslash stands for itself.
        let length = match quote {
            b'\'' => find(rest, *b"'\n")?,
            _ => find(rest, *b"\"\\\n")?,
        };
        self.at = start + 1 + length;
        let style = match self.peek()? {
            b'\n' => return None,
            b'\\' => {
                self.escaped(start + 1)?;
                Style::Escaped
            }
            _ => Style::Quoted,
        };
        self.at += 1;
        if quote == b'\'' && self.peek() == Some(b'\'') {
            return None;
        }
        Some(Token { range: start..self.at, style })
    }

    /// Reads on from the first escape to the closing quote; the text since `from` comes to stand in `scratch`.
    fn escaped(&mut self, from: usize) -> Option<()> {
        self.scratch.clear();
        self.scratch.push_str(self.text.get(from..self.at)?);
        loop {
            let rest = self.bytes.get(self.at..)?;
            let length = rest.iter().position(|byte| matches!(byte, b'\\' | b'"' | b'\n'))?;
            self.scratch.push_str(self.text.get(self.at..self.at + length)?);
            self.at += length;
            match self.peek()? {
                b'"' => return Some(()),
                b'\\' => {}
                _ => return None,
            }
            let (letter, length) = match self.byte_after()? {
                letter @ (b'"' | b'\\' | b'/') => (char::from(letter), 2),
                b'n' => ('\n', 2),
                b't' => ('\t', 2),
                b'r' => ('\r', 2),
                b'b' => ('\u{8}', 2),
                b'f' => ('\u{c}', 2),
                b'u' => {
                    let digits = self.text.get(self.at + 2..self.at + 6)?;
                    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
                    // Halves of pairs and NUL have stories of their own.
                    (char::from_u32(number).filter(|letter| *letter != '\0')?, 6)
                }
                _ => return None,
            };
            self.scratch.push(letter);
            self.at += length;
        }
    }

    /// Adds a key of the map whose keys are the last ones.
    pub(super) fn add_key(&mut self, token: Token) -> Option<()> {
        if token.range.len() > KEY_MAX {
            return None;
        }
        let range = narrow(token.range.start)..narrow(token.range.end);
        let text = match token.style {
            Style::Plain => {
                let text = self.text.get(token.range.clone())?;
                self.plain_key(text)?;
                self.count(token.range)?;
                self.tree.written(range, 0);
                text
            }
            Style::Quoted => {
                let text = self.text.get(token.range.start + 1..token.range.end - 1)?;
                self.count(token.range)?;
                self.tree.written(range, 1);
                text
            }
            Style::Escaped => {
                self.count(token.range)?;
                self.tree.text(&self.scratch, range);
                self.keys.push(fingerprint(self.scratch.as_bytes()));
                return Some(());
            }
        };
        self.keys.push(fingerprint(text.as_bytes()));
        Some(())
    }

    /// Adds a scalar value.
    pub(super) fn add_scalar(&mut self, token: Token) -> Option<()> {
        if token.range.len() > self.scalar_bytes {
            return None;
        }
        let range = narrow(token.range.start)..narrow(token.range.end);
        let value = match token.style {
            Style::Plain => plain(self.text.get(token.range.clone())?)?,
            Style::Quoted | Style::Escaped => None,
        };
        self.count(token.range)?;
        match token.style {
            Style::Quoted => self.tree.written(range, 1),
            Style::Escaped => self.tree.text(&self.scratch, range),
            Style::Plain => match value {
                Some(value) => self.tree.scalar(value, range),
                None => self.tree.written(range, 0),
            },
        }
        Some(())
    }

    /// Declines plain keys that do not stand for themselves.
    fn plain_key(&self, text: &str) -> Option<()> {
        match plain(text)? {
            None => (text != "<<").then_some(()),
            Some(Plain::Null) => None,
            Some(value) => (scalar::key_text(value) == text).then_some(()),
        }
    }
}

/// What a plain scalar means: `Some(None)` a string, outer `None` declined.
fn plain(text: &str) -> Option<Option<Plain>> {
    if let Some(number) = short_number(text.as_bytes()) {
        return Some(Some(Plain::Integer(number.into())));
    }
    match scalar::resolve(text) {
        Resolved::String => Some(None),
        Resolved::Plain(value) => scalar::unusual(text, value).is_none().then_some(Some(value)),
        Resolved::Other(_) | Resolved::NotJson(_) => None,
    }
}

/// The most common numbers: up to nine digits, no zero before others.
fn short_number(text: &[u8]) -> Option<u32> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 9 && rest.iter().all(u8::is_ascii_digit) => {
            Some(text.iter().fold(0, |number, digit| number * 10 + u32::from(digit & 0xf)))
        }
        _ => None,
    }
}
