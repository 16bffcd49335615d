//! What `mesh check` reads: streams, lists, JSON, dumps of a cluster, kustomizations, charts, and folders full of other
//! things.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/program.rs"]
mod program;

use std::path::{Path, PathBuf};

use program::{binary, folder, json, run, status, text};
use serde_json::Value;

fn namespace(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{istio-injection: enabled}}}}\n"
    )
}

/// The number of documents, and each finding as severity, code and file name.
fn check(mesh: &Path, arguments: &[&str], input: &str) -> (u64, Vec<(String, String, String)>) {
    let answer = json(&run(mesh, &[&["check", "--format", "json"], arguments].concat(), input));
    let word = |found: &Value, name: &str| found[name].as_str().unwrap().to_owned();
    let findings = answer["findings"].as_array().unwrap().iter().map(|found| {
        let file = PathBuf::from(word(found, "file"));
        let file = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        (word(found, "severity"), word(found, "code"), file)
    });
    (answer["documents"].as_u64().unwrap(), findings.collect())
}

fn one(severity: &str, code: &str, file: &str) -> Vec<(String, String, String)> {
    vec![(severity.to_owned(), code.to_owned(), file.to_owned())]
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

#[test]
fn streams_lists_and_json_come_from_standard_input() {
    let Some(mesh) = binary() else { return };
    let documents = |input: &str| check(&mesh, &["-"], input);
    assert_eq!(documents(&format!("{}---\n{}---\n# nothing\n", namespace("a"), namespace("b"))), (2, vec![]));
    let item = |name: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Namespace", "metadata": {{"name": "{name}", "labels": {{"istio-injection": "enabled"}}}}}}"#
        )
    };
    let list = format!(
        r#"{{"apiVersion": "v1", "kind": "List", "metadata": {{"resourceVersion": ""}}, "items": [{}, {}]}}"#,
        item("a"),
        item("b")
    );
    assert_eq!(documents(&list), (2, vec![]));
    let typed = format!(
        r#"{{"apiVersion": "v1", "kind": "NamespaceList", "items": [{}]}}"#,
        item("a").replace(r#""apiVersion": "v1", "kind": "Namespace", "#, "")
    );
    assert_eq!(documents(&typed), (1, vec![]));
}

#[test]
fn what_a_cluster_adds_to_a_resource_is_no_finding() {
    let Some(mesh) = binary() else { return };
    let dump = r#"apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1
  kind: DestinationRule
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"networking.istio.io/v1","kind":"DestinationRule"}
    creationTimestamp: "2026-02-03T04:05:06Z"
    finalizers: [example.com/keep]
    generation: 3
    managedFields:
    - apiVersion: networking.istio.io/v1
      fieldsType: FieldsV1
      fieldsV1:
        f:metadata: {f:annotations: {.: {}, f:kubectl.kubernetes.io/last-applied-configuration: {}}}
        f:spec: {.: {}, f:host: {}}
      manager: kubectl-client-side-apply
      operation: Update
      time: "2026-02-03T04:05:06Z"
    name: external
    namespace: shop
    ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: x, uid: a1, controller: true, blockOwnerDeletion: true}]
    resourceVersion: "123456"
    selfLink: /apis/networking.istio.io/v1/namespaces/shop/destinationrules/external
    uid: 6f1b7f6e-0000-4000-8000-000000000000
  spec:
    host: "*.example.com"
  status:
    conditions: [{type: Reconciled, status: "True", lastTransitionTime: "2026-02-03T04:05:06Z"}]
    observedGeneration: "3"
    validationMessages: []
