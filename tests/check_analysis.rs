//! `mesh check` as a whole: which analyses run, what is not wanted, what is suggested; and `mesh graph`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/program.rs"]
mod program;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use program::{binary, folder, json, run, status, text};
use serde_json::Value;

/// A route to nobody, a gateway that is not there, and a Service whose port name says no protocol.
const MESH: &str = "apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: web, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: old, namespace: legacy}
spec: {clusterIP: 10.0.0.2, ports: [{name: web, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec: {host: reviews, subsets: [{name: version-one, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  gateways: [frontt]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: reviewz}}]
  - route: [{destination: {host: reviews, subset: version-onee}}]
";

/// Codes of the findings, Istio's where there is one.
fn codes(mesh: &Path, arguments: &[&str], input: &str) -> Vec<String> {
    let answer = json(&run(mesh, &[&["check", "--format", "json"], arguments, &["-"]].concat(), input));
    let code = |found: &Value| found["istio_code"].as_str().or(found["code"].as_str()).unwrap().to_owned();
    let mut codes: Vec<_> = answer["findings"].as_array().unwrap().iter().map(code).collect();
    codes.sort();
    codes
}

#[test]
fn analysis_is_on_unless_it_is_switched_off() {
    let Some(mesh) = binary() else { return };
    let all = codes(&mesh, &[], MESH);
    assert_eq!(all.iter().filter(|code| *code == "IST0101").count(), 3, "{all:?}");
    assert!(all.contains(&"IST0118".to_owned()), "{all:?}");
    assert_eq!(codes(&mesh, &["--no-analysis"], MESH), [""; 0]);
    let both = run(&mesh, &["check", "--no-analysis", "--only", "service.PortNameAnalyzer", "-"], MESH);
    assert_eq!(status(&both), 2);
}

#[test]
fn only_runs_the_analyzers_that_are_named() {
    let Some(mesh) = binary() else { return };
    assert_eq!(codes(&mesh, &["--only", "service.PortNameAnalyzer"], MESH), ["IST0118", "IST0118"]);
    let two = ["--only", "service.PortNameAnalyzer", "--only", "virtualservice.GatewayAnalyzer"];
    assert_eq!(codes(&mesh, &two, MESH), ["IST0101", "IST0118", "IST0118", "IST0132"]);
    let wrong = run(&mesh, &["check", "--only", "service.PortNameAnalyser", "-"], MESH);
    assert_eq!(status(&wrong), 2);
    assert!(
        text(&wrong.stderr).contains("did you mean `service.PortNameAnalyzer`?"),
        "{}",
        text(&wrong.stderr)
    );
}

#[test]
fn suppressed_findings_are_left_out_by_either_code_and_by_object() {
    let Some(mesh) = binary() else { return };
    let count =
        |arguments: &[&str]| codes(&mesh, arguments, MESH).iter().filter(|code| *code == "IST0118").count();
    assert_eq!(count(&["--suppress", "IST0118"]), 0);
    assert_eq!(count(&["--suppress", "port-name-unconventional"]), 0, "our own name of it");
    assert_eq!(count(&["--suppress", "IST0118=Service *.legacy"]), 1);
    assert_eq!(
        count(&["--suppress", "IST0118=Service old.legacy", "--suppress", "IST0118=Service reviews.*"]),
        0
    );
    assert_eq!(count(&["--suppress", "IST0118=Pod *"]), 2);
    let none = run(&mesh, &["check", "--suppress", "", "-"], MESH);
    assert_eq!(status(&none), 2);
    let annotated =
        MESH.replace("{name: old,", "{annotations: {galley.istio.io/analyze-suppress: IST0118}, name: old,");
    assert_eq!(codes(&mesh, &["--only", "service.PortNameAnalyzer"], &annotated), ["IST0118"]);
}

#[test]
fn complete_input_is_compared_with_what_is_not_in_it() {
    let Some(mesh) = binary() else { return };
    let route = MESH.split("---\n").last().unwrap();
    let hosts = ["--only", "virtualservice.DestinationHostAnalyzer"];
    assert_eq!(codes(&mesh, &hosts, route), [""; 0], "without a single Service it could only guess");
    assert_eq!(codes(&mesh, &[&hosts[..], &["--complete"]].concat(), route), ["IST0101", "IST0101"]);
    let skipped = json(&run(&mesh, &[&["check", "--format", "json"], &hosts[..], &["-"]].concat(), route));
    assert_eq!(skipped["skipped"][0]["lacks"], "Service");
}

#[test]
fn what_was_not_analysed_is_one_line_unless_more_is_asked_for() {
    let Some(mesh) = binary() else { return };
    let lines = |arguments: &[&str]| {
        let output = text(&run(&mesh, &[&["check"], arguments, &["-"]].concat(), MESH).stdout);
        output.lines().filter(|line| line.contains("for there is no")).map(str::to_owned).collect::<Vec<_>>()
    };
    let short = lines(&[]);
    assert_eq!(short.len(), 1, "{short:?}");
    assert!(short[0].contains("2 analyses left out") && !short[0].contains("Analyzer"), "{short:?}");
    let long = lines(&["--verbose"]);
    assert!(!long.is_empty() && long.iter().all(|line| line.contains("Analyzer")), "{long:?}");
}

#[test]
fn names_that_are_nearly_right_are_suggested() {
    let Some(mesh) = binary() else { return };
    let help = |input: &str| {
        let answer = json(&run(&mesh, &["check", "--format", "json", "-"], input));
        let helps = answer["findings"].as_array().unwrap().iter().filter_map(|found| found["help"].as_str());
        helps.filter(|help| help.starts_with("did you mean")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (what, changed, wanted) in [
        ("a host", MESH.to_owned(), "`reviews`"),
        ("a subset", MESH.to_owned(), "`version-one`"),
        ("a gateway", MESH.to_owned(), "`front`"),
        ("a field", MESH.replace("gateways: [frontt]", "gatways: [front]"), "`gateways`"),
        ("a field below", MESH.replace("uri: {prefix", "url: {prefix"), "`uri`"),
        ("a protocol", MESH.replace("protocol: HTTP}", "protocol: HTPT}"), "`HTTP`"),
        ("a kind", MESH.replace("kind: Gateway", "kind: Gatway"), "`Gateway`"),
        (
            "a value of an enum",
            MESH.replace("hosts: ['*']}", "hosts: ['*'], tls: {mode: SIMPEL}}"),
            "`SIMPLE`",
        ),
    ] {
        let helps = help(&changed);
        assert!(helps.iter().any(|help| help.contains(wanted)), "{what}: {helps:?}");
    }
}

#[test]
fn json_lines_and_several_json_texts_are_read() {
    let Some(mesh) = binary() else { return };
    let line = |name: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}","labels":{{"istio-injection":"enabled"}}}}}}"#
        )
    };
    let documents =
        |answer: &Value| (answer["documents"].clone(), answer["findings"].as_array().unwrap().len());
    let lines = format!("{}\n{}\n{}\n", line("a"), line("b"), line("c"));
    let answer = json(&run(&mesh, &["check", "--format", "json", "-"], &lines));
    assert_eq!(documents(&answer), (3.into(), 0), "{answer}");
    let pretty = |name: &str| {
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&line(name)).unwrap()).unwrap()
    };
    let stream = format!("{}\n{}\n", pretty("a"), pretty("b"));
    assert_eq!(documents(&json(&run(&mesh, &["check", "--format", "json", "-"], &stream))), (2.into(), 0));
    let root = folder("json-lines");
    std::fs::write(root.join("a.jsonl"), &lines).unwrap();
    std::fs::write(root.join("b.ndjson"), line("d")).unwrap();
    let answer = json(&run(&mesh, &["check", "--format", "json", root.to_str().unwrap()], ""));
    assert_eq!((documents(&answer), &answer["files"]), ((4.into(), 0), &2.into()), "{answer}");
    // A broken line is a finding on its line, and costs itself alone.
    std::fs::write(root.join("a.jsonl"), format!("{}\n{{\"kind\":\n{}\n", line("a"), line("c"))).unwrap();
    let answer = json(&run(&mesh, &["check", "--format", "json", root.to_str().unwrap()], ""));
    assert_eq!(documents(&answer), (3.into(), 1), "{answer}");
    assert_eq!(
        (&answer["findings"][0]["code"], &answer["findings"][0]["severity"]),
        (&"syntax".into(), &"error".into())
    );
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let Some(mesh) = binary() else { return };
    let root = folder("closed-pipe");
    let bad = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x, namespace: a}\nspec: {hosts: 5}\n---\n";
    std::fs::write(root.join("many.yaml"), bad.repeat(3_000)).unwrap();
    for arguments in [&["check"][..], &["check", "--format", "sarif"], &["check", "--format", "github"]] {
        let mut child = Command::new(&mesh)
            .args(arguments)
            .arg(&root)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!first.is_empty());
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert!(output.status.code().is_some_and(|code| code <= 2), "{arguments:?}: {:?}", output.status);
    }
}

