//! The command line as a black box: exit status, the shape of its JSON, and what it reads.
//!
//! Runs the built example; skipped, with a line that says so, where `cargo build --example mesh` has not been run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod common;
#[path = "common/program.rs"]
mod program;

use std::process::Command;

use serde_json::Value;

use program::{binary, folder, json, run, status, text};

const WEB: &str = "sidecar:shop/web-0";
const BAD: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x, namespace: shop}\nspec:\n  hosts: 5\n";
const ODD: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x, namespace: shop}\nspec:\n  hosts: [reviews]\n  htpp: []\n  http: [{route: [{destination: {host: reviews}}]}]\n";

#[test]
fn the_exit_status_says_what_was_found() {
    let Some(mesh) = binary() else { return };
    for (arguments, input, expected) in [
        (&["check", "examples/shop"][..], "", 0),
        (&["check", "-"], BAD, 1),
        (&["check", "-"], ODD, 1),
        (&["check", "--lenient", "-"], ODD, 0),
        (&["check", "--lenient", "--strict", "-"], ODD, 1),
        (&["check"], "", 2),
        (&["check", "no-such-file.yaml"], "", 2),
        (&["check", "no-such-*.yaml"], "", 2),
        (&["check", "[a"], "", 2),
        (&["check", "--format", "xml", "-"], "", 2),
        (&["nonsense"], "", 2),
        (&[], "", 2),
        (&["--help"], "", 0),
        (&["--version"], "", 0),
        (&["show", "clusters", "--config", "examples/shop", "--proxy", WEB], "", 0),
        (&["show", "clusters", "--config", "examples/shop", "--proxy", "sidecar:shop/nobody"], "", 2),
        (&["show", "clusters", "--config", "examples/shop", "--proxy", "no-such-proxy.json"], "", 2),
        (&["explain", "--config", "examples/shop", "--proxy", WEB, "GET", "reviews"], "", 2),
        (&["explain", "--config", "examples/shop", "--proxy", WEB, "GET", "http://reviews:99999/"], "", 2),
        (&["decide", "--config", "examples/shop", "--proxy", WEB, "--probes", "no-such-file"], "", 2),
    ] {
        let output = run(&mesh, arguments, input);
        assert_eq!(status(&output), expected, "{arguments:?}: {}", text(&output.stderr));
        if expected == 2 && !arguments.is_empty() {
            assert!(output.stdout.is_empty(), "{arguments:?} answers although it cannot");
            assert!(!output.stderr.is_empty(), "{arguments:?} says nothing");
        }
    }
}

#[test]
fn findings_have_the_shape_of_the_format() {
    let Some(mesh) = binary() else { return };
    let findings = json(&run(&mesh, &["check", "--format", "json", "-"], &format!("{BAD}---\n{ODD}")));
    assert_eq!(findings["documents"], 2);
    let list = findings["findings"].as_array().unwrap();
    let keys = [
        "code",
        "istio_code",
        "stage",
        "severity",
        "resource",
        "file",
        "line",
        "column",
        "field",
        "message",
        "help",
    ];
    for finding in list {
        for key in keys {
            assert!(finding.get(key).is_some(), "{key} is missing in {finding}");
        }
    }
    let first = &list[0];
    assert_eq!((&first["code"], &first["severity"]), (&"wrong-type".into(), &"error".into()));
    assert_eq!((&first["line"], &first["column"], &first["file"]), (&5.into(), &10.into(), &"-".into()));
    assert_eq!((&first["field"], &first["stage"]), (&"spec.hosts".into(), &"read".into()));
    assert_eq!(
        first["resource"],
        serde_json::json!({"kind": "VirtualService", "namespace": "shop", "name": "x"})
    );
    assert!(list.iter().any(|finding| finding["help"] == "did you mean `http`?"), "{findings}");
}

