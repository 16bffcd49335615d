//! Header operations of routes on real headers (T-176 to T-178).

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::route_table::action::HeaderOp;

/// Applies them in order; `value` makes the value of what is written, which may hold operators. What is no header is
/// left out.
pub(crate) fn apply(headers: &mut HeaderMap, ops: &[HeaderOp], value: impl Fn(&str) -> String) {
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
        apply(&mut headers, &ops, str::to_lowercase);
        let lines: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(lines, [("a", &b"1"[..]), ("a", b"2"), ("c", b"%x%")]);
    }
}
