//! Scalars as they stand in the text: their style and tag, and the spellings that Kubernetes' reader sees differently.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ScalarStyle, Span as Marks, Tag};

use super::events::{Builder, FrameKind};
use super::places::shorten;
use super::scalar::{self, Resolved};
use crate::diagnostic::{Code, Severity};
use crate::document::Plain;

impl Builder<'_, '_, '_> {
    /// Spellings where Kubernetes' reader sees other text than a YAML 1.2 parser.
    pub(super) fn as_go_reads<'t>(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        place: &mut Range<u32>,
        marks: &Marks,
    ) -> Cow<'t, str> {
        let range = place.start as usize..place.end as usize;
        // A block scalar that ends with the text, not with a line break, has none either.
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if block && range.end >= self.text.len() && !self.text.ends_with(['\n', '\r']) && text.ends_with('\n')
        {
            return Cow::Owned(text.trim_end_matches('\n').to_owned());
        }
        if style != ScalarStyle::Plain
            || range.is_empty()
            || !self.frames.last().is_some_and(|frame| frame.flow)
        {
            return text;
        }
        if text.starts_with(':') {
            let message = || format!("`{}` starts with a colon: quote it here", shorten(&text));
            self.report(Code::Syntax, marks, message).help("write it in quotes");
        }
        // In flow collections a plain scalar runs on over a colon that no space follows: `[2001:db8::]`, `{a:}`.
        let mut rest = self.text.get(range.end..).unwrap_or_default().chars();
        if rest.next() == Some(':') && matches!(rest.next(), Some(',' | ']' | '}')) {
            if let Some(frame) = self.frames.last_mut() {
                let start = self.tree.range(frame.at).start as usize;
                let braced = self.text.get(start..).is_some_and(|text| text.starts_with('{'));
                frame.pair_is_string = matches!(frame.kind, FrameKind::Map { .. }) && !braced;
            }
            place.end += 1;
            return Cow::Owned(format!("{text}:"));
        }
        text
    }

    pub(super) fn resolve(&mut self, text: &str, plain: bool, tag: Option<&Tag>, marks: &Marks) -> Resolved {
        let Some(tag) = tag else {
            if !plain {
                return Resolved::String;
            }
            let resolved = scalar::resolve(text);
            if let Resolved::Plain(value) = resolved
                && let Some(reason) = scalar::unusual(text, value)
            {
                if self.problems.is_full(Severity::Warning) {
                    self.problems.drop_one(Severity::Warning);
                    return resolved;
                }
                let message = format!("`{}` {reason}", shorten(text));
                let (span, path) = (self.span(marks), self.path());
                let noted = self.problems.note(Code::UnusualScalar, Severity::Warning, span, &path, message);
                noted.help(scalar::plainer(text, value));
            }
            return resolved;
        };
        let secondary = tag.handle() == "tag:yaml.org,2002:";
        let wanted = match tag.core_suffix() {
            Some("str") => return Resolved::String,
            Some(kind @ ("int" | "float" | "bool" | "null")) => kind.to_owned(),
            _ if secondary && tag.suffix() == "binary" => {
                self.unusual_tag(tag, marks);
                return match scalar::decode_base64(text) {
                    Some(bytes) => Resolved::Other(String::from_utf8_lossy(&bytes).into_owned()),
                    None => {
                        let message = || "the value of `!!binary` is not base64".to_owned();
                        self.report(Code::BadValue, marks, message)
                            .help("write the text itself, without the tag");
                        Resolved::String
                    }
                };
            }
            _ => {
                if tag.original() != "!" {
                    self.unusual_tag(tag, marks);
                }
                return Resolved::String;
            }
        };
        let resolved = scalar::resolve(text);
        let fits = matches!(
            (&resolved, wanted.as_str()),
            (Resolved::Plain(Plain::Integer(_) | Plain::Float(_)) | Resolved::NotJson(_), "float")
                | (Resolved::Plain(Plain::Integer(_)), "int")
                | (Resolved::Plain(Plain::Bool(_)), "bool")
                | (Resolved::Plain(Plain::Null), "null")
        );
        if !fits {
            let message = || format!("`{}` is no value of the tag `!!{wanted}`", shorten(text));
            self.report(Code::BadValue, marks, message).help("remove the tag, or write a value of its type");
        }
        resolved
    }
}