fn graph(mesh: &Path, arguments: &[&str]) -> String {
    let output = run(mesh, &[&["graph", "--config", "examples/shop"], arguments].concat(), "");
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_graph_is_drawn_in_every_format_and_holds_the_same_names() {
    let Some(mesh) = binary() else { return };
    let dot = graph(&mesh, &["--format", "dot"]);
    assert!(dot.starts_with("digraph") && dot.trim_end().ends_with('}'), "{dot}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    let mermaid = graph(&mesh, &["--format", "mermaid"]);
    assert!(mermaid.starts_with("flowchart") || mermaid.starts_with("graph"), "{mermaid}");
    let picture: Value = serde_json::from_str(&graph(&mesh, &["--format", "json"])).unwrap();
    let nodes = picture["nodes"].as_array().unwrap();
    let edges = picture["edges"].as_array().unwrap();
    assert!(nodes.len() > 3 && !edges.is_empty());
    let ids: Vec<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    for edge in edges {
        for end in ["from", "to"] {
            assert!(ids.contains(&edge[end].as_str().unwrap()), "{edge}");
        }
    }
    let html = graph(&mesh, &[]);
    for node in nodes {
        let name = node["name"].as_str().or(node["label"].as_str()).unwrap();
        for (format, text) in [("dot", &dot), ("mermaid", &mermaid), ("html", &html)] {
            assert!(text.contains(name), "{format} has no `{name}`");
        }
    }
    let shop: Value =
        serde_json::from_str(&graph(&mesh, &["--format", "json", "--namespace", "nobody"])).unwrap();
    assert_eq!(shop["nodes"].as_array().unwrap().len(), 0);
    assert_eq!(status(&run(&mesh, &["graph", "--config", "examples/shop", "--format", "png"], "")), 2);
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_no_name_breaks_out_of_it() {
    let Some(mesh) = binary() else { return };
    let html = graph(&mesh, &["--format", "html"]);
    assert!(html.to_ascii_lowercase().starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    for outside in ["src=", "<link", "@import", "fetch(", "XMLHttpRequest", "url(http"] {
        assert!(!html.contains(outside), "{outside}");
    }
    // Addresses may be named (the SVG namespace), nothing may be loaded from them.
    assert!(!html.contains("href=\"http") && !html.contains("href='http"));
    let hostile = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: a}\n\
                   spec: {hosts: ['</script><img onerror=alert(1)>'], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}\n";
    let output = run(&mesh, &["graph", "--config", "-"], hostile);
    assert!(!text(&output.stdout).contains("<img"), "text of objects is markup");
}

/// `code field` of every finding, as `check` tells them.
fn findings(mesh: &Path, input: &str) -> Vec<String> {
    let answer = json(&run(mesh, &["check", "--format", "json", "-"], input));
    let line =
        |found: &Value| format!("{} {}", found["code"].as_str().unwrap(), found["field"].as_str().unwrap());
    answer["findings"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn a_word_that_yaml_takes_for_a_boolean_is_one_finding() {
    let Some(mesh) = binary() else { return };
    let rule = "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: b}
spec: {host: a.example.com, subsets: [{name: v, labels: {canary: on}}]}
";
    assert_eq!(findings(&mesh, rule), ["wrong-type spec.subsets[0].labels.canary"]);
    let answer = json(&run(&mesh, &["check", "--format", "json", "-"], rule));
    let found = &answer["findings"][0];
    assert!(
        found["message"].as_str().unwrap().contains("`on` is a boolean by the rules of YAML 1.1"),
        "{found}"
    );
    assert_eq!(found["help"], "write `true`, or `\"on\"` if text is meant");
    // Where the type takes it, the remark stays.
    let metadata = rule.replace("canary: on", "canary: \"on\"").replace(
        "name: v,",
        "name: v, trafficPolicy: {connectionPool: {tcp: {tcpKeepalive: {probes: 0o7}}}},",
    );
    assert!(
        findings(&mesh, &metadata).iter().all(|line| !line.starts_with("wrong-type")),
        "{:?}",
        findings(&mesh, &metadata)
    );
}

#[test]
fn a_value_with_an_error_is_not_analysed_too() {
    let Some(mesh) = binary() else { return };
    let nameless = MESH.replace("destination: {host: reviewz}", "destination: {name: reviews}");
    let found = findings(&mesh, &nameless);
    let of_it: Vec<_> = found.iter().filter(|line| line.contains("http[0].route[0]")).collect();
    assert_eq!(
        of_it,
        [
            "missing-field spec.http[0].route[0].destination.host",
            "unknown-field spec.http[0].route[0].destination.name"
        ]
    );
    // Other values of the object are.
    assert!(found.iter().any(|line| line.starts_with("subset-unknown spec.http[1]")), "{found:?}");
}

#[test]
fn who_names_an_object_with_errors_is_sent_to_them() {
    let Some(mesh) = binary() else { return };
    let bad =
        MESH.replace("gateways: [frontt]", "gateways: [front]").replace("hosts: ['*']}]", "hosts: '*'}]");
    let found = findings(&mesh, &bad);
    assert!(found.contains(&"wrong-type spec.servers[0].hosts".to_owned()), "{found:?}");
    assert!(found.contains(&"reference-refused spec.gateways[0]".to_owned()), "{found:?}");
    assert!(found.iter().all(|line| !line.starts_with("gateway-unknown")), "{found:?}");
}

#[test]
fn k12_selectors_are_counted() {
    let Some(mesh) = binary() else { return };
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: w, namespace: a, labels: {app: web}}\n---\n\
                apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s, namespace: a}\n\
                spec: {workloadSelector: {labels: {app: web}}, outboundTrafficPolicy: {mode: ALLOW_ANY}}\n---\n\
                apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: t, namespace: a}\n\
                spec: {workloadSelector: {labels: {app: nobody}}, outboundTrafficPolicy: {mode: ALLOW_ANY}}\n";
    let counts = json(&run(&mesh, &["check", "--format", "json", "-"], yaml))["selectors"].clone();
    let wanted = serde_json::json!({"Sidecar": {"written": 2, "empty": 0, "of_nobody": 1, "most": 1}});
    assert_eq!(counts, wanted);
    let words = text(&run(&mesh, &["check", "--verbose", "-"], yaml).stdout);
    let line = "Sidecar: 2 selectors, 0 empty, 1 of no workload, at most 1 workload by one";
    assert!(words.contains(line), "{words}");
}
