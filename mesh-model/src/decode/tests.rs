#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::*;
use crate::document::Tree;
use crate::part::ClientTlsMode;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    hosts: Vec<String>,
    retry_on: Option<String>,
    attempts: i32,
    size: u64,
    port: u16,
    ratio: f64,
    flag: bool,
    mode: Mode,
    tls: ClientTlsMode,
    labels: BTreeMap<String, String>,
    weights: BTreeMap<u32, String>,
    free: Option<serde_json::Map<String, Json>>,
    target: Option<IntOrString>,
    nested: Option<Box<Spec>>,
    list: Vec<Spec>,
    named: Option<Named>,
    any: Option<Json>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    size: u8,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
enum Mode {
    #[default]
    #[serde(rename = "SIMPLE")]
    Simple,
    #[serde(rename = "MUTUAL")]
    Mutual,
}

#[derive(Debug, PartialEq)]
enum IntOrString {
    Int(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = IntOrString;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a port number or name")
            }
            fn visit_u64<E>(self, number: u64) -> Result<IntOrString, E> {
                Ok(IntOrString::Int(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<IntOrString, E> {
                Ok(IntOrString::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

fn run(json: &Json, options: DecodeOptions) -> (Option<Spec>, Vec<(String, &'static str, String)>) {
    let tree = Tree::from_json(json, Span::default());
    let mut report = Report::new();
    let place = |path: &str, _: Span| Place { field: path.to_owned(), ..Place::default() };
    let value = decode(tree.root(), "spec", options, &place, &mut report);
    let found = report.iter().map(|finding| {
        let help = finding.help.as_ref().map(|help| format!(" / {help}")).unwrap_or_default();
        (finding.at.field.clone(), finding.code.as_str(), format!("{}{help}", finding.message))
    });
    (value, found.collect())
}

fn istio(json: &Json) -> Spec {
    let (value, found) = run(json, DecodeOptions::ISTIO);
    assert_eq!(found, [], "{json}");
    value.unwrap()
}

fn refused(json: &Json, options: DecodeOptions) -> Vec<(String, &'static str, String)> {
    let (value, found) = run(json, options);
    assert!(value.is_none(), "{json} {found:?}");
    found
}

#[test]
fn both_spellings_of_a_field_are_read() {
    assert_eq!(istio(&json!({"retryOn": "5xx"})).retry_on.as_deref(), Some("5xx"));
    assert_eq!(istio(&json!({"retry_on": "5xx"})).retry_on.as_deref(), Some("5xx"));
    let (value, found) = run(&json!({"retryOn": "a", "retry_on": "b"}), DecodeOptions::ISTIO);
    assert_eq!(value.unwrap().retry_on.as_deref(), Some("a"));
    assert_eq!((found[0].0.as_str(), found[0].1), ("spec.retry_on", "duplicate-key"));
    let schema = DecodeOptions { unknown: Unknown::Schema, ..DecodeOptions::ISTIO };
    let (value, found) = run(&json!({"retry_on": "b", "retries": 1}), schema);
    assert_eq!(value.unwrap().retry_on.as_deref(), Some("b"));
    let found: Vec<_> = found.iter().map(|finding| (finding.0.as_str(), finding.1)).collect();
    assert_eq!(found, [("spec.retries", "unknown-field"), ("spec.retry_on", "unknown-field")]);
    let kubernetes = DecodeOptions { unknown: Unknown::Error, ..DecodeOptions::KUBERNETES };
    assert_eq!(run(&json!({"retry_on": "b"}), kubernetes).1[0].1, "unknown-field");
}

#[test]
fn null_is_not_set() {
    let spec = istio(
        &json!({"hosts": null, "retryOn": null, "attempts": null, "mode": null, "nested": null, "labels": null}),
    );
    assert_eq!(spec, Spec::default());
    assert_eq!(run(&json!({"hosts": null}), DecodeOptions::KUBERNETES).0, Some(Spec::default()));
    assert_eq!(run(&Json::Null, DecodeOptions::ISTIO).0, Some(Spec::default()));
}

/// HARDENING Y16, Y23; istio/istio, manifests/charts/base/files/crd-all.gen.yaml: types of fields, `nullable`.
#[test]
fn what_the_schema_refuses_is_an_error_and_is_read() {
    let schema = DecodeOptions { unknown: Unknown::Schema, ..DecodeOptions::ISTIO };
    let found = |written: &Json| {
        let (value, found) = run(written, schema);
        let found: Vec<_> = found.iter().map(|finding| (finding.0.clone(), finding.1)).collect();
        (value, found)
    };
    for (written, field) in [
        (json!({"retryOn": null}), "spec.retryOn"),
        (json!({"list": null}), "spec.list"),
        (json!({"list": [null]}), "spec.list[0]"),
        (json!({"hosts": [null]}), "spec.hosts[0]"),
        (json!({"labels": {"a": null}}), "spec.labels.a"),
        (json!({"port": "3"}), "spec.port"),
        (json!({"ratio": "NaN"}), "spec.ratio"),
        (json!({"tls": 1}), "spec.tls"),
    ] {
        assert_eq!(found(&written).1, [(field.to_owned(), "wrong-type")], "{written}");
        assert_eq!(run(&written, DecodeOptions::ISTIO).1, [], "{written}");
        let warned = run(&written, DecodeOptions { unknown: Unknown::Warning, ..DecodeOptions::ISTIO }).1;
        assert_eq!(
            warned.iter().map(|finding| (&*finding.0, finding.1)).collect::<Vec<_>>(),
            [(field, "wrong-type")]
        );
    }
    // What Istio's own writer makes a text: numbers of 64 bits.
    assert_eq!(found(&json!({"size": "5000000000"})).1, []);
    let read = found(&json!({"attempts": "3", "tls": 1})).0.unwrap();
    assert_eq!((read.attempts, read.tls), (3, ClientTlsMode::Simple));
    assert_eq!(found(&json!({"attempts": 3, "ratio": 1, "tls": "SIMPLE", "nested": {}})).1, []);
}

#[test]
fn absent_and_empty_stay_apart() {
    assert_eq!(istio(&json!({"nested": {}})).nested, Some(Box::default()));
    assert_eq!(istio(&json!({})).nested, None);
    assert_eq!(istio(&json!({"list": [{}]})).list.len(), 1);
}

#[test]
fn numbers_are_read_from_strings_in_protobuf_form_only() {
    let spec = istio(&json!({"attempts": "-3", "port": "80", "ratio": "1.5"}));
    assert_eq!((spec.attempts, spec.port, spec.ratio), (-3, 80, 1.5));
    assert!(istio(&json!({"ratio": "NaN"})).ratio.is_nan());
    assert_eq!(istio(&json!({"port": 80.0})).port, 80);
    for text in ["", " 80", "+80", "0x50", "080", "80a", "1.5", "eighty"] {
        assert_eq!(refused(&json!({"port": text}), DecodeOptions::ISTIO)[0].1, "wrong-type", "{text}");
    }
    assert_eq!(
        refused(&json!({"port": "80"}), DecodeOptions::KUBERNETES)[0].2,
        "expected a number, found a string `80` / write it without quotes: `80`"
    );
}

#[test]
fn y16_wrong_types_are_told_in_words_of_the_document() {
    for (json, field, code, message) in [
        (
            json!({"hosts": "a"}),
            "spec.hosts",
            "wrong-type",
            "expected a list, found a string `a` / write a list, also for one element: `[\"a\"]`",
        ),
        (
            json!({"hosts": ["a", 1]}),
            "spec.hosts[1]",
            "wrong-type",
            "expected a string, found a number `1` / write it in quotes: `\"1\"`",
        ),
        (
            json!({"nested": [1]}),
            "spec.nested",
            "wrong-type",
            "expected a map, found a list / this is one map, not a list of them: write it without `- `",
        ),
        (
            json!({"nested": {"flag": "true"}}),
            "spec.nested.flag",
            "wrong-type",
            "expected a boolean, found a string `true` / write `true` or `false`, without quotes",
        ),
        (
            json!({"flag": 1}),
            "spec.flag",
            "wrong-type",
            "expected a boolean, found a number `1` / write `true` or `false`, without quotes",
        ),
        (
            json!({"retryOn": 5}),
            "spec.retryOn",
            "wrong-type",
            "expected a string, found a number `5` / write it in quotes: `\"5\"`",
        ),
        (
            json!({"port": 70000}),
            "spec.port",
            "bad-value",
            "expected a number from 0 to 65535, found `70000` / write a whole number from 0 to 65535",
        ),
        (
            json!({"port": -1}),
            "spec.port",
            "bad-value",
            "expected a number from 0 to 65535, found `-1` / write a whole number from 0 to 65535",
        ),
        (
            json!({"port": 1.5}),
            "spec.port",
            "wrong-type",
            "expected a whole number, found a number `1.5` / write it without a fraction",
        ),
        (
            json!({"port": "1e400"}),
            "spec.port",
            "bad-value",
            "`1e400` is beyond what any number field holds / write the number that is meant; a field without one has its default",
        ),
        (
            json!({"ratio": "-1e999"}),
            "spec.ratio",
            "bad-value",
            "`-1e999` is beyond what any number field holds / write the number that is meant; a field without one has its default",
        ),
        (
            json!({"port": 1e39}),
            "spec.port",
            "bad-value",
            "`1e39` is beyond what any number field holds / write the number that is meant; a field without one has its default",
        ),
        (
            json!({"port": 1e23}),
            "spec.port",
            "bad-value",
            "expected a number from 0 to 65535, found `1e23` / write a whole number from 0 to 65535",
        ),
        (
            json!({"mode": 0}),
            "spec.mode",
            "wrong-type",
            "expected a name, found a number `0` / write one of `SIMPLE`, `MUTUAL`",
        ),
        (
            json!({"mode": "MUTAL"}),
            "spec.mode",
            "bad-value",
            "expected one of `SIMPLE`, `MUTUAL`, found `MUTAL` / did you mean `MUTUAL`?",
        ),
        (
            json!({"labels": {"a.b": 1}}),
            "spec.labels[\"a.b\"]",
            "wrong-type",
            "expected a string, found a number `1` / write it in quotes: `\"1\"`",
        ),
        (
            json!({"weights": {"x": "a"}}),
            "spec.weights.x",
            "wrong-type",
            "expected a number as key, found `x` / the keys of this map are numbers",
        ),
        (
            json!({"target": true}),
            "spec.target",
            "wrong-type",
            "expected a port number or name, found a boolean `true` / write a port number or name",
        ),
        (json!({"named": {}}), "spec.named", "missing-field", "the field `name` is required / add `name`"),
    ] {
        let expected = (field.to_owned(), code, message.to_owned());
        assert_eq!(refused(&json, DecodeOptions::ISTIO), [expected], "{json}");
    }
}

#[test]
fn durations_are_repaired_where_it_is_clear_what_is_meant() {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Timed {
        timeout: Option<crate::value::Duration>,
    }
    let help = |value: Json| {
        let tree = Tree::from_json(&json!({"timeout": value}), Span::default());
        let mut report = Report::new();
        let place = |_: &str, _: Span| Place::default();
        let read: Option<Timed> = decode(tree.root(), "", DecodeOptions::ISTIO, &place, &mut report);
        assert!(read.and_then(|read| read.timeout).is_none());
        report.iter().next().unwrap().help.clone().unwrap()
    };
    for (value, expected) in [
        (json!(5), "a duration needs its unit: `5s` for seconds, `5ms` for milliseconds"),
        (json!("5"), "a duration needs its unit: `5s` for seconds, `5ms` for milliseconds"),
        (json!("2 s"), "write `2s`"),
        (json!("5S"), "write `5s`"),
        (json!("3 seconds"), "write `3s`"),
        (json!("1d"), "write `24h`"),
        (json!("soon"), "a number and a unit: `h`, `m`, `s`, `ms`, `us` or `ns`"),
        (json!(["5s"]), "write a number and its unit as one text, such as `5s`"),
    ] {
        assert_eq!(help(value.clone()), expected, "{value}");
    }
}

#[test]
fn y15_unknown_fields_come_with_a_suggestion_and_do_not_spoil_the_value() {
    let json = json!({"hsots": ["a"], "nested": {"atempts": 1}, "attempts": 2});
    let (value, found) = run(&json, DecodeOptions::ISTIO);
    assert_eq!(value.unwrap().attempts, 2);
    assert_eq!(
        found,
        [
            (
                "spec.hsots".to_owned(),
                "unknown-field",
                "unknown field `hsots` / did you mean `hosts`?".to_owned()
            ),
            (
                "spec.nested.atempts".to_owned(),
                "unknown-field",
                "unknown field `atempts` / did you mean `attempts`?".to_owned()
            ),
        ]
    );
    assert_eq!(run(&json, DecodeOptions::KUBERNETES).1, []);
}

#[test]
fn every_problem_is_reported() {
    let json = json!({"hosts": 1, "port": "x", "list": [{"port": -1}, {"flag": 1, "bogus": 2}, {"attempts": 3}], "named": {"name": 4, "size": 300}});
    let fields: Vec<String> =
        refused(&json, DecodeOptions::ISTIO).into_iter().map(|finding| finding.0).collect();
    for field in [
        "spec.hosts",
        "spec.port",
        "spec.list[0].port",
        "spec.list[1].flag",
        "spec.list[1].bogus",
        "spec.named.name",
        "spec.named.size",
    ] {
        assert!(fields.iter().any(|found| found == field), "{field} in {fields:?}");
    }
    assert_eq!(fields.len(), 7, "{fields:?}");
}

#[test]
fn free_form_values_keep_everything() {
    let free = json!({"a": null, "b": [1, -2, 1.5, "x", true], "c_d": {"e": {}}});
    let spec = istio(&json!({"free": free, "any": free, "weights": {"80": "a"}, "target": "http"}));
    assert_eq!(spec.any, Some(free.clone()));
    assert_eq!(spec.free.map(Json::Object), Some(free));
    assert_eq!(spec.weights, BTreeMap::from([(80, "a".to_owned())]));
    assert_eq!(spec.target, Some(IntOrString::Text("http".to_owned())));
    assert_eq!(istio(&json!({"target": 80})).target, Some(IntOrString::Int(80)));
}

#[test]
fn many_problems_end() {
    let list: Vec<Json> = (0..500).map(|_| json!({"port": "x"})).collect();
    assert_eq!(refused(&json!({ "list": list }), DecodeOptions::ISTIO).len(), 64);
}