#[test]
fn every_part_is_shown_as_json_and_for_people() {
    let Some(mesh) = binary() else { return };
    for part in ["listeners", "routes", "clusters", "endpoints", "policies"] {
        let base = ["show", part, "--config", "examples/shop", "--proxy", "sidecar:shop/reviews-v1-0"];
        let shown = json(&run(&mesh, &[&base[..], &["--format", "json"]].concat(), ""));
        let is_empty =
            shown.as_object().map_or_else(|| shown.as_array().unwrap().is_empty(), serde_json::Map::is_empty);
        assert!(!is_empty, "{part}: {shown}");
        let people = run(&mesh, &base, "");
        assert!(!people.stdout.is_empty() && !people.stdout.starts_with(b"{"), "{part}");
    }
    let base = ["show", "clusters", "--config", "examples/shop", "--proxy", WEB, "--format", "json"];
    let clusters = json(&run(&mesh, &base, ""));
    let cluster = &clusters["outbound|9080|v2|reviews.shop.svc.cluster.local"];
    for key in ["type", "lb", "limits", "endpoints", "localities", "tls", "http", "origins"] {
        assert!(cluster.get(key).is_some(), "{key} is missing in {cluster}");
    }
}

#[test]
fn shown_policies_name_rules_issuers_and_where_they_are_written() {
    let Some(mesh) = binary() else { return };
    let base = ["show", "policies", "--config", "examples/shop", "--proxy", "sidecar:shop/reviews-v1-0"];
    let shown = text(&run(&mesh, &base, "").stdout);
    for wanted in
        ["policy: shop/no-admin", "action: DENY", "issuer: https://login.shop.example", "40-security.yaml"]
    {
        assert!(shown.contains(wanted), "no `{wanted}` in:\n{shown}");
    }
}

