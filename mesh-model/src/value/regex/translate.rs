//! Rewrites RE2's dialect into that of `regex-syntax`.

use std::collections::BTreeSet;

use super::class::bracket_class;
use super::cursor::Cursor;
use super::escape::{char_escape, class_escape};
use super::{REPEAT_MAX, RegexError};

/// A rewritten pattern that knows where its parts came from.
#[derive(Debug, Default)]
pub(super) struct Translation {
    text: String,
    /// (offset in `text`, offset in the pattern), ascending.
    origins: Vec<(usize, usize)>,
}

impl Translation {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The offset in the pattern of the part that `offset` in the text belongs to.
    pub(super) fn origin_of(&self, offset: usize) -> usize {
        let following = self.origins.partition_point(|(start, _)| *start <= offset);
        following.checked_sub(1).and_then(|index| self.origins.get(index)).map_or(0, |(_, origin)| *origin)
    }

    fn push(&mut self, origin: usize, part: &str) {
        self.origins.push((self.text.len(), origin));
        self.text.push_str(part);
    }

    fn push_literal(&mut self, origin: usize, character: char) {
        let mut buffer = [0; 4];
        self.push(origin, &regex_syntax::escape(character.encode_utf8(&mut buffer)));
    }
}

/// What a repetition operator would apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Atom,
    Repetition,
}

/// Rewrites a whole pattern.
pub(super) fn translate(pattern: &str) -> Result<Translation, RegexError> {
    let mut translator = Translator {
        cursor: Cursor::new(pattern),
        out: Translation::default(),
        before: Before::Nothing,
        group_names: BTreeSet::new(),
    };
    while let Some(next) = translator.cursor.peek() {
        translator.step(next)?;
    }
    Ok(translator.out)
}

struct Translator<'p> {
    cursor: Cursor<'p>,
    out: Translation,
    before: Before,
    group_names: BTreeSet<&'p str>,
}

impl<'p> Translator<'p> {
    fn step(&mut self, next: char) -> Result<(), RegexError> {
        match next {
            '\\' => self.escape(),
            '[' => {
                let origin = self.cursor.offset();
                let class = bracket_class(&mut self.cursor)?;
                self.atom(origin, &class);
                Ok(())
            }
            '(' => self.open_group(),
            '|' => {
                self.copy("|", Before::Nothing);
                Ok(())
            }
            ')' => {
                self.copy(")", Before::Atom);
                Ok(())
            }
            '.' | '^' | '$' => {
                self.copy(next.encode_utf8(&mut [0; 4]), Before::Atom);
                Ok(())
            }
            '*' | '+' | '?' => {
                let start = self.cursor;
                self.cursor.bump();
                self.repetition(&start, next.encode_utf8(&mut [0; 4]))
            }
            '{' => self.open_brace(),
            _ => {
                self.literal();
                Ok(())
            }
        }
    }

    /// One character that stands for itself.
    fn literal(&mut self) {
        let origin = self.cursor.offset();
        if let Some(character) = self.cursor.bump() {
            self.out.push_literal(origin, character);
            self.before = Before::Atom;
        }
    }

    fn atom(&mut self, origin: usize, part: &str) {
        self.out.push(origin, part);
        self.before = Before::Atom;
    }

    /// A one-character operator with the same meaning in both dialects.
    fn copy(&mut self, operator: &str, before: Before) {
        self.out.push(self.cursor.offset(), operator);
        self.cursor.bump();
        self.before = before;
    }

