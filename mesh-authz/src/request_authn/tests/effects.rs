//! What rules do to a request is told: by rule, and for one request.

use super::*;

/// The steps after the one that names the rule: what they say, and the field.
fn told(rules: &[Value], request: &RequestFacts<'_>) -> Vec<(String, String)> {
    let mut trace = Trace::default();
    let authn = compile(rules);
    let Authenticated::Passed { .. } = authn.authenticate(request, NOW, &mut trace) else {
        panic!("refused")
    };
    let steps = trace.steps.iter().filter(|step| step.because.is_none());
    let field = |step: &mesh_model::trace::Step<'_>| {
        step.origin.as_ref().map_or_else(String::new, |origin| origin.field().to_string())
    };
    steps.map(|step| (step.rule.to_string(), field(step))).collect()
}

fn at(field: &str) -> String {
    format!("spec.jwtRules[0].{field}")
}

/// What is not written is the rule's own doing.
fn of_rule() -> String {
    at("").trim_end_matches('.').to_owned()
}

#[test]
fn every_change_of_a_request_is_told_with_the_field_that_asks_for_it() {
    let outputs = json!([
        { "header": "X-Sub", "claim": "sub" },
        { "header": "x-none", "claim": "nothing" },
    ]);
    let writing = rule(json!({ "outputPayloadToHeader": "X-Payload", "outputClaimToHeaders": outputs }));
    let mut headers = bearer("rich");
    headers.push(("x-sub", "forged".to_owned()));
    let payload = token("rich").split('.').nth(1).unwrap().to_owned();
    let (shown, hidden) = payload.split_at(80);
    assert_eq!(
        told(&[writing], &request("GET", "/", &headers)),
        [
            ("header x-sub of the client removed: a token rule writes it (S-301)".to_owned(), String::new()),
            (
                format!(
                    "header x-payload set from the token's payload: `{shown}` and {} characters more",
                    hidden.len()
                ),
                at("outputPayloadToHeader")
            ),
            ("header x-sub set from claim sub: `alice`".to_owned(), at("outputClaimToHeaders[0]")),
            (
                "header x-none not set: the token has no claim nothing that a header can hold".to_owned(),
                at("outputClaimToHeaders[1]")
            ),
            ("header authorization removed: the token goes no further".to_owned(), of_rule()),
        ]
    );
    let forwarding = rule(json!({ "forwardOriginalToken": true }));
    assert_eq!(
        told(&[forwarding], &request("GET", "/", &bearer("alice"))),
        [("the token stays in the request: it is forwarded".to_owned(), at("forwardOriginalToken"))]
    );
    let path = format!("/x?access_token={}&y=1", token("alice"));
    assert_eq!(
        told(&[rule(json!({}))], &request("GET", &path, &[])),
        [("path set to `/x?y=1`: the token's parameter goes no further".to_owned(), of_rule())]
    );
    let cookies = [("cookie", format!("t={}", token("alice")))];
    assert_eq!(
        told(&[rule(json!({ "fromCookies": ["t"] }))], &request("GET", "/", &cookies)),
        [("the token stays in the request: cookies are not removed (S-272)".to_owned(), of_rule())]
    );
    assert!(told(&[rule(json!({ "outputPayloadToHeader": "x" }))], &request("GET", "/", &[])).is_empty());
}

#[test]
fn every_rule_tells_what_it_does() {
    let outputs = json!([{ "header": "X-Sub", "claim": "sub.deep" }]);
    let authn = compile(&[
        rule(json!({ "outputPayloadToHeader": "X-Payload", "outputClaimToHeaders": outputs })),
        rule(json!({ "forwardOriginalToken": true })),
    ]);
    let effects: Vec<_> = authn.effects().collect();
    let [writing, forwarding] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((writing.issuer, writing.forwards_token, forwarding.forwards_token), (ISSUER, false, true));
    let headers: Vec<_> = writing
        .headers
        .iter()
        .map(|(name, claim, origin)| (*name, *claim, origin.field().to_string()))
        .collect();
    assert_eq!(
        headers,
        [
            ("x-payload", None, at("outputPayloadToHeader")),
            ("x-sub", Some("sub.deep"), at("outputClaimToHeaders[0]")),
        ]
    );
    assert!(forwarding.headers.is_empty());
    assert_eq!(authn.removed_headers().collect::<Vec<_>>(), ["x-payload", "x-sub"]);
}