- apiVersion: v1
  kind: Namespace
  metadata:
    creationTimestamp: "2026-02-03T04:05:06Z"
    labels: {istio-injection: enabled, kubernetes.io/metadata.name: shop}
    managedFields: [{apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:metadata": {}}, manager: kubectl, operation: Update}]
    name: shop
    resourceVersion: "7"
    uid: 6f1b7f6e-0000-4000-8000-000000000001
  spec: {finalizers: [kubernetes]}
  status: {phase: Active}
kind: List
metadata:
  resourceVersion: ""
"#;
    let dump = dump.replacen("kind: List\n", "", 1);
    for strict in [&["-"][..], &["--strict", "-"]] {
        assert_eq!(check(&mesh, strict, &dump), (2, vec![]));
    }
}

#[test]
fn of_a_kustomization_what_it_names_is_read() {
    let Some(mesh) = binary() else { return };
    let root = folder("kustomize");
    write(
        &root,
        &[
            ("base/kustomization.yaml", "resources:\n- one.yaml\n- more/\n"),
            ("base/one.yaml", &namespace("one")),
            ("base/more/kustomization.yml", "kind: Kustomization\nresources: [two.yaml]\n"),
            ("base/more/two.yaml", &namespace("two")),
            (
                "overlay/kustomization.yaml",
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../base\n- three.yaml\nlabels: []\n",
            ),
            ("overlay/three.yaml", &namespace("three")),
        ],
    );
    let within = |path: &str| root.join(path).display().to_string();
    assert_eq!(check(&mesh, &[&within("overlay")], ""), (3, vec![]));
    assert_eq!(check(&mesh, &[&within("overlay/kustomization.yaml")], ""), (3, vec![]));
    assert_eq!(check(&mesh, &[&within("base")], ""), (2, vec![]));
    // Each file counts once, however many roads lead to it.
    assert_eq!(check(&mesh, &[&within("")], ""), (3, vec![]));
    assert_eq!(
        check(&mesh, &[&within("overlay"), &within("base/one.yaml"), &within("**/*.yaml")], ""),
        (3, vec![])
    );
}

#[test]
fn what_a_kustomization_asks_for_beyond_that_is_said() {
    let Some(mesh) = binary() else { return };
    let root = folder("kustomize-patches");
    write(
        &root,
        &[
            (
                "kustomization.yaml",
                "namespace: prod\nresources: [one.yaml, https://example.com/x.yaml, ../loop]\npatches: [{path: patch.yaml}]\nconfigMapGenerator: [{name: c, files: [settings=values.yaml]}]\n",
            ),
            ("one.yaml", &namespace("one")),
            ("patch.yaml", "kind: Namespace\nmetadata: {name: one}\n"),
            ("values.yaml", "a: 1\n"),
            ("extra.yaml", &namespace("extra")),
        ],
    );
    let output = run(&mesh, &["check", "--format", "json", &root.display().to_string()], "");
    let answer = json(&output);
    assert_eq!((status(&output), &answer["documents"]), (1, &Value::from(1)));
    let said: Vec<String> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            format!(
                "{} {} {}",
                found["severity"].as_str().unwrap(),
                found["code"].as_str().unwrap(),
                found["message"].as_str().unwrap()
            )
        })
        .collect();
    let all = said.join("\n");
    for wanted in [
        "info not-applied not applied: `namespace`, `patches`, `configMapGenerator`; resources are checked as they are written",
        "info not-applied `https://example.com/x.yaml` is somewhere else: it is not fetched",
        "error unreadable there is no file `../loop`",
        "info not-applied not read, since the kustomization does not name them: ",
    ] {
        assert!(all.contains(wanted), "no `{wanted}` in:\n{all}");
    }
    assert!(
        all.contains("extra.yaml") && !all.contains("patch.yaml") && !all.contains("values.yaml"),
        "{all}"
    );
    assert_eq!(said.len(), 4, "{all}");
}

#[test]
fn kustomizations_that_name_each_other_end() {
    let Some(mesh) = binary() else { return };
    let root = folder("kustomize-loop");
    write(
        &root,
        &[
            ("a/kustomization.yaml", "resources: [../b, x.yaml]\n"),
            ("a/x.yaml", &namespace("x")),
            ("b/kustomization.yaml", "resources: [../a, '']\n"),
        ],
    );
    assert_eq!(check(&mesh, &[&root.display().to_string()], "").0, 1);
}

