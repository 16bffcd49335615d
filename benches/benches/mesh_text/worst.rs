//! Texts of the size that etcd allows an object, of every sort that may cost much to read.

use super::mesh_text;

#[path = "worst_rare.rs"]
mod rare;
#[path = "worst_typed.rs"]
mod typed;

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

/// A sort of text: its name, and what makes one.
pub type Sort = (&'static str, fn() -> String);

fn sort(name: &'static str, text: fn() -> String) -> Sort {
    (name, text)
}

/// Texts of 1.5 MiB, by name.
pub fn texts() -> Vec<Sort> {
    [ordinary(), marks(), rare::texts(), typed::resources(), typed::resource()].concat()
}

fn ordinary() -> Vec<Sort> {
    vec![
        sort("mesh", || mesh_text::stream(&mesh_text::documents(1_100))),
        sort("mesh JSON", || mesh_text::json_list(&mesh_text::documents(1_100))),
        sort("short flow list", || format!("[{}]", repeat("a,"))),
        sort("short block list", || repeat("- a\n")),
        sort("maps in a list", || format!("[{}]", repeat("{},"))),
        sort("maps of one", || repeat("- a: b\n")),
        sort("distinct keys", || numbered(|number| format!("{number}k:\n"))),
        sort("distinct quoted keys", || numbered(|number| format!("\"\\x6b{number}\": 1\n"))),
        sort("fractions", || format!("[{}]", repeat("1.5,"))),
        sort("escapes", || format!("[{}]", repeat("\"\\n\","))),
        sort("one plain scalar", || repeat("x")),
        sort("a block scalar", || format!("a: |\n{}", repeat("  x\n"))),
        sort("a comment", || format!("# {}\na: 1\n", repeat("x"))),
        sort("comments", || format!("{}a: 1\n", repeat("#\n"))),
        sort("opening brackets", || repeat("[")),
        sort("dashes", || repeat("- ")),
        sort("empty documents", || repeat("---\n")),
        sort("short documents", || repeat("a\n---\n")),
        sort("broken documents", || repeat("[\n---\n")),
        sort("anchors", || format!("[{}]", numbered(|number| format!("&a{number} b,")))),
        sort("aliases", || format!("a: &a x\nb: [{}]\n", repeat("*a,"))),
        sort("aliases of a long scalar", || {
            format!("a: &a {}\nb: [{}]\n", "x".repeat(400_000), "*a,".repeat(100_000))
        }),
        sort("growing merges", || {
            numbered(|number| {
                format!("b{number}: &b{number} {{<<: *b{}, k{number}: v}}\n", number.max(1) - 1)
            })
        }),
        sort("tags", || format!("[{}]", repeat("!a b,"))),
        sort("bad numbers", || format!("[{}]", repeat(".inf,"))),
        sort("binary", || repeat("\u{1}\u{2}")),
        sort("carriage returns", || repeat("a: 1\r")),
    ]
}

/// What the grammar of YAML or JSON has to offer.
fn marks() -> Vec<Sort> {
    vec![
        sort("JSON lines", || repeat("{}\n")),
        sort("JSON lines with content", || repeat("{\"a\":1}\n")),
        sort("broken JSON lines", || format!("{{}}\n{{}}\n{}", repeat("{\"a\":[1,\n"))),
        sort("deep broken JSON lines", || format!("{{}}\n{{}}\n{}", repeat("{\"a\":\n"))),
        sort("JSON escapes", || format!("[{}1]", repeat("\"\\u00e9\","))),
        sort("JSON maps", || format!("[{}1]", repeat("{\"a\":{}},"))),
        sort("doubled JSON keys", || format!("{{{}\"b\":1}}", repeat("\"a\":1,"))),
        sort("doubled keys", || repeat("a: 1\n")),
        sort("doubled keys of maps", || format!("[{}]", repeat("{a: 1, a: 1},"))),
        sort("numbers", || format!("[{}]", repeat("1,"))),
        sort("large numbers", || format!("[{}]", repeat("1e400,"))),
        sort("words that look like numbers", || format!("[{}]", repeat("0x1_0,"))),
        sort("words that are booleans elsewhere", || repeat("- yes\n")),
        sort("times", || repeat("- 2001-01-01\n")),
        sort("quoted", || format!("[{}]", repeat("'',"))),
        sort("quoted lines", || format!("\"{}\"", repeat("a\n\n"))),
        sort("plain lines", || repeat("a\n")),
        sort("folded", || format!("a: >\n{}", repeat("  x\n\n"))),
        sort("block scalars", || repeat("- |\n  x\n")),
        sort("empty block scalars", || repeat("- |\n")),
        sort("blank lines", || format!("{}a: 1\n", repeat("\n"))),
        sort("blanks", || format!("{}a: 1\n", repeat(" "))),
        sort("tabs", || repeat("\t")),
        sort("tabs after values", || repeat("- a\t\n")),
        sort("comments after values", || repeat("- a #\n")),
        sort("long keys", || numbered(|number| format!("{}{number}: 1\n", "k".repeat(900)))),
        sort("too long keys", || numbered(|number| format!("{}{number}: 1\n", "k".repeat(1_100)))),
        sort("a long key", || format!("{}: 1\n", repeat("k"))),
        sort("question marks", || repeat("? ")),
        sort("keys after question marks", || repeat("? a\n")),
        sort("colons", || repeat(": ")),
        sort("colons in brackets", || format!("[{}]", repeat("a:,"))),
        sort("words with colons in brackets", || format!("[{}]", repeat("a::b,"))),
        sort("words that end with colons", || format!("[{}]", repeat("a::,"))),
        sort("anchors and words that end with colons", || {
            format!("[{}]", numbered(|number| format!("&a{number} b,c::,")))
        }),
        sort("anchored pairs", || format!("[{}]", numbered(|number| format!("&a{number} c::,")))),
        sort("commas", || repeat(",")),
        sort("opening braces", || repeat("{")),
        sort("quotes", || repeat("\"")),
        sort("ampersands", || repeat("&")),
        sort("stars", || repeat("*a ")),
        sort("aliases of nothing", || format!("[{}]", repeat("*a,"))),
        sort("exclamation marks", || repeat("! ")),
        sort("empty tags", || format!("[{}]", repeat("! a,"))),
        sort("string tags", || format!("[{}]", repeat("!!str 1,"))),
        sort("wrong tags", || format!("[{}]", repeat("!!int a,"))),
        sort("directives", || format!("{}---\na: 1\n", repeat("%A\n"))),
        sort("documents with directives", || repeat("%YAML 1.2\n---\na: 1\n...\n")),
        sort("ends of documents", || repeat("...\n")),
        sort("template actions", || repeat("a: {{ b }}\n")),
        sort("documents of template actions", || repeat("{{ b }}\n---\n")),
        sort("deep lists", || format!("[{}]", repeat(&format!("{}{},", "[".repeat(60), "]".repeat(60))))),
        sort("deep blocks", || {
            repeat(&(0..60).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>())
        }),
        sort("deep anchors", || format!("[{}]", repeat(&format!("{}a{},", "[".repeat(60), "]".repeat(60))))),
        sort("deep bad keys", || repeat(&format!("- {}? [a]\n", "- ".repeat(50)))),
        sort("bad keys", || format!("[{}]", repeat("{[]: a},"))),
        sort("null keys", || format!("[{}]", repeat("{null: a},"))),
        sort("colons between words", || repeat("a: b: c\n---\n")),
        sort("documents with tabs", || repeat("\ta\n---\n")),
        sort("documents with odd characters", || repeat("\u{1}\n---\n")),
        sort("documents with wrong quotes", || repeat("'\n---\n")),
        sort("documents that are aliases", || repeat("*a\n---\n")),
        sort("documents with tags", || repeat("!a b\n---\n")),
        sort("documents in brackets", || repeat("[a:,b]\n---\n")),
        sort("small documents", || repeat("a: 1\n---\n")),
        sort("small declined documents", || repeat("a:\n---\n")),
        sort("small JSON documents", || repeat("{}\n---\n")),
        sort("merges of one map", || format!("a: &a {{}}\nb:\n{}", repeat("  <<: *a\n"))),
        sort("merges", || format!("a: &a {{b: 1}}\nc:\n{}", repeat("- {<<: *a}\n"))),
        sort("bad merges", || format!("[{}]", repeat("{<<: 1},"))),
        sort("accents", || repeat("- \u{e9}\n")),
        sort("one accent and plain text", || format!("- \u{e9}\n{}", repeat("- abcdefghi\n"))),
        sort("faces", || format!("[{}]", repeat("\u{1f600},"))),
        sort("byte order marks", || repeat("\u{feff}")),
        sort("line separators", || repeat("a\u{2028}")),
        sort("Windows lines", || repeat("- a\r\n")),
    ]
}
