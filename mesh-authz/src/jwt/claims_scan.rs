//! One pass over a token's JSON: the claims that decide about the token, and whether the rest is JSON at all.
//!
//! What is kept borrows from the text. Names that come twice are refused at every level, as Envoy's reader does: which
//! of two `sub` claims counts would depend on the reader.

mod quick;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

/// Text without a copy where it has no escapes.
pub(super) type Text<'t> = Cow<'t, str>;

/// The value of a claim that is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Claim<'t> {
    Text(Text<'t>),
    /// As a double, and exactly where it is a whole number from 0.
    Number(f64, Option<u64>),
    /// A list of nothing but texts.
    Texts(SmallVec<[Text<'t>; 2]>),
    /// `true`, `null`, objects, other lists.
    Other,
}

/// The claims of these names, in their order; `None`: the text is no JSON object, or a name comes twice.
pub(super) fn scan<'t, const N: usize>(
    text: &'t [u8],
    names: &'static [&'static str; N],
) -> Option<[Option<Claim<'t>>; N]> {
    quick::scan(text, names).or_else(|| scan_slowly(text, names))
}

/// The same through the JSON reader, whatever the text.
fn scan_slowly<'t, const N: usize>(
    text: &'t [u8],
    names: &'static [&'static str; N],
) -> Option<[Option<Claim<'t>>; N]> {
    let mut found = std::array::from_fn(|_| None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    Object { names, found: &mut found }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(found)
}

/// Whether no name comes twice in one object, at any level; `false` also for what is no JSON.
#[cfg(test)]
fn is_plain(text: &[u8]) -> bool {
    scan(text, &[]).is_some()
}

/// The outermost object.
struct Object<'f, 't> {
    names: &'static [&'static str],
    found: &'f mut [Option<Claim<'t>>],
}

impl<'t> DeserializeSeed<'t> for Object<'_, 't> {
    type Value = ();
    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Object<'_, 't> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(Name(name)) = map.next_key_seed(NameSeed)? {
            let place = self.names.iter().position(|known| *known == name);
            seen.insert(name)?;
            match place.and_then(|place| self.found.get_mut(place)) {
                Some(found) => *found = Some(map.next_value_seed(ClaimSeed)?),
                None => map.next_value_seed(Skip)?,
            }
        }
        Ok(())
    }
}

/// The names of one object.
#[derive(Default)]
struct Seen<'t> {
    few: SmallVec<[Text<'t>; 16]>,
    many: HashSet<Text<'t>>,
}

impl<'t> Seen<'t> {
    /// A quadratic search is the fastest for few names, and no attack for many.
    fn insert<E: Error>(&mut self, name: Text<'t>) -> Result<(), E> {
        let is_new = if !self.many.is_empty() {
            self.many.insert(name)
        } else if self.few.contains(&name) {
            false
        } else if self.few.len() < 32 {
            self.few.push(name);
            true
        } else {
            self.many.extend(self.few.drain(..));
            self.many.insert(name)
        };
        if is_new { Ok(()) } else { Err(E::custom("a name comes twice")) }
    }
}

struct Name<'t>(Text<'t>);
struct NameSeed;

impl<'t> DeserializeSeed<'t> for NameSeed {
    type Value = Name<'t>;
    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Name<'t>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for NameSeed {
    type Value = Name<'t>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Name<'t>, E> {
        Ok(Name(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Name<'t>, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

/// A value that is looked at.
struct ClaimSeed;

impl<'t> DeserializeSeed<'t> for ClaimSeed {
    type Value = Claim<'t>;
    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Claim<'t>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for ClaimSeed {
    type Value = Claim<'t>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Claim<'t>, E> {
        Ok(Claim::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Claim<'t>, E> {
        Ok(Claim::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Claim<'t>, E> {
        Ok(Claim::Number(number as f64, Some(number)))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Claim<'t>, E> {
        Ok(Claim::Number(number as f64, u64::try_from(number).ok()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Claim<'t>, E> {
        Ok(Claim::Number(number, None))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Claim<'t>, E> {
        Ok(Claim::Other)
    }
    fn visit_unit<E>(self) -> Result<Claim<'t>, E> {
        Ok(Claim::Other)
    }
    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<Claim<'t>, A::Error> {
        let mut texts = Some(SmallVec::new());
        while let Some(element) = list.next_element_seed(ClaimSeed)? {
            match (element, &mut texts) {
                (Claim::Text(text), Some(texts)) => texts.push(text),
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Claim::Other, Claim::Texts))
    }
    fn visit_map<A: MapAccess<'t>>(self, map: A) -> Result<Claim<'t>, A::Error> {
        Skip.visit_map(map)?;
        Ok(Claim::Other)
    }
}

/// A value that is only read past; nesting is bounded by the reader, which counts it.
struct Skip;

impl<'t> DeserializeSeed<'t> for Skip {
    type Value = ();
    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Skip {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Skip)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(Name(name)) = map.next_key_seed(NameSeed)? {
            seen.insert(name)?;
            map.next_value_seed(Skip)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_come_twice_are_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"\u0062":2}]}"#,
            r#"{"sub":"x","su\u0062":"y"}"#,
        ] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
        assert!(is_plain(br#"{"a":{"b":1},"b":[{"b":1},{"b":2}]}"#));
        let many: Vec<String> = (0..1000).map(|n| format!(r#""c{n}":{n}"#)).collect();
        assert!(is_plain(format!("{{{}}}", many.join(",")).as_bytes()));
        assert!(!is_plain(format!("{{{},\"c0\":1}}", many.join(",")).as_bytes()));
    }

    proptest::proptest! {
        /// It takes what the plain reader takes, names that come twice aside.
        #[test]
        fn it_takes_what_json_takes(text in r#"[\[\]{}":, a1e.\-\\utrfalsn]{0,24}"#) {
            let value = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            let scanned = scan(text.as_bytes(), &["a"]);
            if let Some([claim]) = &scanned {
                let map = value.as_ref().unwrap();
                proptest::prop_assert_eq!(claim.is_some(), map.contains_key("a"));
            } else if let Ok(map) = value {
                // Only a repetition can be lost: writing it again shows one.
                let again = serde_json::to_string(&map).unwrap();
                proptest::prop_assert!(scan(again.as_bytes(), &["a"]).is_some());
                proptest::prop_assert!(again.matches(':').count() < text.matches(':').count());
            }
        }
    }
}
