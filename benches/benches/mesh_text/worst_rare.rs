//! Worst texts of what YAML and JSON have and configuration hardly uses, alone and inside of resources.

use super::{Sort, numbered, repeat, sort};

/// Small resources, each with the same odd lines.
fn resources(odd: &str) -> String {
    numbered(|number| format!("kind: Service\napiVersion: v1\nmetadata: {{name: a{number}}}\n{odd}\n---\n"))
}

/// Resources of an ordinary kind, each with an odd value in it.
fn routes(odd: &str) -> String {
    numbered(|number| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a{number}}}\nspec:\n  hosts: [a]\n  http:\n  - route:\n    - destination: {{host: {odd}}}\n---\n"
        )
    })
}

/// Small resources as lines of JSON, with something odd in each.
fn json_resources(odd: &str) -> String {
    numbered(|number| {
        format!(
            "{{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"a{number}\"}},\"x\":{odd}}}\n"
        )
    })
}

/// The same as one list.
fn json_list(odd: &str) -> String {
    let items = json_resources(odd).trim_end().replace('\n', ",");
    format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{items}]}}")
}

/// Texts of 1.5 MiB, by name.
pub fn texts() -> Vec<Sort> {
    [in_resources(), alone()].concat()
}

fn in_resources() -> Vec<Sort> {
    vec![
        sort("resources with tags", || resources("a: !b c")),
        sort("resources with many tags", || resources("a: [!b c, !b c, !b c, !b c, !b c]")),
        sort("resources with anchors", || resources("a: &b c")),
        sort("resources with aliases", || resources("a: &b c\nd: [*b, *b, *b]")),
        sort("resources with merge keys", || resources("a: &b {c: 1}\nd: {<<: *b}")),
        sort("resources with empty values", || resources("a:")),
        sort("resources with many empty values", || resources("a: {b, c, d, e, f}")),
        sort("resources with block scalars", || resources("a: |\n b")),
        sort("resources with folded scalars", || resources("a: >-\n b\n c")),
        sort("resources with quoted lines", || resources("a: \"b\n c\"")),
        sort("resources with plain lines", || resources("a: b\n c")),
        sort("resources with doubled quotes", || resources("a: 'b''c'")),
        sort("resources with tabs", || resources("a:\tb")),
        sort("resources with Windows lines", || resources("a: b").replace('\n', "\r\n")),
        sort("resources with line separators", || resources("a: b\u{2028}c")),
        sort("resources with question marks", || resources("? a\n: b")),
        sort("resources with octal numbers", || resources("a: 0777")),
        sort("resources with many odd words", || resources("a: [yes, no, on, off, 0x1_0, 0777]")),
        sort("resources with numbers that JSON has not", || resources("a: .inf")),
        sort("resources with bad keys", || resources("{}: a")),
        sort("resources with null keys", || resources("~: a")),
        sort("resources with unknown aliases", || resources("a: *b")),
        sort("resources with colons in brackets", || resources("a: [b::, c]")),
        sort("resources after directives", || resources("a: b").replace("---\n", "...\n%YAML 1.2\n---\n")),
        sort("resources with many doubled keys", || resources("a: {b: 1, b: 1, b: 1, b: 1, b: 1, b: 1}")),
        sort("resources with tabs for blanks", || resources("a:\n\t- b")),
        sort("routes with tags", || routes("!!str a")),
        sort("routes with doubled hosts", || routes("a, host: b")),
        sort("routes with quoted lines", || routes("\"a\n      b\"")),
        sort("JSON resources with pairs of escapes", || json_resources("\"\\ud83d\\ude00\"")),
        sort("JSON resources with tags", || json_resources("!a b")),
        sort("JSON resources with doubled keys", || json_resources("{\"a\":1,\"a\":1}")),
        sort("JSON resources with large numbers", || json_resources("1e400")),
        sort("JSON resources with comments", || json_resources("1 # a\n")),
        sort("a JSON list with pairs of escapes", || json_list("\"\\ud83d\\ude00\"")),
        sort("a JSON list with doubled keys", || json_list("{\"a\":1,\"a\":1}")),
        sort("a JSON list with tags", || json_list("!a b")),
        sort("a JSON list with a late tag", || json_list("1").replace("\"x\":1}]", "\"x\":!a b}]")),
        sort("a list with doubled keys", || {
            format!(
                "kind: List\napiVersion: v1\nitems:\n{}",
                numbered(|number| format!(
                    "- kind: Service\n  apiVersion: v1\n  metadata: {{name: a{number}, name: b{number}}}\n"
                ))
            )
        }),
    ]
}

