//! What `mesh check` prints: for people, as SARIF, as commands of GitHub's runner, and the page of a code.
//!
//! `common/sarif-schema-2.1.0.json` is the schema that the OASIS committee publishes for SARIF 2.1.0.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/json_schema.rs"]
mod json_schema;
#[path = "common/program.rs"]
mod program;

use program::{binary, folder, run, status, text};
use serde_json::{Value, json};

/// A slip in a field, an enumeration and a duration, and a document that cannot be read.
const BAD: &str = "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: x, namespace: shop}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer: {simple: \"ROUND_ROBBIN\"}
    conectionPool: {}
    connectionPool: {tcp: {connectTimeout: 5}}
---
a: [b
---
apiVersion: v1
kind: Namespace
metadata: {name: größe, labels: {日本語: x}}
";

fn schema() -> Value {
    serde_json::from_str(include_str!("common/sarif-schema-2.1.0.json")).unwrap()
}

#[test]
fn sarif_is_what_its_schema_says() {
    let Some(mesh) = binary() else { return };
    let schema = schema();
    for (arguments, input, expected) in [
        (&["check", "-", "--format", "sarif"][..], BAD, 1),
        (&["check", "--format", "sarif", "examples/shop"], "", 0),
    ] {
        let output = run(&mesh, arguments, input);
        assert_eq!(status(&output), expected);
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json_schema::problems(&schema, &log), Vec::<String>::new());
    }
    // Every page of every code passes through as a rule.
    let folder = folder("sarif-rules");
    for (name, content) in
        [("a,b c.yaml", BAD), ("0.yaml", "\u{7f}ELF\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{1}")]
    {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let output = run(&mesh, &["check", "--format", "sarif", &folder.display().to_string()], "");
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json_schema::problems(&schema, &log), Vec::<String>::new());
    let uris = log.to_string();
    assert!(uris.contains("a%2Cb%20c.yaml"), "{uris}");
}

#[test]
fn the_schema_refuses_what_is_no_sarif() {
    let schema = schema();
    let good = json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "mesh"}}, "results": [
        {"message": {"text": "x"}, "level": "error", "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": "a"}, "region": {"startLine": 1}}}]},
    ]}]});
    assert_eq!(json_schema::problems(&schema, &good), Vec::<String>::new());
    for (pointer, bad) in [
        ("/version", json!("2.0.0")),
        ("/runs/0/tool/driver", json!({})),
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/message", json!({"txt": "x"})),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs", json!({})),
    ] {
        let mut log = good.clone();
        *log.pointer_mut(pointer).unwrap() = bad;
        assert!(!json_schema::problems(&schema, &log).is_empty(), "{pointer}");
    }
}

#[test]
fn sarif_has_rules_regions_fields_and_fixes() {
    let Some(mesh) = binary() else { return };
    let output = run(&mesh, &["check", "-", "--format", "sarif"], BAD);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        for text in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"] {
            assert!(rule.pointer(text).is_some_and(Value::is_string), "{text} of {rule}");
        }
        assert!(
            ["error", "warning", "note"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap())
        );
        let region = &result["locations"][0]["physicalLocation"]["region"];
        for field in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(region[field].as_u64().is_some_and(|number| number > 0), "{field} of {result}");
        }
    }
    let result = |code: &str, field: &str| {
        let results = run["results"].as_array().unwrap();
        let found = results.iter().find(|result| {
            result["ruleId"] == code
                && result["locations"][0]["logicalLocations"][0]["name"]
                    .as_str()
                    .is_some_and(|name| name.ends_with(field))
        });
        found.unwrap_or_else(|| panic!("no {code} at {field} in {run}")).clone()
    };
    let replacement = |result: &Value| result["fixes"][0]["artifactChanges"][0]["replacements"][0].clone();
    let field = replacement(&result("unknown-field", "conectionPool"));
    assert_eq!(field["insertedContent"]["text"], "connectionPool");
    assert_eq!(
        field["deletedRegion"],
        json!({"startLine": 8, "startColumn": 5, "endLine": 8, "endColumn": 18})
    );
    // Quotes stay.
    let name = replacement(&result("bad-value", "simple"));
    assert_eq!(name["insertedContent"]["text"], "\"ROUND_ROBIN\"");
    assert_eq!(
        name["deletedRegion"],
        json!({"startLine": 7, "startColumn": 28, "endLine": 7, "endColumn": 42})
    );
    assert!(result("wrong-type", "connectTimeout").get("fixes").is_none());
}

