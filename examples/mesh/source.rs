//! The texts that findings point into: lines for excerpts, and where a place ends.

use std::collections::BTreeMap;
use std::path::Path;

use mesh_model::diagnostic::Place;

use crate::files;

/// Texts by file name, read when they are asked for.
#[derive(Debug, Default)]
pub struct Texts {
    texts: BTreeMap<String, Option<Text>>,
}

impl Texts {
    /// Keeps a text that cannot be read again (standard input, pipes).
    pub fn keep(&mut self, file: &str, bytes: &[u8]) {
        self.texts.insert(file.to_owned(), Some(Text::new(bytes)));
    }

    pub fn of(&mut self, file: &str) -> Option<&Text> {
        // A pipe has nothing to say a second time, and may make one wait for ever.
        let path = Path::new(file);
        let read = || files::read_file(path).ok().map(|bytes| Text::new(&bytes));
        let read = || if files::is_plain(path) { read() } else { None };
        self.texts.entry(file.to_owned()).or_insert_with(read).as_ref()
    }
}

/// A text and where its lines start.
#[derive(Debug)]
pub struct Text {
    text: String,
    starts: Vec<usize>,
}

/// Lines and columns from 1, in characters; the end is behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub start: (usize, usize),
    pub end: (usize, usize),
}

impl Text {
    pub fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut starts = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
                starts.push(at + 1);
            }
        }
        Self { text, starts }
    }

    /// A line, from 1, without its break.
    pub fn line(&self, number: usize) -> Option<&str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let end = self.starts.get(number).copied().unwrap_or(self.text.len());
        Some(self.text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }

    /// The text a place covers and where it ends: what the finding says, or the word that starts there.
    pub fn region(&self, place: &Place) -> Option<(Region, &str)> {
        let start = (place.line as usize, (place.column as usize).max(1));
        let line = self.line(start.0)?;
        self.written(place, start).or_else(|| {
            let from = line.char_indices().nth(start.1 - 1).map_or(line.len(), |(at, _)| at);
            let rest = line.get(from..).unwrap_or_default();
            let length = rest.find(|letter: char| letter.is_whitespace() || ":,".contains(letter));
            let word = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
            let end = (start.0, start.1 + word.chars().count());
            Some((Region { start, end }, word))
        })
    }

    /// The bytes that the finding names, if they are still there.
    fn written(&self, place: &Place, start: (usize, usize)) -> Option<(Region, &str)> {
        let (from, to) = (place.start as usize, place.end as usize);
        let text = self.text.get(from..to)?.trim_end();
        if text.is_empty() || self.position(from) != start {
            return None;
        }
        Some((Region { start, end: self.position(from + text.len()) }, text))
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        (line, self.text.get(start..offset).unwrap_or_default().chars().count() + 1)
    }
}