#[test]
fn charts_are_recognised_and_their_templates_left_out() {
    let Some(mesh) = binary() else { return };
    let root = folder("chart");
    let template = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ .Values.name }}\n";
    write(
        &root,
        &[
            ("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 0.1.0\n"),
            ("chart/values.yaml", "name: x\n"),
            ("chart/templates/a.yaml", template),
            ("chart/templates/b.yaml", template),
            ("plain.yaml", &namespace("plain")),
        ],
    );
    let (documents, findings) = check(&mesh, &[&root.display().to_string()], "");
    assert_eq!((documents, findings), (1, one("warning", "template", "Chart.yaml")));
    // A template that is named is an error of its own: one, whatever else is wrong with it.
    let named = root.join("chart/templates/a.yaml").display().to_string();
    assert_eq!(check(&mesh, &[&named], ""), (0, one("error", "template", "a.yaml")));
    let help = text(&run(&mesh, &["check", &named], "").stdout);
    assert!(
        help.contains("`{{ .Values.name }}`") && help.contains("helm template CHART | mesh check -"),
        "{help}"
    );
    let several = format!(
        "{{{{- if .Values.on }}}}\n{template}---\n{template}{{{{- end }}}}\n---\n{}",
        namespace("fine")
    );
    assert_eq!(check(&mesh, &["-"], &several), (1, one("error", "template", "-")));
    // Braces in texts and comments are no template.
    let quoted = "# {{ not this }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {format: \"{{ .x }}\"}\n";
    assert_eq!(check(&mesh, &["-"], quoted), (1, vec![]));
}

