//! What a verified token says.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

/// What a verified token says. Issuer and subject are at hand; the rest is read when it is first asked for (S-285,
/// S-318).
#[derive(Debug, Clone, Default)]
pub struct Claims {
    issuer: Option<Arc<str>>,
    subject: Option<Box<str>>,
    unread: Option<Unread>,
    payload: OnceLock<Map<String, Value>>,
}

/// A payload as it came.
#[derive(Debug, Clone)]
struct Unread {
    json: Box<[u8]>,
    /// Claims that are lists in one text (S-286).
    space_delimited: Arc<BTreeSet<String>>,
}

impl Claims {
    /// Claims that are known already; lists stay as they are.
    pub fn new(payload: Map<String, Value>) -> Self {
        let text = |name| payload.get(name).and_then(Value::as_str);
        let (issuer, subject) = (text("iss").map(Arc::from), text("sub").map(Box::from));
        Self { issuer, subject, unread: None, payload: payload.into() }
    }

    /// Claims of a payload that is known to be a JSON object.
    pub(crate) fn unread(
        issuer: Option<Arc<str>>,
        subject: Option<Box<str>>,
        json: Box<[u8]>,
        space_delimited: Arc<BTreeSet<String>>,
    ) -> Self {
        Self { issuer, subject, unread: Some(Unread { json, space_delimited }), payload: OnceLock::new() }
    }

    /// `iss`, where it is a text (S-278).
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `sub`, where it is a text (S-278).
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `ISS/SUB`; `None` where either is missing (S-318).
    pub fn principal(&self) -> Option<String> {
        Some(format!("{}/{}", self.issuer()?, self.subject()?))
    }

    /// All claims, with space-delimited ones as lists (S-286).
    pub fn payload(&self) -> &Map<String, Value> {
        self.payload.get_or_init(|| self.unread.as_ref().map_or_else(Map::new, Unread::read))
    }
}

impl Unread {
    fn read(&self) -> Map<String, Value> {
        // It was read once before, to judge the token; a second reading says the same.
        let mut payload: Map<String, Value> = serde_json::from_slice(&self.json).unwrap_or_default();
        for name in &*self.space_delimited {
            if let Some(value) = payload.get_mut(name) {
                let words = value.as_str().filter(|text| !text.is_empty()).map(words);
                if let Some(words) = words {
                    *value = words;
                }
            }
        }
        payload
    }
}

fn words(text: &str) -> Value {
    Value::Array(text.split(' ').filter(|word| !word.is_empty()).map(Value::from).collect())
}

/// By what they say.
impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.payload() == other.payload()
    }
}
