//! Kubernetes `Secret`: which keys it has, never what is in them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::is_default;
use crate::object::{Body, Kind};

/// A secret, without its content: certificate checks need to know the keys only.
/// API: core/v1 `Secret`; the keys that count are T-434.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Secret {
    /// `kubernetes.io/tls`, `Opaque`, ...; empty means `Opaque`.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// Keys of `data`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "contents")]
    pub data: BTreeMap<String, Content>,
    /// Keys of `stringData`, which wins over `data` key by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "contents")]
    pub string_data: BTreeMap<String, Content>,
}

impl Secret {
    /// Whether `key` is there with something in it.
    pub fn has(&self, key: &str) -> bool {
        matches!(self.content(key), Some(Content::Present | Content::Pem))
    }

    /// Whether `key` holds what looks like PEM: certificates and keys that can be used.
    pub fn has_pem(&self, key: &str) -> bool {
        self.content(key) == Some(&Content::Pem)
    }

    fn content(&self, key: &str) -> Option<&Content> {
        self.string_data.get(key).or_else(|| self.data.get(key))
    }
}

impl Kind for Secret {
    const KIND: &'static str = "Secret";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;
}

/// What is known of a secret value: the value itself is dropped while it is read.
/// Ours: a secret that is not kept cannot be shown in a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// The key has an empty value.
    #[default]
    Empty,
    /// The key has a value.
    Present,
    /// The key has a value that starts as PEM does, as it is or in base64.
    Pem,
}

/// How PEM starts, as it is and in base64.
const PEM_STARTS: [&str; 2] = ["-----BEGIN ", "LS0tLS1CRUdJTi"];

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Content {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Content".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Empty => "",
            Self::Present | Self::Pem => "<redacted>",
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Any shape is taken, because a complaint would print the value.
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// A map of secret values. Anything else is refused in words that do not repeat it.
fn contents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Content>, D::Error> {
    deserializer.deserialize_any(ContentsVisitor)
}

struct ContentsVisitor;

impl ContentsVisitor {
    fn refuse<T, E: de::Error>() -> Result<T, E> {
        Err(E::custom("expected a map of keys and values"))
    }
}

impl<'de> Visitor<'de> for ContentsVisitor {
    type Value = BTreeMap<String, Content>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of keys and values")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut contents = BTreeMap::new();
        while let Some((key, content)) = entries.next_entry()? {
            contents.insert(key, content);
        }
        Ok(contents)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Self::refuse()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Self::refuse()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Self::refuse()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Self::refuse()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Self::refuse()
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret value")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Content, E> {
        Ok(match value {
            "" => Content::Empty,
            _ if PEM_STARTS.iter().any(|start| value.trim_start().starts_with(start)) => Content::Pem,
            _ => Content::Present,
        })
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Empty)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Content, E> {
        Ok(Content::Present)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Content, E> {
        Ok(Content::Present)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Content, E> {
        Ok(Content::Present)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Content, E> {
        Ok(Content::Present)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Content::Present)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        while entries.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Content::Present)
    }
}
