//! Kubernetes `Secret`: which keys it has, and of what sort their values are; never what is in them.

mod validate;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, DeserializeSeed, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::is_default;
use crate::diagnostic::Report;
use crate::object::{Body, Kind, Object};
use crate::value::{Pem, PemFlaw, read_pem};

/// A secret, without its content: certificate checks need to know the keys only.
/// API: core/v1 `Secret`; the keys that count are T-434.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Secret {
    /// `kubernetes.io/tls`, `Opaque`, ...; empty means `Opaque`.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// Keys of `data`, whose values are in base64.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "encoded")]
    pub data: BTreeMap<String, Content>,
    /// Keys of `stringData`, which wins over `data` key by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "plain")]
    pub string_data: BTreeMap<String, Content>,
}

impl Secret {
    /// Whether `key` is there with something in it.
    pub fn has(&self, key: &str) -> bool {
        self.content(key).is_some_and(|content| *content != Content::Empty)
    }

    /// Whether `key` holds what starts as PEM does.
    pub fn has_pem(&self, key: &str) -> bool {
        matches!(self.content(key), Some(Content::Pem(_)))
    }

    /// Whether `key` holds certificates, as far as their form tells.
    pub fn has_certificates(&self, key: &str) -> bool {
        matches!(self.content(key), Some(Content::Pem(Ok(Pem::Certificates(_)))))
    }

    /// What `key` holds.
    pub fn content(&self, key: &str) -> Option<&Content> {
        self.string_data.get(key).or_else(|| self.data.get(key))
    }
}

impl Kind for Secret {
    const KIND: &'static str = "Secret";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        validate::validate(object, report);
    }
}

/// What is known of a secret value: the value itself is dropped while it is read.
///
/// API: core/v1 `Secret.data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// The key has an empty value.
    #[default]
    Empty,
    /// The key has a value that is not in PEM form.
    Present,
    /// The key has a value in PEM form, or one that starts like it.
    Pem(Result<Pem, PemFlaw>),
    /// The key of `data` has a text that is not base64, which the API server refuses.
    NotBase64,
    /// The key has something else than a text, which the API server refuses.
    NotText,
}

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
            Self::Present | Self::Pem(_) | Self::NotBase64 | Self::NotText => "<redacted>",
        })
    }
}

/// Values of `data`.
fn encoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Content>, D::Error> {
    deserializer.deserialize_any(ContentsVisitor { is_encoded: true })
}

/// Values of `stringData`.
fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Content>, D::Error> {
    deserializer.deserialize_any(ContentsVisitor { is_encoded: false })
}

/// A map of secret values. Anything else is refused in words that do not repeat it.
struct ContentsVisitor {
    is_encoded: bool,
}

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
        while let Some(key) = entries.next_key()? {
            contents.insert(key, entries.next_value_seed(ContentVisitor { is_encoded: self.is_encoded })?);
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

/// Any shape is taken, because a complaint of the decoder would print the value.
struct ContentVisitor {
    is_encoded: bool,
}

impl<'de> DeserializeSeed<'de> for ContentVisitor {
    type Value = Content;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret value")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Content, E> {
        if value.is_empty() {
            return Ok(Content::Empty);
        }
        if !self.is_encoded {
            return Ok(content(value.as_bytes()));
        }
        // Line breaks do not count, as in Go.
        let dense: Vec<u8> = value.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        Ok(STANDARD.decode(dense).map_or(Content::NotBase64, |bytes| content(&bytes)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Empty)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Content, E> {
        Ok(Content::NotText)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Content, E> {
        Ok(Content::NotText)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Content, E> {
        Ok(Content::NotText)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Content, E> {
        Ok(Content::NotText)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Content::NotText)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        while entries.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Content::NotText)
    }
}

fn content(value: &[u8]) -> Content {
    match read_pem(value) {
        Some(pem) => Content::Pem(pem),
        None if value.is_empty() => Content::Empty,
        None => Content::Present,
    }
}
