//! Documents that cannot be read: what they seem to be, so that who refers to them is not told that there is nothing.

use std::sync::Arc;

use crate::diagnostic::{Place, ResourceRef};

/// A document that could not be read, as far as its lines tell what it is. Ours: a guess, good enough for a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// What it says that it is; `default` where it has no namespace.
    pub resource: ResourceRef,
    /// Where the first error is.
    pub at: Place,
    /// The start of its text, at most 16 KiB.
    pub text: Arc<str>,
}

/// Bytes of a text that are looked at and kept.
const TEXT_MAX: usize = 16 << 10;

impl Unread {
    /// `None`: the text does not say what it is.
    pub(super) fn of(bytes: &[u8], at: &Place) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes.get(..TEXT_MAX).unwrap_or(bytes));
        let (mut kind, mut name, mut namespace) = (None, None, None);
        // The lines of `metadata` are indented below it.
        let mut metadata = None;
        for line in text.lines() {
            let rest = line.trim_start();
            let indent = line.len() - rest.len();
            if rest.is_empty() || rest.starts_with('#') {
                continue;
            }
            if metadata.is_some_and(|outer| indent <= outer) {
                metadata = None;
            }
            let rest = rest.trim_start_matches(['{', '"', '\'']);
            let Some((key, value)) = entry(rest) else { continue };
            match key {
                "kind" if indent == 0 || line.trim_start().starts_with('"') => {
                    kind.get_or_insert(value);
                }
                "metadata" => {
                    metadata = Some(indent);
                    for (key, value) in
                        value.trim_matches(['{', '}', ' ']).split(',').filter_map(|part| entry(part.trim()))
                    {
                        match key {
                            "name" => _ = name.get_or_insert(value),
                            "namespace" => _ = namespace.get_or_insert(value),
                            _ => {}
                        }
                    }
                }
                "name" if metadata.is_some() => _ = name.get_or_insert(value),
                "namespace" if metadata.is_some() => _ = namespace.get_or_insert(value),
                _ => {}
            }
        }
        let resource = ResourceRef {
            kind: word(kind)?.to_owned(),
            namespace: word(namespace).unwrap_or("default").to_owned(),
            name: word(name)?.to_owned(),
        };
        Some(Self { resource, at: at.clone(), text: text.as_ref().into() })
    }

    /// Whether a word, such as a host, stands in its text.
    pub fn mentions(&self, word: &str) -> bool {
        let is_part = |letter: char| letter.is_alphanumeric() || "-._*".contains(letter);
        !word.is_empty() && self.text.split(|letter| !is_part(letter)).any(|part| part == word)
    }
}

/// A key, and what stands behind its colon on the line.
fn entry(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    Some((key.trim_matches(['"', '\'', ' ']), value.trim()))
}

/// A scalar without quotes, comments and what ends it in brackets.
fn word(value: Option<&str>) -> Option<&str> {
    let value = value?;
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    let value = value.trim_matches(|letter: char| matches!(letter, '"' | '\'' | ',' | '}' | ' '));
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<String> {
        let found = Unread::of(text.as_bytes(), &Place::default())?;
        let ResourceRef { kind, namespace, name } = found.resource;
        Some(format!("{kind} {namespace}/{name}"))
    }

    #[test]
    fn lines_tell_what_a_broken_document_is() {
        for text in [
            "apiVersion: v1\nkind: Service # a\nmetadata:\n  labels:\n    a: b\n  name: \"a\"\n  namespace: shop\nspec:\n  name: x: y\n",
            "kind: Service\nmetadata: {name: a, namespace: shop}\nspec: [\n",
            "---\nmetadata:\n  namespace: 'shop'\n  name: a\nkind: Service\nspec:\n\t- a\n",
            "{\n  \"kind\": \"Service\",\n  \"metadata\": {\n    \"name\": \"a\",\n    \"namespace\": \"shop\"\n  },\n  \"spec\": {,\n}\n",
        ] {
            assert_eq!(seen(text).as_deref(), Some("Service shop/a"), "{text}");
        }
        assert_eq!(
            seen("kind: Gateway\nmetadata:\n  name: a\nspec: [\n").as_deref(),
            Some("Gateway default/a")
        );
        for text in ["", "kind: [\n", "kind: A\nspec:\n  name: a\n", "metadata:\n  name: a\n"] {
            assert_eq!(seen(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_is_mentioned_where_it_stands_alone() {
        let text = "kind: A\nmetadata: {name: a}\nhosts: [\"b.test\", c.b.test\n- *.d.test\n";
        let unread = Unread::of(text.as_bytes(), &Place::default());
        let mentions = |word| unread.as_ref().is_some_and(|unread| unread.mentions(word));
        assert_eq!(
            ["b.test", "c.b.test", "*.d.test", "test", ""].map(mentions),
            [true, true, true, false, false]
        );
    }
}