fn alone() -> Vec<Sort> {
    vec![
        sort("JSON lines with tags", || format!("{{}}\n{{}}\n{}", repeat("{\"a\":!b c}\n"))),
        sort("JSON lines with pairs of escapes", || repeat("{\"a\":\"\\ud83d\\ude00\"}\n")),
        sort("JSON pairs of escapes", || format!("[{}1]", repeat("\"\\ud83d\\ude00\","))),
        sort("JSON with tabs", || format!("[{}1]", repeat("1,\t"))),
        sort("JSON over lines", || format!("{{\n{}\"b\":1}}", repeat("\"a\"\n:\n1\n,\n"))),
        sort("JSON numbers of many digits", || format!("[{}1]", repeat("123456789012345678901234567890,"))),
        sort("JSON of deep lists", || {
            format!("[{}1]", repeat(&format!("{}{},", "[".repeat(50), "]".repeat(50))))
        }),
        sort("JSON of deep maps", || {
            format!("[{}1]", repeat(&format!("{}1{},", "{\"a\":".repeat(50), "}".repeat(50))))
        }),
        sort("JSON with a byte order mark", || format!("[{}1]", repeat("\"\u{feff}\","))),
        sort("names in braces", || format!("{{{}}}", numbered(|number| format!("a{number},")))),
        sort("pairs in brackets", || format!("[{}]", repeat("a: b,"))),
        sort("question marks in brackets", || format!("[{}]", repeat("? a,"))),
        sort("comments in brackets", || format!("[{}]", repeat("a, #\n"))),
        sort("keys of nothing", || format!("{{{}}}", repeat(": a,"))),
        sort("folded with other indents", || format!("a: >\n{}", repeat(" x\n  y\n"))),
        sort("block scalars with indicators", || repeat("- |2-\n    x\n")),
        sort("quoted keys over lines", || repeat("\"a\n b\": c\n---\n")),
        sort("anchored keys", || numbered(|number| format!("&a{number} k{number}: v\n"))),
        sort("anchored lists", || format!("[{}]", numbered(|number| format!("&a{number} [],")))),
        sort("one anchor over and over", || format!("[{}]", repeat("&a b,"))),
        sort("aliases as keys", || format!("- &a b\n{}", repeat("- {*a : c}\n"))),
        sort("tagged maps", || format!("[{}]", repeat("!!map {},"))),
        sort("tagged lists in blocks", || repeat("- !!seq\n  - a\n")),
        sort("binary tags", || format!("[{}]", repeat("!!binary YQ==,"))),
        sort("tags with long names", || format!("[{}]", repeat(&format!("!{} a,", "b".repeat(200))))),
        sort("tags of directives", || format!("%TAG !a! b:\n---\n[{}]", repeat("!a!c d,"))),
        sort("merges of lists of maps", || {
            format!("a: &a {{b: 1}}\nc:\n{}", repeat("- {<<: [*a, *a, *a]}\n"))
        }),
        sort("doubled merge keys", || format!("a: &a {{b: 1}}\nc:\n{}", repeat("- {<<: *a, <<: *a}\n"))),
        sort("doubled keys at different depths", || {
            repeat(&format!("{}{{a: 1, a: 2}}{}\n---\n", "{b: ".repeat(20), "}".repeat(20)))
        }),
        sort("many different doubled keys", || numbered(|number| format!("k{}: 1\n", number / 2))),
        sort("Windows lines in quotes", || format!("\"{}\"", repeat("a\r\n"))),
        sort("next lines", || repeat("- a\u{85}")),
        sort("marks of direction", || repeat("- \u{202e}a\n")),
        sort("broken ends of UTF-8", || repeat("- a\u{fffd}\n")),
    ]
}