#[test]
fn files_of_other_tools_are_passed_over_in_folders() {
    let Some(mesh) = binary() else { return };
    let root = folder("other-tools");
    write(
        &root,
        &[
            ("mesh.yaml", &namespace("shop")),
            ("package.json", "{\"name\": \"x\", \"version\": \"1.0.0\"}"),
            ("tsconfig.json", "{\n  // a comment\n  \"strict\": true,\n}\n"),
            ("docker-compose.yml", "services:\n  web: {image: x}\n"),
            (".github/workflows/ci.yml", "on: push\njobs: {}\n"),
            (".hidden.yaml", "a: [\n"),
            ("node_modules/x/y.yaml", "a: [\n"),
            ("logo.png", "\u{1}\u{2}\u{3}"),
        ],
    );
    let path = root.display().to_string();
    assert_eq!(check(&mesh, &["--strict", &path], ""), (1, one("info", "not-a-resource", "other-tools")));
    let output = run(&mesh, &["check", "--strict", &path], "");
    let shown = text(&output.stdout);
    assert_eq!(status(&output), 0, "{shown}");
    assert!(
        shown.contains("3 files without `apiVersion` are left out") && shown.contains("1 remark in 1 file"),
        "{shown}"
    );
    // A file that is named is judged.
    let named = root.join("docker-compose.yml").display().to_string();
    assert_eq!(status(&run(&mesh, &["check", &named], "")), 1);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_broken_ones_are_findings() {
    use std::os::unix::fs::symlink;
    let Some(mesh) = binary() else { return };
    let root = folder("links");
    // As a ConfigMap is mounted: the files are links into a hidden folder.
    write(&root, &[("..2026/mesh.yaml", &namespace("shop"))]);
    symlink("..2026", root.join("..data")).unwrap();
    symlink("..data/mesh.yaml", root.join("mesh.yaml")).unwrap();
    let path = root.display().to_string();
    assert_eq!(check(&mesh, &[&path], ""), (1, vec![]));
    symlink("nowhere.yaml", root.join("broken.yaml")).unwrap();
    symlink(".", root.join("loop")).unwrap();
    assert_eq!(check(&mesh, &[&path], ""), (1, one("error", "unreadable", "broken.yaml")));
}

#[cfg(unix)]
#[test]
fn y05_input_without_an_end_is_refused_in_bounded_memory() {
    let Some(mesh) = binary() else { return };
    let mesh = mesh.display();
    for command in [
        format!("yes | {mesh} check -"),
        format!("{mesh} check /dev/zero"),
        format!("{mesh} check --mesh-config /dev/zero"),
        format!("yes | {mesh} show routes --config - --proxy sidecar:a/b"),
    ] {
        // Address space, so that growth without bound ends in a crash, not in a busy machine.
        let script = format!("ulimit -v 2000000; {command}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = text(&output.stderr);
        assert!(said.contains("more than 256 MiB, the most that is read"), "{command}: {said}");
        assert_eq!(status(&output), 2, "{command}");
    }
    let help = run(Path::new(&mesh.to_string()), &["check", "--help"], "");
    assert!(text(&help.stdout).contains("at most 256 MiB are read"));
}

#[cfg(unix)]
#[test]
fn pipes_are_read_once_and_their_findings_have_excerpts() {
    let Some(mesh) = binary() else { return };
    let root = folder("pipes");
    let pipe = root.join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let document = namespace("a").replace("v1", "v2");
    let (to, written) = (pipe.clone(), document.clone());
    let writer = std::thread::spawn(move || std::fs::write(to, written));
    let limited = Path::new("timeout");
    let arguments = ["60", mesh.to_str().unwrap(), "check", pipe.to_str().unwrap()];
    let output = run(limited, &arguments, "");
    writer.join().unwrap().unwrap();
    let said = text(&output.stdout);
    assert!(status(&output) == 1 && said.contains("1 | apiVersion: v2"), "{said}");
    // In a directory they are nobody's configuration, and nobody waits for them.
    let output = run(limited, &["60", mesh.to_str().unwrap(), "check", root.to_str().unwrap()], "");
    assert_eq!(status(&output), 0, "{}", text(&output.stdout));
}

/// Each finding as severity, code, field and line.
fn places(mesh: &Path, input: &str) -> Vec<(String, String, String, u64)> {
    let answer = json(&run(mesh, &["check", "--format", "json", "-"], input));
    let word = |found: &Value, name: &str| found[name].as_str().unwrap_or_default().to_owned();
    let findings = answer["findings"].as_array().unwrap().iter();
    findings
        .map(|found| {
            let line = found["line"].as_u64().unwrap();
            (word(found, "severity"), word(found, "code"), word(found, "field"), line)
        })
        .collect()
}

/// A ConfigMap as Istio is installed with, from which its control plane reads the mesh configuration.
fn config_map(name: &str, mesh: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: istio-system\ndata:\n  mesh: |-\n{mesh}---\n"
    )
}

#[test]
fn the_mesh_configuration_is_checked_where_istio_reads_it() {
    let Some(mesh) = binary() else { return };
    let text = "    # ours\n    accessLogFile: /dev/stdout\n    defaultConfig:\n      concurrency: many\n    enableTracin: true\n";
    for name in ["istio", "istio-canary"] {
        let found = places(&mesh, &config_map(name, text));
        let found: Vec<_> = found.iter().map(|(_, code, field, line)| (&**code, &**field, *line)).collect();
        assert_eq!(
            found,
            [
                ("wrong-type", "data.mesh.defaultConfig.concurrency", 11),
                ("unknown-field", "data.mesh.enableTracin", 12)
            ]
        );
    }
    // Others may call a file of theirs so.
    assert_eq!(places(&mesh, &config_map("settings", text)), []);
    assert_eq!(places(&mesh, &config_map("istio", "    trustDomain: a\n")), []);
}

#[test]
fn the_mesh_configuration_of_the_config_map_counts() {
    let Some(mesh) = binary() else { return };
    let telemetry = "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: a, namespace: istio-system}\nspec: {accessLogging: [{}]}\n";
    let providers = "    defaultProviders: {accessLogging: [envoy]}\n";
    let is_unknown =
        |input: &str| places(&mesh, input).iter().any(|(_, code, ..)| code == "telemetry-provider-missing");
    assert!(is_unknown(telemetry));
    assert!(!is_unknown(&(config_map("istio", providers) + telemetry)));
    // Which revision is meant is not known.
    assert!(is_unknown(&(config_map("istio-a", providers) + &config_map("istio-b", providers) + telemetry)));
}

#[test]
fn what_a_broken_file_would_say_is_not_called_missing() {
    let Some(mesh) = binary() else { return };
    let root = folder("unread");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: shop}\nspec: {ports: [{name: http, port: 80}]}\n";
    let route = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: shop}\nspec:\n  hosts: [a.test]\n  gateways: [front]\n  http:\n  - route:\n    - {destination: {host: a}, weight: 50}\n    - {destination: {host: out.test}, weight: 50}\n";
    let gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: front\n  namespace: shop\nspec:\n  selector: {istio: ingressgateway\n  servers: []\n";
    let broken = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  namespace: shop\nspec:\n\tports: []\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: out, namespace: shop}\nspec:\n  hosts: [out.test\n  ports: []\n";
    write(
        &root,
        &[
            ("service.yaml", service),
            ("route.yaml", route),
            ("gateway.yaml", gateway),
            ("broken.yaml", broken),
        ],
    );
    let (_, mut found) = check(&mesh, &[root.to_str().unwrap()], "");
    found.retain(|(_, _, file)| file == "route.yaml");
    let remark = ("info".to_owned(), "reference-refused".to_owned(), "route.yaml".to_owned());
    assert_eq!(found, [remark.clone(), remark.clone(), remark]);
}
