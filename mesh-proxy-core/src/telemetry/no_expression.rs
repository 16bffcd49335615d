//! What stands for CEL expressions in a build without the feature `cel`.

use super::record::Record;

/// An expression that cannot be evaluated: there is none. Ours: a build without the feature has the same types.
#[derive(Debug)]
pub enum Expression {}

impl Expression {
    /// Tells that expressions are not evaluated here.
    ///
    /// # Errors
    /// Always.
    pub fn parse(_: &str) -> Result<Self, String> {
        Err("expressions are not evaluated: built without the feature `cel`".to_owned())
    }

    /// Never asked.
    pub fn holds(&self, _: &Record) -> bool {
        match *self {}
    }

    /// Never asked.
    pub fn text(&self, _: &Record) -> Option<String> {
        match *self {}
    }

    /// Never asked.
    pub fn json(&self, _: &Record) -> Option<serde_json::Value> {
        match *self {}
    }
}
