//! What a source is: the words of a doc comment that lead somewhere.

pub(crate) fn has_source(doc: &str) -> bool {
    has_rule(doc)
        || has_rfc(doc)
        || !cited_apis(doc).is_empty()
        || says(doc, "Spec: ", 2)
        || says(doc, "Ours: ", 4)
}

/// `T-136`, `S-041`, `E-008`.
fn has_rule(doc: &str) -> bool {
    doc.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').any(|word| {
        let number = word.strip_prefix("T-").or(word.strip_prefix("S-")).or(word.strip_prefix("E-"));
        number.is_some_and(|number| number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `RFC 3986`.
fn has_rfc(doc: &str) -> bool {
    doc.split("RFC ").skip(1).any(|after| after.bytes().take_while(u8::is_ascii_digit).count() == 4)
}

/// A mark with at least so many words behind it.
fn says(doc: &str, mark: &str, words: usize) -> bool {
    doc.split(mark).skip(1).any(|after| after.split_whitespace().count() >= words)
}

/// Group with version, and name, of each ``API: group/version `Name` ``; further names may follow: `` and `Other` ``.
pub(crate) fn cited_apis(doc: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for after in doc.split("API: ").skip(1) {
        let Some((group, rest)) = after.split_once(" `") else { continue };
        let versioned = group.split_once('/').is_some_and(|(_, version)| {
            version.starts_with('v')
                && version.len() > 1
                && version[1..].starts_with(|c: char| c.is_ascii_digit())
        });
        if !versioned || group.contains(char::is_whitespace) {
            continue;
        }
        let mut rest = rest;
        while let Some((name, behind)) = rest.split_once('`') {
            found.push((group.to_owned(), name.to_owned()));
            match [", `", " and `", ", and `", " or `"].iter().find_map(|link| behind.strip_prefix(link)) {
                Some(next) => rest = next,
                None => break,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_lead_somewhere_are_sources() {
        for doc in [
            "prefix match (T-136)",
            "see E-008.",
            "RFC 3986, 6.2.2",
            "Spec: RE2, doc/syntax",
            "Ours: it is shorter so",
        ] {
            assert!(has_source(doc), "{doc}");
        }
        for doc in [
            "",
            "the API",
            "T-13",
            "T-1366",
            "GET-136",
            "RFC",
            "Ours: yes",
            "API: something",
            "API: `Foo`",
            "API: a/b `C`",
        ] {
            assert!(!has_source(doc), "{doc}");
        }
        let two = cited_apis(" API: networking.istio.io/v1 `Gateway` and `Server.tls`. API: core/v1 `Pod`.");
        let two: Vec<_> = two.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
        assert_eq!(
            two,
            [
                ("networking.istio.io/v1", "Gateway"),
                ("networking.istio.io/v1", "Server.tls"),
                ("core/v1", "Pod")
            ]
        );
    }
}
