//! SARIF 2.1.0, for code scanning and editors: the codes as rules, the findings as results, suggestions as fixes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use mesh_model::diagnostic::{Code, Diagnostic, Page, Report, Severity};
use serde_json::{Value, json};

use super::resource;
use crate::source::{Region, Texts};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub fn write(out: &mut impl Write, report: &Report, texts: &mut Texts) -> std::io::Result<()> {
    let mut rules: BTreeMap<&str, Code> = BTreeMap::new();
    for finding in report {
        rules.insert(finding.code.as_str(), finding.code);
    }
    let order: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, code)| (*code, index)).collect();
    let results: Vec<Value> = report.iter().map(|finding| result(finding, &order, texts)).collect();
    let all = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "mesh",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.values().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn rule(code: Code) -> Value {
    let page = Page::of(code);
    let full = page.map_or(code.summary(), |page| page.meaning);
    let help = page.map(
        |page| json!({"text": format!("{}\n\n{}", page.meaning, page.fix), "markdown": page.markdown()}),
    );
    let properties = object([
        ("tags", Some(json!([code.stage().as_str()]))),
        ("istioCode", code.istio_code().map(|istio| json!(istio))),
    ]);
    object([
        ("id", Some(json!(code.as_str()))),
        ("name", Some(json!(format!("{code:?}")))),
        ("shortDescription", Some(json!({"text": code.summary()}))),
        ("fullDescription", Some(json!({"text": full}))),
        ("help", help),
        ("defaultConfiguration", Some(json!({"level": level(code.severity())}))),
        ("properties", Some(properties)),
    ])
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result(finding: &Diagnostic, order: &BTreeMap<&str, usize>, texts: &mut Texts) -> Value {
    let code = finding.code.as_str();
    let text = match &finding.help {
        Some(help) => format!("{}. {help}", finding.message),
        None => finding.message.clone(),
    };
    let at = &finding.at;
    let found = texts.of(&at.file).and_then(|text| text.region(at));
    let artifact = json!({"uri": uri(&at.file)});
    let start = || json!({"startLine": at.line, "startColumn": at.column.max(1)});
    let region = match found {
        Some((region, _)) => Some(region_of(region)),
        None => (at.line > 0).then(start),
    };
    let physical = object([("artifactLocation", Some(artifact.clone())), ("region", region)]);
    let location = object([
        ("physicalLocation", (!at.file.is_empty()).then_some(physical)),
        ("logicalLocations", logical(finding).map(|logical| json!([logical]))),
    ]);
    let fix = finding.replacement.as_deref().zip(found).and_then(|(text, (region, written))| {
        let text = in_place_of(written, text)?;
        Some(json!([{
            "description": {"text": format!("write `{text}`")},
            "artifactChanges": [{
                "artifactLocation": artifact,
                "replacements": [{"deletedRegion": region_of(region), "insertedContent": {"text": text}}],
            }],
        }]))
    });
    object([
        ("ruleId", Some(json!(code))),
        ("ruleIndex", order.get(code).map(|index| json!(index))),
        ("level", Some(json!(level(finding.severity)))),
        ("message", Some(json!({"text": text}))),
        ("locations", Some(json!([location]))),
        ("fixes", fix),
    ])
}

fn region_of(region: Region) -> Value {
    json!({
        "startLine": region.start.0, "startColumn": region.start.1,
        "endLine": region.end.0, "endColumn": region.end.1,
    })
}

/// The resource and the field.
fn logical(finding: &Diagnostic) -> Option<Value> {
    let resource = resource(finding);
    let field = &finding.at.field;
    match (resource.is_empty(), field.is_empty()) {
        (true, true) => None,
        (false, true) => Some(json!({"fullyQualifiedName": resource, "kind": "object"})),
        (true, false) => Some(json!({"fullyQualifiedName": field, "kind": "member"})),
        (false, false) => Some(
            json!({"fullyQualifiedName": format!("{resource} {field}"), "name": field, "kind": "member"}),
        ),
    }
}

/// The replacement in the quotes of what it replaces; `None`: more than one word stands there.
fn in_place_of(written: &str, text: &str) -> Option<String> {
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''));
    match quote {
        Some(quote) if written.len() > 1 && written.ends_with(quote) => Some(format!("{quote}{text}{quote}")),
        Some(_) => None,
        None => (!written.contains(char::is_whitespace)).then(|| text.to_owned()),
    }
}

/// A relative path as it is, an absolute one as `file:` URI; what a URI may not hold is escaped.
fn uri(file: &str) -> String {
    if file == "-" {
        return "stdin".to_owned();
    }
    let path = Path::new(file);
    let mut out = String::new();
    if path.is_absolute() {
        out.push_str("file://");
    }
    for byte in file.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
