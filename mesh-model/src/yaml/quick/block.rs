//! Block collections, line by line.

use super::super::text::{find, narrow};
use super::Reader;
use super::flow::Lines;
use super::scalar::{Style, Token};

/// A block collection being read.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Its slot.
    at: usize,
    /// The column of its keys or dashes.
    indent: usize,
    is_list: bool,
    /// A key or dash waits for its value on the lines below.
    awaits: bool,
    /// A list with its dashes below its key: to `events` it starts at its first element.
    starts_late: bool,
    /// Keys of all open maps before its own.
    first_key: usize,
}

/// What ends a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// A colon: it is a key.
    Colon,
    /// The line's end, which is passed.
    Line,
}

impl Reader<'_, '_> {
    pub(super) fn block_document(&mut self) -> Option<()> {
        if self.scalar_document().is_some() {
            return Some(());
        }
        let mut frames = Vec::with_capacity(16);
        while let Some(indent) = self.next_line() {
            self.settle(&mut frames, indent)?;
            self.line(&mut frames, indent)?;
        }
        let mut is_root = true;
        while let Some(frame) = frames.pop() {
            self.close(frame)?;
            is_root = false;
        }
        (!is_root).then_some(())
    }

    /// A document that is one scalar on one line; nothing is passed where it is none.
    fn scalar_document(&mut self) -> Option<()> {
        let start = self.at;
        let scalar = self.next_line().filter(|_| !self.is_dash()).and_then(|_| self.token());
        // Three dots end a document.
        if let Some((token, Stop::Line)) = scalar
            && !self.text.get(token.range.clone()).is_some_and(|text| text.starts_with("..."))
            && self.next_line().is_none()
        {
            return self.add_scalar(token);
        }
        self.at = start;
        None
    }

    /// Goes to the next line with content and tells the column where that starts.
    fn next_line(&mut self) -> Option<usize> {
        loop {
            let start = self.at;
            self.skip_spaces();
            match self.peek()? {
                b'\n' => self.at += 1,
                b'#' => self.skip_line(),
                _ => return Some(self.at - start),
            }
        }
    }

    /// Ends the collections that the line does not belong to, and starts the one that it begins.
    fn settle(&mut self, frames: &mut Vec<Frame>, indent: usize) -> Option<()> {
        let is_list = self.is_dash();
        if frames.is_empty() && self.tree.len() == 0 {
            return self.open(frames, indent, is_list);
        }
        loop {
            let top = frames.last_mut()?;
            if top.awaits {
                // The dashes of a list may stand below its key.
                if indent > top.indent || indent == top.indent && is_list && !top.is_list {
                    top.awaits = false;
                    if std::mem::take(&mut top.starts_late) {
                        self.tree.start_at(top.at, narrow(self.at));
                    }
                    let starts_late = indent == top.indent;
                    self.open(frames, indent, is_list)?;
                    frames.last_mut()?.starts_late = starts_late;
                    return Some(());
                }
                return None;
            }
            if indent > top.indent || indent == top.indent && is_list && !top.is_list {
                return None;
            }
            if indent == top.indent && is_list == top.is_list {
                return Some(());
            }
            let frame = *top;
            frames.pop();
            self.close(frame)?;
        }
    }

    /// Reads a line from its first dash or key on.
    fn line(&mut self, frames: &mut Vec<Frame>, mut column: usize) -> Option<()> {
        while self.is_dash() {
            self.at += 1;
            let dash = self.at;
            self.skip_spaces();
            column += 1 + self.at - dash;
            match self.peek() {
                None | Some(b'\n' | b'#') => {
                    frames.last_mut()?.awaits = true;
                    return self.end_of_line(self.at > dash);
                }
                Some(_) => {}
            }
            let list = frames.last_mut()?;
            if std::mem::take(&mut list.starts_late) {
                self.tree.start_at(list.at, narrow(self.at));
            }
            if matches!(self.peek(), Some(b'[' | b'{')) {
                return self.flow_value();
            }
            if self.is_dash() {
                self.open(frames, column, true)?;
                continue;
            }
            let (token, stop) = self.token()?;
            if stop == Stop::Line {
                return self.add_scalar(token);
            }
            self.open_at(frames, column, false, token.range.start)?;
            return self.entry(frames, token);
        }
        let (token, stop) = self.token()?;
        if stop == Stop::Line {
            return None;
        }
        self.entry(frames, token)
    }