/// What a rule does to the request that goes on: by rule where policies are shown, for the request where it is explained.
#[test]
fn what_token_rules_do_to_a_request_is_shown_and_explained() {
    let Some(mesh) = binary() else { return };
    let made = include_str!("../mesh-authz/src/jwt/testdata/tokens.json");
    let made: serde_json::Value = serde_json::from_str(made).unwrap();
    let folder = folder("token-effects");
    let (rules, token) = (folder.join("rules.yaml"), folder.join("alice.jwt"));
    std::fs::write(&token, made["hs256_without_kid"]["alice"].as_str().unwrap()).unwrap();
    let keys = serde_json::json!({ "keys": [made["keys"]["oct"]] }).to_string();
    std::fs::write(
        &rules,
        format!(
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: effects, namespace: shop}}\n\
             spec:\n  selector: {{matchLabels: {{app: reviews}}}}\n  jwtRules:\n  - issuer: https://login.example.com\n    \
             jwks: '{keys}'\n    outputPayloadToHeader: x-payload\n    outputClaimToHeaders: [{{header: x-user, claim: sub}}]\n"
        ),
    )
    .unwrap();
    let config = ["--config", "examples/shop", "--config", rules.to_str().unwrap()];
    let proxy = ["--proxy", "sidecar:shop/reviews-v1-0"];
    let ask = |first: &[&str], last: &[&str]| {
        text(&run(&mesh, &[first, &config[..], &proxy, last].concat(), "").stdout)
    };
    let shown = ask(&["show", "policies"], &[]);
    for wanted in [
        "removed_headers: x-payload, x-user",
        "token: removed",
        "header: x-payload",
        "from: payload",
        "header: x-user",
        "from: claim sub",
        "spec.jwtRules[0].outputClaimToHeaders[0]",
    ] {
        assert!(shown.contains(wanted), "no `{wanted}` in:\n{shown}");
    }
    let shown: serde_json::Value =
        serde_json::from_str(&ask(&["show", "policies"], &["--format", "json"])).unwrap();
    let chains = shown.as_array().unwrap().iter().flat_map(|it| it["chains"].as_array().unwrap());
    let mut rules = chains.filter_map(|chain| chain["request_authentication"].as_array()).flatten();
    let rule = rules.find(|rule| rule["issuer"] == "https://login.example.com").unwrap();
    assert_eq!((&rule["token"], &rule["sets"][1]["from"]), (&"removed".into(), &"claim sub".into()));

    let question = [
        "--inbound",
        "--from",
        "spiffe://cluster.local/ns/shop/sa/web",
        "--jwt",
        token.to_str().unwrap(),
        "--now",
        "2023-11-14T22:13:20Z",
        "-H",
        "x-user: forged",
        "GET",
        "http://reviews:9080/reviews/7",
    ];
    let wanted = [
        "header x-user of the client removed",
        "header x-user set from claim sub: `alice`",
        "header x-payload set from the token's payload",
        "header authorization removed",
    ];
    for format in ["human", "json"] {
        let explained = ask(&["explain"], &[&question[..], &["--format", format]].concat());
        for wanted in wanted {
            assert!(explained.contains(wanted), "no `{wanted}` in:\n{explained}");
        }
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_named_by_what_is_shown_and_explained() {
    let Some(mesh) = binary() else { return };
    let policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                  metadata: {name: broken, namespace: shop}\nspec:\n  selector: {matchLabels: {app: reviews}}\n  \
                  rules:\n  - to: {operation: {methods: [GET]}}\n";
    let file = folder("fails-closed").join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let file = file.to_str().unwrap();
    let config = ["--config", "examples/shop", "--config", file];
    let ask = |arguments: &[&str], proxy: &str| {
        let arguments = [arguments, &config[..], &["--proxy", proxy, "--format", "json"]].concat();
        text(&run(&mesh, &arguments, "").stdout)
    };
    let (web, reviews) = (WEB, "sidecar:shop/reviews-v1-0");
    let origin = "policy.yaml";
    let shown = ask(&["show", "policies"], reviews);
    assert!(
        shown.contains("shop/broken") && shown.contains(origin) && shown.contains("spec.rules[0].to"),
        "{shown}"
    );
    assert!(!ask(&["show", "policies"], web).contains("shop/broken"), "it selects other workloads");
    let told = text(&run(&mesh, &["check", file], "").stdout);
    assert!(told.contains("warning[fails-closed]") && told.contains("deny everything"), "{told}");
}

#[test]
fn the_hardened_profile_is_a_choice_of_every_command_and_its_differences_are_told() {
    let Some(mesh) = binary() else { return };
    let policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                  metadata: {name: nobody, namespace: shop}\nspec: {action: DENY}\n";
    let file = folder("profiles").join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let file = file.to_str().unwrap();
    let told =
        |arguments: &[&str]| text(&run(&mesh, arguments, "").stdout).contains("under the `hardened` profile");
    assert!(!told(&["check", file]) && told(&["check", "--profile", "hardened", file]));
    for profile in ["istio", "hardened"] {
        let show = ["show", "policies", "--config", "examples/shop", "--proxy", WEB, "--profile", profile];
        assert_eq!(status(&run(&mesh, &show, "")), 0, "{profile}");
    }
}

#[test]
fn an_explanation_has_the_decision_and_its_steps() {
    let Some(mesh) = binary() else { return };
    let question = [
        "explain",
        "--config",
        "examples/shop",
        "--proxy",
        WEB,
        "GET",
        "http://reviews:9080/reviews/7",
        "-H",
        "end-user: jason",
    ];
    let answer = json(&run(&mesh, &[&question[..], &["--format", "json"]].concat(), ""));
    assert_eq!(answer["decision"]["result"], "forward");
    assert_eq!(
        answer["decision"]["clusters"][0]["cluster"],
        "outbound|9080|v2|reviews.shop.svc.cluster.local"
    );
    let steps = answer["steps"].as_array().unwrap();
    for step in steps {
        for key in ["stage", "rule", "outcome", "because", "origin"] {
            assert!(step.get(key).is_some(), "{key} is missing in {step}");
        }
        let outcome = step["outcome"].as_str().unwrap();
        assert!(["won", "lost", "not asked"].contains(&outcome), "{step}");
        assert!(outcome != "lost" || step["because"].is_object(), "a loser without a reason: {step}");
    }
    let origin = &steps
        .iter()
        .find(|step| {
            step["stage"] == "route" && step["outcome"] == "won" && step["origin"]["kind"] == "VirtualService"
        })
        .unwrap()["origin"];
    assert!(origin["file"].as_str().unwrap().ends_with("31-reviews.yaml"), "{origin}");
    assert!(origin["line"].as_u64().unwrap() > 0 && origin["column"].as_u64().unwrap() > 0, "{origin}");
    let people = text(&run(&mesh, &question, "").stdout);
    assert!(people.contains("31-reviews.yaml:") && people.contains("decision"), "{people}");
}

#[test]
fn pipes_and_no_color_get_plain_text() {
    let Some(mesh) = binary() else { return };
    let question = ["explain", "--config", "examples/shop", "--proxy", WEB, "GET", "http://reviews:9080/"];
    let colours = |variables: &[(&str, &str)]| {
        let output = Command::new(&mesh)
            .args(question)
            .current_dir(common::root())
            .envs(variables.iter().copied())
            .output();
        output.unwrap().stdout.contains(&0x1b)
    };
    assert!(!colours(&[]), "a pipe gets colours");
    assert!(!colours(&[("NO_COLOR", "1")]));
    assert!(colours(&[("CLICOLOR_FORCE", "1")]), "colours cannot be forced");
}

#[test]
fn each_probe_gets_a_line_and_a_bad_one_an_error() {
    let Some(mesh) = binary() else { return };
    let base = ["decide", "--config", "examples/shop", "--proxy", WEB, "--probes", "-"];
    let good = r#"{"id":"a","direction":"outbound","conn":{"dst_port":1}}"#;
    let output = run(&mesh, &base, &format!("{good}\n\n{{\"id\":\"b\",\"dst\":1}}\n{{\n{good}\n"));
    assert_eq!(status(&output), 1);
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[0]["id"], &lines[3]["id"]), (&"a".into(), &"a".into()));
    assert!(lines[0]["result"].is_string());
    assert_eq!((&lines[1]["id"], &lines[1]["error"]["line"]), (&"b".into(), &3.into()));
    assert_eq!((&lines[2]["id"], &lines[2]["error"]["line"]), (&Value::Null, &4.into()));
    assert!(lines[2]["error"]["message"].is_string());
    let fine = run(
        &mesh,
        &["decide", "--config", "examples/shop", "--proxy", WEB, "--probes", "examples/shop/probes.jsonl"],
        "",
    );
    assert_eq!((status(&fine), text(&fine.stderr)), (0, String::new()));
}

