//! Headers of claims, written down once more with one step left out at a time.

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// What the client sent under the name goes.
    Removed,
    /// Values that would end the line are not written.
    Lines,
    /// A dot leads into an object.
    Paths,
    /// Lists and objects are encoded.
    Encoded,
}

use Step::{Encoded, Lines, Paths, Removed};

/// The lines of `x-name` that the workload sees, of a payload's claim `a.name`.
fn written(payload: &Value, client: &str, lost: Option<Step>) -> Vec<String> {
    let does = |step| lost != Some(step);
    let claim = if does(Paths) { &payload["a"]["name"] } else { &payload["a.name"] };
    let mut lines = if does(Removed) { Vec::new() } else { vec![client.to_owned()] };
    let text = match claim {
        Value::Null => return lines,
        Value::String(text) => text.clone(),
        other if does(Encoded) => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(other.to_string())
        }
        other => other.to_string(),
    };
    if !does(Lines) || !text.contains(['\r', '\n', '\0']) {
        lines.push(text);
    }
    lines
}

fn ours(payload: &Value, client: &str) -> Vec<String> {
    let authn =
        rules(json!({ "outputClaimToHeaders": [{ "header": "x-name", "claim": "a.name" }] }), Profile::Istio);
    let headers = [
        ("authorization", format!("Bearer {}", signed(HEADER, &payload.to_string()))),
        ("x-name", client.to_owned()),
    ];
    let mut request = request("GET", "/", &headers);
    let Authenticated::Passed { changes, .. } = ask(&authn, &request) else { panic!("{payload}") };
    changes.iter().for_each(|change| change.apply(&mut request));
    let lines = request.headers.values("x-name");
    lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// The row of the list of attacks, the step, and a claim where it matters.
fn claims() -> [(&'static str, Step, Value); 6] {
    [
        ("J11", Removed, json!({ "name": "alice" })),
        ("J11", Removed, json!({})),
        ("J11", Lines, json!({ "name": "a\r\nx-admin: 1" })),
        ("J11", Lines, json!({ "name": "a\u{0}b" })),
        ("J11", Paths, json!({ "name": "alice" })),
        ("J11", Encoded, json!({ "name": ["a", { "b": "\r\n" }] })),
    ]
}

#[test]
fn every_step_of_an_output_header_has_a_claim_that_needs_it() {
    for (row, lost, claim) in claims() {
        let payload = json!({ "iss": ISSUER, "sub": "alice", "exp": 4_070_908_800_i64, "a": claim });
        let right = ours(&payload, "forged");
        assert_eq!(right, written(&payload, "forged", None), "row {row}: {payload}");
        assert_ne!(right, written(&payload, "forged", Some(lost)), "row {row}: nobody would see {lost:?}");
    }
}
