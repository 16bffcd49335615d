//! Texts of the size that etcd allows an object, of every sort that may cost much to read.

use super::mesh_text;

/// The size that etcd allows an object, and that one file must not be a danger with.
const SIZE: usize = 3 << 19;

fn repeat(part: &str) -> String {
    part.repeat(SIZE / part.len())
}

fn numbered(part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= SIZE {
            break;
        }
        text.push_str(&part(number));
    }
    text
}

/// Texts of 1.5 MiB, by name.
pub fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("mesh", mesh_text::stream(&mesh_text::documents(1_100))),
        ("mesh JSON", mesh_text::json_list(&mesh_text::documents(1_100))),
        ("short flow list", format!("[{}]", repeat("a,"))),
        ("short block list", repeat("- a\n")),
        ("maps in a list", format!("[{}]", repeat("{},"))),
        ("maps of one", repeat("- a: b\n")),
        ("distinct keys", numbered(|number| format!("{number}k:\n"))),
        ("distinct quoted keys", numbered(|number| format!("\"\\x6b{number}\": 1\n"))),
        ("fractions", format!("[{}]", repeat("1.5,"))),
        ("escapes", format!("[{}]", repeat("\"\\n\","))),
        ("one plain scalar", repeat("x")),
        ("a block scalar", format!("a: |\n{}", repeat("  x\n"))),
        ("a comment", format!("# {}\na: 1\n", repeat("x"))),
        ("comments", format!("{}a: 1\n", repeat("#\n"))),
        ("opening brackets", repeat("[")),
        ("dashes", repeat("- ")),
        ("empty documents", repeat("---\n")),
        ("short documents", repeat("a\n---\n")),
        ("broken documents", repeat("[\n---\n")),
        ("anchors", format!("[{}]", numbered(|number| format!("&a{number} b,")))),
        ("aliases", format!("a: &a x\nb: [{}]\n", repeat("*a,"))),
        (
            "aliases of a long scalar",
            format!("a: &a {}\nb: [{}]\n", "x".repeat(400_000), "*a,".repeat(100_000)),
        ),
        (
            "growing merges",
            numbered(|number| {
                format!("b{number}: &b{number} {{<<: *b{}, k{number}: v}}\n", number.max(1) - 1)
            }),
        ),
        ("tags", format!("[{}]", repeat("!a b,"))),
        ("bad numbers", format!("[{}]", repeat(".inf,"))),
        ("binary", repeat("\u{1}\u{2}")),
        ("carriage returns", repeat("a: 1\r")),
        (
            "unknown fields",
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\nspec:\n{}",
                numbered(|number| format!("  f{number}: 1\n"))
            ),
        ),
        (
            "routes",
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\nspec:\n  hosts: [a]\n  http:\n{}",
                repeat("  - {}\n")
            ),
        ),
    ]
}
