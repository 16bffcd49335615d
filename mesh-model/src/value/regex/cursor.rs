//! A place in a pattern.

use super::RegexError;

/// Reads a pattern from left to right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'p> {
    rest: &'p str,
    offset: usize,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(pattern: &'p str) -> Self {
        Self { rest: pattern, offset: 0 }
    }

    /// Bytes from the start.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'p str {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.offset += next.len_utf8();
        self.rest = chars.as_str();
        Some(next)
    }

    /// Reads `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                self.offset += expected.len();
                true
            }
            None => false,
        }
    }

    /// Reads up to and over `end`; reads nothing when it never comes.
    pub(super) fn take_until(&mut self, end: &str) -> Option<&'p str> {
        let (taken, rest) = self.rest.split_once(end)?;
        self.offset += taken.len() + end.len();
        self.rest = rest;
        Some(taken)
    }

    /// Reads the next character if it passes.
    pub(super) fn bump_if(&mut self, passes: impl Fn(char) -> bool) -> Option<char> {
        self.peek().filter(|&next| passes(next)).and_then(|_| self.bump())
    }

    /// A problem that starts here.
    pub(super) fn error(&self, message: &str) -> RegexError {
        RegexError::new(message, self.offset)
    }
}