    fn escape(&mut self) -> Result<(), RegexError> {
        let origin = self.cursor.offset();
        if self.cursor.eat(r"\Q") {
            self.quoted();
            return Ok(());
        }
        if self.cursor.rest().starts_with(r"\C") {
            return Err(self.cursor.error(r"`\C` (any byte) is not allowed"));
        }
        let looks = [(r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)"), (r"\A", r"\A"), (r"\z", r"\z")];
        for (written, meant) in looks {
            if self.cursor.eat(written) {
                self.atom(origin, meant);
                return Ok(());
            }
        }
        if let Some(class) = class_escape(&mut self.cursor)? {
            self.atom(origin, &class);
            return Ok(());
        }
        let character = char_escape(&mut self.cursor)?;
        self.out.push_literal(origin, character);
        self.before = Before::Atom;
        Ok(())
    }

    /// `\Q...\E`, or `\Q...` to the end; each character is an atom of its own.
    fn quoted(&mut self) {
        while self.cursor.peek().is_some() && !self.cursor.eat(r"\E") {
            self.literal();
        }
    }

    fn open_group(&mut self) -> Result<(), RegexError> {
        let start = self.cursor;
        self.cursor.bump();
        self.before = Before::Nothing;
        if !self.cursor.eat("?") {
            self.out.push(start.offset(), "(");
            return Ok(());
        }
        if self.cursor.eat("P<") || self.cursor.eat("<") {
            return self.group_name(&start);
        }
        self.flags(&start)
    }

    /// A name has no meaning for matching: the group keeps its number and loses its name.
    fn group_name(&mut self, start: &Cursor<'p>) -> Result<(), RegexError> {
        let name = self.cursor.take_until(">").unwrap_or_default();
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !is_name(name) {
            return Err(start.error("invalid group name"));
        }
        if !self.group_names.insert(name) {
            return Err(start.error("duplicate group name"));
        }
        self.out.push(start.offset(), "(");
        Ok(())
    }

    /// `(?flags)` and `(?flags:`; the last word on a flag counts.
    fn flags(&mut self, start: &Cursor<'p>) -> Result<(), RegexError> {
        let invalid = || start.error("invalid or unsupported group syntax");
        let mut on = BTreeSet::new();
        let mut off = BTreeSet::new();
        let mut is_negative = false;
        let mut names_flag = true;
        let end = loop {
            let next = self.cursor.bump().ok_or_else(invalid)?;
            match next {
                'i' | 'm' | 's' | 'U' => {
                    names_flag = true;
                    let (to, from) = if is_negative { (&mut off, &mut on) } else { (&mut on, &mut off) };
                    to.insert(next);
                    from.remove(&next);
                }
                '-' if !is_negative => {
                    is_negative = true;
                    names_flag = false;
                }
                // `(?i-)` switches nothing off.
                ':' | ')' if names_flag => break next,
                _ => return Err(invalid()),
            }
        };
        if end == ')' && on.is_empty() && off.is_empty() {
            return Ok(());
        }
        let on: String = on.into_iter().collect();
        let minus = if off.is_empty() { "" } else { "-" };
        let off: String = off.into_iter().collect();
        self.out.push(start.offset(), &format!("(?{on}{minus}{off}{end}"));
        Ok(())
    }

    /// A counted repetition, or a brace that stands for itself.
    fn open_brace(&mut self) -> Result<(), RegexError> {
        let start = self.cursor;
        let Some((min, max)) = counts(&mut self.cursor) else {
            self.cursor = start;
            self.literal();
            return Ok(());
        };
        let (Some(min), Some(max)) = (bounded(min), max.map_or(Some(None), |max| bounded(max).map(Some)))
        else {
            return Err(start.error(&format!("repetition count is larger than {REPEAT_MAX}")));
        };
        match max {
            Some(max) if max < min => Err(start.error("repetition counts are in the wrong order")),
            Some(max) => self.repetition(&start, &format!("{{{min},{max}}}")),
            None => self.repetition(&start, &format!("{{{min},}}")),
        }
    }

    fn repetition(&mut self, start: &Cursor<'p>, operator: &str) -> Result<(), RegexError> {
        match self.before {
            Before::Nothing => return Err(start.error("missing argument to repetition operator")),
            Before::Repetition => return Err(start.error("repetition of a repetition")),
            Before::Atom => {}
        }
        self.out.push(start.offset(), operator);
        if self.cursor.eat("?") {
            self.out.push(start.offset(), "?");
        }
        self.before = Before::Repetition;
        Ok(())
    }
}

/// `{n}`, `{n,}` or `{n,m}` as written; `None` when the brace is not a repetition.
fn counts<'p>(cursor: &mut Cursor<'p>) -> Option<(&'p str, Option<&'p str>)> {
    cursor.eat("{");
    let body = cursor.take_until("}")?;
    // A count has no leading zero.
    let is_count = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    match body.split_once(',') {
        None => is_count(body).then_some((body, Some(body))),
        Some((min, "")) => is_count(min).then_some((min, None)),
        Some((min, max)) => (is_count(min) && is_count(max)).then_some((min, Some(max))),
    }
}

fn bounded(count: &str) -> Option<u32> {
    count.parse().ok().filter(|&count| count <= REPEAT_MAX)
}