#[test]
fn files_come_from_globs_folders_and_standard_input() {
    let Some(mesh) = binary() else { return };
    let root = folder("cli-files");
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    let namespace = |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
    for (path, name) in
        [("one.yaml", "one"), ("a/two.yml", "two"), ("a/b/three.json", "three"), ("a/notes.txt", "no")]
    {
        std::fs::write(root.join(path), namespace(name)).unwrap();
    }
    let documents = |arguments: &[&str], input: &str| {
        let output = run(&mesh, &[&["check", "--format", "json"], arguments].concat(), input);
        json(&output)["documents"].as_u64().unwrap()
    };
    let within = |pattern: &str| root.join(pattern).display().to_string();
    assert_eq!(documents(&[&within("")], ""), 3);
    assert_eq!(documents(&[&within("*.yaml")], ""), 1);
    assert_eq!(documents(&[&within("**/*.{yaml,yml}")], ""), 2);
    assert_eq!(documents(&[&within("one.yaml"), "-"], &namespace("input")), 2);
    // A file that is named is read, whatever it is called.
    assert_eq!(documents(&[&within("a/notes.txt")], ""), 1);
    assert_eq!(documents(&[&format!("west={}", within("one.yaml"))], ""), 1);
}

#[test]
fn any_number_of_threads_comes_to_the_same() {
    let Some(mesh) = binary() else { return };
    let root = folder("cli-threads");
    let service = |number: usize| {
        let port = if number.is_multiple_of(7) { "none".to_owned() } else { (8000 + number).to_string() };
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s-{}, namespace: shop}}\nspec:\n  ports:\n  - name: http\n    port: {port}\n",
            number % 290
        )
    };
    for part in 0..3 {
        let documents: Vec<_> = (part * 100..part * 100 + 100).map(service).collect();
        std::fs::write(root.join(format!("{part}.yaml")), documents.join("---\n").repeat(20)).unwrap();
    }
    let check = |threads: &[&str]| {
        let arguments = [&["check", "--format", "json"], threads, &[root.to_str().unwrap()]].concat();
        let output = run(&mesh, &arguments, "");
        (status(&output), text(&output.stdout))
    };
    let one = check(&["--threads", "1"]);
    assert_eq!(one.0, 1, "{}", one.1);
    for threads in [&["--threads", "2"][..], &["--threads", "16"], &[]] {
        assert!(check(threads) == one, "{threads:?}");
    }
    assert_eq!(check(&["--threads", "0"]).0, 2);
}

#[test]
fn a_folder_without_configuration_is_noted() {
    let Some(mesh) = binary() else { return };
    let root = folder("cli-empty");
    std::fs::write(root.join("notes.txt"), "nothing").unwrap();
    let output = run(&mesh, &["check", "--format", "json", &root.display().to_string()], "");
    let findings = json(&output);
    assert_eq!(findings["findings"][0]["code"], "no-documents");
    assert!(findings["findings"][0]["help"].as_str().unwrap().contains(".yaml"));
    assert_eq!(status(&output), 0);
}

