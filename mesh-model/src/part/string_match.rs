//! `StringMatch`: one way to compare a text, or none.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a text is compared; at most one of the three ways can be written. API: networking.istio.io/v1 `StringMatch`.
///
/// An empty text is still written: `exact: ""` is not [`StringMatch::Unset`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum StringMatch {
    /// The message is there, but no way is named: "is present" for headers and query parameters (T-142).
    #[default]
    Unset,
    /// The whole text, byte by byte (T-135, T-141).
    Exact(String),
    /// The start of the text; not segment-wise (T-500).
    Prefix(String),
    /// RE2, anchored at both ends (T-137).
    Regex(String),
}

impl StringMatch {
    /// Whether no way is named.
    pub const fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }

    /// `exact`, `prefix` or `regex`; `None` when unset.
    pub const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Unset => None,
            Self::Exact(_) => Some("exact"),
            Self::Prefix(_) => Some("prefix"),
            Self::Regex(_) => Some("regex"),
        }
    }

    /// The text to compare with; `None` when unset, which is not the same as empty.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Unset => None,
            Self::Exact(text) | Self::Prefix(text) | Self::Regex(text) => Some(text),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for StringMatch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringMatch".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let way =
            |description: &str| serde_json::json!({"type": ["string", "null"], "description": description});
        schemars::json_schema!({
            "type": "object",
            "properties": {
                "exact": way("The whole text."),
                "prefix": way("The start of the text."),
                "regex": way("A regular expression in RE2's syntax, for the whole text."),
            }
        })
    }
}

impl Serialize for StringMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(usize::from(!self.is_unset())))?;
        if let (Some(kind), Some(text)) = (self.kind(), self.text()) {
            map.serialize_entry(kind, text)?;
        }
        map.end()
    }
}

/// The spellings of the three ways.
const FIELDS: &[&str] = &["exact", "prefix", "regex"];

impl<'de> Deserialize<'de> for StringMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As a struct, so that a decoder that knows fields sees which there are.
        deserializer.deserialize_struct("StringMatch", FIELDS, StringMatchVisitor)
    }
}

struct StringMatchVisitor;

impl<'de> Visitor<'de> for StringMatchVisitor {
    type Value = StringMatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with at most one of exact, prefix, regex")
    }

    fn visit_unit<E: Error>(self) -> Result<StringMatch, E> {
        Ok(StringMatch::Unset)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StringMatch, A::Error> {
        let mut found = StringMatch::Unset;
        while let Some(way) = map.next_key::<Way>()? {
            let next = match way {
                Way::Exact => map.next_value::<Option<String>>()?.map(StringMatch::Exact),
                Way::Prefix => map.next_value::<Option<String>>()?.map(StringMatch::Prefix),
                Way::Regex => map.next_value::<Option<String>>()?.map(StringMatch::Regex),
                Way::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            match next {
                Some(_) if !found.is_unset() => {
                    return Err(A::Error::custom("at most one of exact, prefix, regex"));
                }
                Some(next) => found = next,
                // `null` is "not written", as everywhere in protobuf's JSON form.
                None => {}
            }
        }
        Ok(found)
    }
}

/// A key of the map.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Way {
    Exact,
    Prefix,
    Regex,
    /// Unknown keys are the decoder's business, not a reason to refuse the value.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StringMatch, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_text_is_not_unset() {
        let exact = read(r#"{"exact": ""}"#).unwrap();
        assert_eq!(exact, StringMatch::Exact(String::new()));
        assert_eq!(exact.text(), Some(""));
        assert!(!exact.is_unset());
        assert_eq!(serde_json::to_string(&exact).unwrap(), r#"{"exact":""}"#);
    }

    #[test]
    fn an_empty_map_is_unset() {
        assert_eq!(read("{}").unwrap(), StringMatch::Unset);
        assert_eq!(read(r#"{"exact": null}"#).unwrap(), StringMatch::Unset);
        assert_eq!(serde_json::to_string(&StringMatch::Unset).unwrap(), "{}");
        assert_eq!(StringMatch::Unset.kind(), None);
    }

    #[test]
    fn two_ways_are_refused() {
        let error = read(r#"{"exact": "a", "prefix": ""}"#).unwrap_err();
        assert!(error.contains("at most one of exact, prefix, regex"), "{error}");
    }

    #[test]
    fn unknown_keys_do_not_sink_the_value() {
        assert_eq!(read(r#"{"sufix": ["x"], "regex": ".*"}"#).unwrap(), StringMatch::Regex(".*".to_owned()));
    }
}