    /// A key that was read, and its value as far as it stands on the line.
    fn entry(&mut self, frames: &mut [Frame], key: Token) -> Option<()> {
        self.add_key(key)?;
        self.at += 1;
        self.skip_spaces();
        match self.peek() {
            None | Some(b'\n' | b'#') => {
                frames.last_mut()?.awaits = true;
                // A colon before `#` is a key's only with a blank between.
                self.end_of_line(true)
            }
            Some(b'[' | b'{') => self.flow_value(),
            Some(_) => {
                let (token, stop) = self.token()?;
                if stop == Stop::Colon {
                    return None;
                }
                self.add_scalar(token)
            }
        }
    }

    fn flow_value(&mut self) -> Option<()> {
        self.flow(Lines::One)?;
        let end = self.at;
        self.skip_spaces();
        self.end_of_line(self.at > end)
    }

    /// A dash that starts an element.
    fn is_dash(&self) -> bool {
        self.peek() == Some(b'-') && matches!(self.byte_after(), None | Some(b' ' | b'\n'))
    }

    /// A scalar or key on one line.
    fn token(&mut self) -> Option<(Token, Stop)> {
        let (token, spaced) = match self.peek()? {
            quote @ (b'"' | b'\'') => {
                let token = self.quoted(quote)?;
                let end = self.at;
                self.skip_spaces();
                if self.peek() == Some(b':') {
                    let is_key = self.at == end && matches!(self.byte_after(), None | Some(b' ' | b'\n'));
                    return is_key.then_some((token, Stop::Colon));
                }
                (token, self.at > end)
            }
            b'-' if matches!(self.byte_after(), None | Some(b' ' | b'\n')) => return None,
            b'[' | b']' | b'{' | b'}' | b',' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'%' | b'@'
            | b'`' | b'?' | b':' => return None,
            _ => {
                let start = self.at;
                let (end, is_key) = self.plain_end()?;
                let token = Token { range: start..end, style: Style::Plain };
                if is_key {
                    return (self.at == end).then_some((token, Stop::Colon));
                }
                (token, self.at > end)
            }
        };
        self.end_of_line(spaced)?;
        Some((token, Stop::Line))
    }

    /// Goes to the end of a plain scalar: the colon of a key, a comment, or the end of the line. Tells where its last
    /// letter ends, and whether it is a key.
    fn plain_end(&mut self) -> Option<(usize, bool)> {
        let start = self.at;
        let mut is_key = false;
        self.at = loop {
            let rest = self.bytes.get(self.at..)?;
            let Some(length) = find(rest, *b":#\n") else { break self.bytes.len() };
            let at = self.at + length;
            match rest.get(length..).unwrap_or_default() {
                [b':'] | [b':', b' ' | b'\n', ..] => {
                    is_key = true;
                    break at;
                }
                // No scalar starts with one, so there is a byte before it.
                [b'#', ..] if at == start || self.bytes.get(at - 1) == Some(&b' ') => break at,
                [b'\n', ..] => break at,
                _ => self.at = at + 1,
            }
        };
        let scalar = self.bytes.get(start..self.at)?;
        let blanks = scalar.iter().rev().take_while(|byte| **byte == b' ').count();
        Some((self.at - blanks, is_key))
    }

    fn open(&mut self, frames: &mut Vec<Frame>, indent: usize, is_list: bool) -> Option<()> {
        self.open_at(frames, indent, is_list, self.at)
    }

    fn open_at(&mut self, frames: &mut Vec<Frame>, indent: usize, is_list: bool, start: usize) -> Option<()> {
        self.depth_left = self.depth_left.checked_sub(1)?;
        if is_list {
            // Where a list starts may not be known yet: the long road tells if it is one too many.
            self.nodes_left = self.nodes_left.checked_sub(1)?;
        } else {
            self.count(start..start)?;
        }
        let at = self.tree.len();
        if is_list {
            self.tree.list(narrow(start));
        } else {
            self.tree.map(narrow(start));
        }
        frames.push(Frame {
            at,
            indent,
            is_list,
            awaits: false,
            starts_late: false,
            first_key: self.keys.len(),
        });
        Some(())
    }

    /// Ends a collection where the next line's content starts.
    fn close(&mut self, frame: Frame) -> Option<()> {
        if frame.awaits {
            return None;
        }
        self.depth_left += 1;
        self.tree.close(frame.at, narrow(self.at));
        if !frame.is_list && self.has_doubles(frame.first_key) {
            self.find_doubles(frame.at);
        }
        Some(())
    }
}