#[test]
fn binary_files_broken_links_and_bad_documents_are_findings_among_the_others() {
    let Some(mesh) = binary() else { return };
    let root = folder("cli-broken");
    std::fs::write(root.join("0.yaml"), b"\x7fELF\x02\x01\x01\0\0\0\xff").unwrap();
    std::fs::write(root.join("1.yaml"), BAD).unwrap();
    std::fs::write(root.join("2.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: fine}\n").unwrap();
    let output = run(&mesh, &["check", "--format", "json", &root.display().to_string()], "");
    let findings = json(&output);
    let codes: Vec<&str> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert_eq!((status(&output), codes), (1, vec!["encoding", "wrong-type", "namespace-not-injected"]));
    assert_eq!(findings["documents"], 2);
}

#[test]
fn a_secret_is_not_printed_with_its_finding() {
    let Some(mesh) = binary() else { return };
    let text_of_secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: HUSH\n";
    let root = folder("cli-secret");
    std::fs::write(root.join("s.yaml"), text_of_secret).unwrap();
    let output = run(&mesh, &["check", &root.display().to_string()], "");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(shown.contains("Secret default/s") || shown.contains("Secret s"), "{shown}");
    assert!(!shown.contains("HUSH"), "{shown}");
}

#[test]
fn completions_are_written_for_every_shell() {
    let Some(mesh) = binary() else { return };
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&mesh, &["completions", shell], "");
        assert_eq!(status(&output), 0);
        assert!(text(&output.stdout).contains("explain"), "{shell}");
    }
    assert_eq!(status(&run(&mesh, &["completions", "cmd"], "")), 2);
}

#[test]
fn schemas_are_printed_and_listed() {
    let Some(binary) = binary() else { return };
    let list = run(&binary, &["schema"], "");
    assert_eq!(status(&list), 0);
    let list = text(&list.stdout);
    assert!(
        list.lines()
            .any(|line| line.starts_with("VirtualService ") && line.contains("networking.istio.io/v1beta1"))
    );
    for line in list.lines() {
        let kind = line.split_whitespace().next().unwrap();
        let output = run(&binary, &["schema", kind], "");
        let schema = json(&output);
        assert_eq!((status(&output), &schema["title"]), (0, &Value::from(kind)));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
    let wrong = run(&binary, &["schema", "VirtualServce"], "");
    assert_eq!(status(&wrong), 2);
    assert!(text(&wrong.stderr).contains("did you mean `VirtualService`?"));
}

#[test]
fn a_request_of_a_running_proxy_is_explained() {
    use std::io::{Read, Write};
    let Some(mesh) = binary() else { return };
    let body = serde_json::json!({
        "id": "00000000000000ab",
        "decision": {"action": "local_reply", "status": 404, "reason": "no_route"},
        "steps": [
            {"stage": "route", "rule": "route door http[0]", "outcome": "lost",
             "because": {"field": "path", "wanted": "/a", "got": "/b\u{1b}[31m"},
             "origin": {"kind": "VirtualService", "namespace": "edge", "name": "door", "field": "spec.http[0]",
                        "file": "a.yaml", "line": 3, "column": 5}},
        ],
    })
    .to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap();
            asked.push(String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap().to_owned());
            let status = if asked.len() < 3 { "200 OK" } else { "404 Not Found" };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
        asked
    });
    let human = run(&mesh, &["explain-request", &address, "00000000000000ab"], "");
    assert_eq!(status(&human), 0, "{}", text(&human.stderr));
    let shown = text(&human.stdout);
    for part in ["route door http[0]", "path", "wanted /a", "a.yaml:3:5", "no_route"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("\u{1b}[31m"), "what a client wrote colours nothing");
    let machine = json(&run(&mesh, &["explain-request", &address, "ab", "--format", "json"], ""));
    assert_eq!(machine["decision"]["status"], 404);
    let gone = run(&mesh, &["explain-request", &address, "a b/../c"], "");
    assert_eq!(status(&gone), 2);
    let asked = server.join().unwrap();
    assert_eq!(asked[0], "GET /explain/00000000000000ab HTTP/1.1");
    assert_eq!(asked[2], "GET /explain/a%20b%2F..%2Fc HTTP/1.1");
}
