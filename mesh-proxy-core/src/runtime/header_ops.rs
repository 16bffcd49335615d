//! Header operations of routes on real headers (T-176 to T-178).

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::route_table::action::HeaderOp;

/// Applies them in order; `value` makes the value of what is written, which may hold operators. What is no header is
/// left out.
pub(crate) fn apply(headers: &mut HeaderMap, ops: &[HeaderOp], value: impl Fn(&Arc<str>) -> String) {
    for op in ops {
        let (name, written, appends) = match op {
            HeaderOp::Set(name, written) => (name, written, false),
            HeaderOp::Add(name, written) => (name, written, true),
            HeaderOp::Remove(name) => {
                headers.remove(&**name);
                continue;
            }
        };
        let made = if written.contains('%') { value(written) } else { written.to_string() };
        let (Ok(name), Ok(made)) = (HeaderName::try_from(&**name), HeaderValue::try_from(made)) else {
            continue;
        };
        if appends {
            headers.append(name, made);
        } else {
            headers.insert(name, made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_take_effect_in_order() {
        let mut headers = HeaderMap::new();
        headers.insert("a", HeaderValue::from_static("1"));
        headers.insert("b", HeaderValue::from_static("1"));
        let ops = [
            HeaderOp::Remove("b".into()),
            HeaderOp::Add("a".into(), "2".into()),
            HeaderOp::Set("c".into(), "%X%".into()),
            HeaderOp::Add("bad name".into(), "x".into()),
        ];
        apply(&mut headers, &ops, |written| written.to_lowercase());
        let lines: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(lines, [("a", &b"1"[..]), ("a", b"2"), ("c", b"%x%")]);
    }
    /// 100,000 messages beside an oracle of plain lists: what each name has in the end, in order.
    #[test]
    fn a_hundred_thousand_messages_end_up_as_lists_say() {
        use std::collections::BTreeMap;

        use crate::dice::{Dice, SeededDice};

        let names = ["a", "b", "x-user", "set-cookie", "Mixed-Case", "bad name", ""];
        let values = ["1", "two", "", "%NAME%", "a,b", "line\nbreak", "caf\u{e9}"];
        let mut dice = SeededDice::new(44);
        for _ in 0..100_000 {
            let mut one_of = |texts: &[&'static str]| texts[dice.below(texts.len() as u64) as usize];
            let before: Vec<_> = (0..3).map(|_| (one_of(&names[..4]), one_of(&values[..2]))).collect();
            let ops: Vec<HeaderOp> = (0..5)
                .map(|_| {
                    let (name, value) = (one_of(&names).into(), one_of(&values).into());
                    match one_of(&["set", "add", "remove"]) {
                        "set" => HeaderOp::Set(name, value),
                        "add" => HeaderOp::Add(name, value),
                        _ => HeaderOp::Remove(name),
                    }
                })
                .collect();
            let mut headers = HeaderMap::new();
            let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (name, value) in before {
                headers.append(name, HeaderValue::from_static(value));
                lists.entry(name.to_owned()).or_default().push(value.to_owned());
            }
            for op in &ops {
                let (name, value, adds) = match op {
                    HeaderOp::Set(name, value) => (name, value, false),
                    HeaderOp::Add(name, value) => (name, value, true),
                    HeaderOp::Remove(name) => {
                        lists.remove(&name.to_lowercase());
                        continue;
                    }
                };
                if name.is_empty() || name.contains(' ') || value.contains('\n') {
                    continue;
                }
                let value = if &**value == "%NAME%" { "made of %NAME%" } else { value };
                let list = lists.entry(name.to_lowercase()).or_default();
                if !adds {
                    list.clear();
                }
                list.push(value.to_owned());
            }
            apply(&mut headers, &ops, |written| format!("made of {written}"));
            let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (name, value) in &headers {
                let value = String::from_utf8(value.as_bytes().to_vec()).unwrap();
                found.entry(name.to_string()).or_default().push(value);
            }
            assert_eq!(found, lists, "{ops:?}");
        }
    }
}