#[test]
fn github_commands_are_one_line_each_and_escaped() {
    let Some(mesh) = binary() else { return };
    let folder = folder("github");
    std::fs::write(folder.join("a,b:c%.yaml"), BAD).unwrap();
    let output = run(&mesh, &["check", "--format", "github", &folder.display().to_string()], "");
    let shown = text(&output.stdout);
    assert_eq!(status(&output), 1);
    for line in shown.lines() {
        let (command, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        assert!(["error ", "warning ", "notice "].iter().any(|name| command.starts_with(name)), "{line}");
        assert!(command.contains("a%2Cb%3Ac%25.yaml"), "{line}");
        assert!(command.contains(",line=") && command.contains(",title="), "{line}");
        assert!(!message.is_empty());
    }
    let slip = shown.lines().find(|line| line.contains("conectionPool")).unwrap();
    assert!(
        slip.contains("line=8,col=5,endColumn=18,title=unknown-field::unknown field `conectionPool`%0A"),
        "{slip}"
    );
    assert!(slip.ends_with("%0Ahelp: did you mean `connectionPool`?"), "{slip}");
}

#[test]
fn people_see_the_text_at_fault_and_a_summary() {
    let Some(mesh) = binary() else { return };
    let output = run(&mesh, &["check", "-"], BAD);
    let shown = text(&output.stdout);
    let excerpt = "\
error[bad-value]: expected one of `UNSPECIFIED`, `LEAST_CONN`, `RANDOM`, `PASSTHROUGH`, `ROUND_ROBIN`, `LEAST_REQUEST`, found `ROUND_ROBBIN`
 --> -:7:28
  |
7 |     loadBalancer: {simple: \"ROUND_ROBBIN\"}
  |                            ^^^^^^^^^^^^^^
  = in: DestinationRule shop/x, spec.trafficPolicy.loadBalancer.simple
  = help: did you mean `ROUND_ROBIN`?
";
    assert!(shown.contains(excerpt), "{shown}");
    // The bracket that is never closed, not the end of the text.
    assert!(shown.contains("11 | a: [b\n   |    ^\n"), "{shown}");
    // Characters that are wide on a terminal have marks as wide.
    let lines: Vec<&str> = shown.lines().collect();
    let marks: Vec<&str> = lines
        .windows(2)
        .filter(|pair| pair[0].contains("日本語: x"))
        .map(|pair| pair[1].trim_start_matches([' ', '|']))
        .collect();
    assert!(marks.contains(&"^^^^^^"), "{marks:?}\n{shown}");
    assert!(shown.contains(" in 1 file ("), "{shown}");
    assert!(shown.contains("\na page about each code: mesh check --explain bad-value\n"), "{shown}");
    let fine = run(&mesh, &["check", "-"], "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    assert!(text(&fine.stdout).contains("in 1 file (1 document)"), "{}", text(&fine.stdout));
}

#[test]
fn long_lines_are_shown_around_the_place() {
    let Some(mesh) = binary() else { return };
    let padding = "x".repeat(3_000);
    let line = format!(
        "{{\"apiVersion\": \"networking.istio.io/v1\", \"kind\": \"DestinationRule\", \"metadata\": {{\"name\": \"x\", \"annotations\": {{\"a\": \"{padding}\"}}}}, \"spec\": {{\"hots\": \"reviews\", \"host\": \"reviews\"}}}}"
    );
    let shown = text(&run(&mesh, &["check", "-"], &line).stdout);
    let excerpt: Vec<&str> = shown
        .lines()
        .skip_while(|line| !line.contains("\"hots\"") || line.starts_with("warning"))
        .take(2)
        .collect();
    assert!(excerpt[0].chars().count() < 130, "{shown}");
    let column = excerpt[1].find('^').unwrap();
    let above: String =
        excerpt[0].chars().skip(excerpt[1].get(..column).unwrap().chars().count()).take(6).collect();
    assert_eq!((above.as_str(), excerpt[1].matches('^').count()), ("\"hots\"", 6), "{shown}");
}

#[test]
fn the_order_of_findings_is_the_same_every_time() {
    let Some(mesh) = binary() else { return };
    let folder = folder("check-order");
    for name in ["b.yaml", "a.yaml", "c.yaml"] {
        std::fs::write(folder.join(name), BAD.replace("name: x", &format!("name: {}", &name[..1]))).unwrap();
    }
    let arguments = ["check", "--format", "json", &folder.display().to_string()];
    let first = run(&mesh, &arguments, "").stdout;
    for _ in 0..3 {
        assert_eq!(run(&mesh, &arguments, "").stdout, first);
    }
    let answer: Value = serde_json::from_slice(&first).unwrap();
    let places: Vec<(String, u64, u64)> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            let number = |name: &str| found[name].as_u64().unwrap();
            (found["file"].as_str().unwrap().to_owned(), number("line"), number("column"))
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_page_of_a_code_is_printed_by_either_name() {
    let Some(mesh) = binary() else { return };
    let page = run(&mesh, &["check", "--explain", "unknown-field"], "");
    let shown = text(&page.stdout);
    assert_eq!(status(&page), 0);
    for part in ["# `unknown-field`: ", "## Wrong", "```yaml", "## Right", "## Fix", "## Source"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    assert!(text(&run(&mesh, &["check", "--explain", "ist0101"], "").stdout).contains("`host-unknown`"));
    let all = text(&run(&mesh, &["check", "--explain"], "").stdout);
    assert!(all.lines().count() > 40 && all.contains("wrong-type"), "{all}");
    let unknown = run(&mesh, &["check", "--explain", "unknwn-field"], "");
    assert_eq!(status(&unknown), 2);
    assert!(text(&unknown.stderr).contains("did you mean `unknown-field`?"), "{}", text(&unknown.stderr));
}
