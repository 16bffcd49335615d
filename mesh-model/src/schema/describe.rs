//! Descriptions for people who write configuration: doc comments without what only readers of the code need.

use serde_json::Value;

/// Words that only tell this crate's own tests something.
const OWN_FORMATS: [&str; 3] = ["go-duration", "float", "double"];

/// Tidies a schema and everything below it.
pub(super) fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(entries) => {
            if let Some(Value::String(text)) = entries.get_mut("description") {
                *text = plain(text);
            }
            let is_own = |format: &Value| OWN_FORMATS.iter().any(|own| format == own);
            if entries.get("format").is_some_and(is_own) {
                entries.remove("format");
            }
            entries.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// Sentences that say where a rule comes from, by their first word.
const SOURCES: [&str; 3] = ["API: ", "Spec: ", "Ours: "];

/// `text` without those sentences: each ends with a full stop before white space, or with the text.
fn without_sources(text: &str) -> String {
    let mut kept = text.to_owned();
    for mark in SOURCES {
        while let Some((before, after)) = kept.split_once(mark) {
            let rest = after.split_once(". ").map(|(_, rest)| rest);
            kept = [before.trim_end(), rest.unwrap_or_default()].join(" ");
        }
    }
    kept
}

/// One paragraph without rule numbers, sources and links into the code.
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = without_sources(&text).replace("[`", "`").replace("`]", "`");
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(" (") {
        let Some((inside, behind)) = after.split_once(')') else { break };
        kept.push_str(before);
        if !is_citation(inside) {
            kept.push_str(" (");
            kept.push_str(inside);
            kept.push(')');
        }
        rest = behind;
    }
    kept.push_str(rest);
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `T-406`, `T-160..T-167`, `T-142, S-147`.
fn is_citation(text: &str) -> bool {
    let mut rules = text.split([' ', ',', '.']).filter(|word| !word.is_empty() && *word != "to").peekable();
    let is_rule = |word: &str| {
        word.split_once('-').is_some_and(|(letter, number)| {
            matches!(letter, "T" | "S" | "E")
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    rules.peek().is_some() && rules.all(is_rule)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn sentences_about_sources_are_left_out() {
        assert_eq!(plain("A port.\nAPI: core/v1 `Port.a`;\nas T-1 says."), "A port.");
        assert_eq!(plain("A port. API: core/v1 `Port.a`. It is\nrequired."), "A port. It is required.");
        assert_eq!(plain("A. Ours: of use (T-406). Spec: RE2, syntax."), "A.");
    }

    #[test]
    fn rule_numbers_are_left_out() {
        assert_eq!(plain("Ports (T-406)."), "Ports.");
        assert_eq!(plain("A (T-160..T-167, S-1), b (as in (c)\n d."), "A, b (as in (c) d.");
        assert_eq!(plain("Like [`X`] (not T-1) (E-5"), "Like `X` (not T-1) (E-5");
    }
}
