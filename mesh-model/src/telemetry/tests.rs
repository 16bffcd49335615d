use serde_json::{Value, json};

use super::spec::{TagSource, Telemetry};
use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("telemetry.istio.io/v1", "Telemetry", spec)
}

#[test]
fn both_versions_are_served() {
    for version in ["telemetry.istio.io/v1", "telemetry.istio.io/v1alpha1"] {
        assert_eq!(problems(version, "Telemetry", &json!({})), NONE);
    }
}

#[test]
fn it_is_attached_to_one_thing() {
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"});
    assert_eq!(check(&json!({"targetRef": target})), NONE);
    assert_eq!(
        check(&json!({"selector": {"matchLabels": {"app": "a"}}, "targetRefs": [target]})),
        ["conflict spec.targetRefs"]
    );
    assert_eq!(check(&json!({"selector": {"matchLabels": {}}})), ["suspicious spec.selector"]);
}

#[test]
fn one_tracing_with_one_provider_counts() {
    let two = json!([{"name": "a"}, {"name": "b"}]);
    assert_eq!(check(&json!({"tracing": [{"providers": two}]})), ["suspicious spec.tracing[0].providers[1]"]);
    assert_eq!(check(&json!({"tracing": [{}, {}]})), ["suspicious spec.tracing[1]"]);
    assert_eq!(
        check(&json!({"accessLogging": [{"providers": two}, {}], "metrics": [{"providers": two}]})),
        NONE
    );
}

#[test]
fn providers_have_names() {
    for field in ["metrics", "tracing", "accessLogging"] {
        let spec = json!({field: [{"providers": [{"name": ""}]}]});
        assert_eq!(check(&spec), [format!("missing-field spec.{field}[0].providers[0].name")]);
    }
}

#[test]
fn a_share_of_requests_is_a_percentage() {
    let sampled = |share: Value| check(&json!({"tracing": [{"randomSamplingPercentage": share}]}));
    for good in [json!(0), json!(100), json!(54.54), json!("1e1")] {
        assert_eq!(sampled(good), NONE);
    }
    for bad in [json!(-0.1), json!(100.1), json!("NaN")] {
        assert_eq!(sampled(bad), ["invalid-value spec.tracing[0].randomSamplingPercentage"]);
    }
}

#[test]
fn a_tag_has_one_source_that_says_something() {
    let tagged = |tag: Value| check(&json!({"tracing": [{"customTags": {"t": tag}}]}));
    for good in [
        json!({}),
        json!({"literal": {"value": "v"}}),
        json!({"environment": {"name": "n"}}),
        json!({"header": {"name": "n", "defaultValue": ""}}),
        json!({"formatter": {"value": "%PROTOCOL%"}}),
    ] {
        assert_eq!(tagged(good), NONE);
    }
    let at = |rest: &str| [format!("missing-field spec.tracing[0].customTags.t{rest}")];
    assert_eq!(tagged(Value::Null), at(""));
    assert_eq!(tagged(json!({"literal": {}})), at(".literal.value"));
    assert_eq!(tagged(json!({"environment": {"defaultValue": "x"}})), at(".environment.name"));
    assert_eq!(tagged(json!({"header": {}})), at(".header.name"));
    assert_eq!(tagged(json!({"formatter": {"value": ""}})), at(".formatter.value"));
    assert_eq!(
        tagged(json!({"literal": {"value": "v"}, "header": {"name": "n"}})),
        ["conflict spec.tracing[0].customTags.t.header"]
    );
    let nameless = json!({"tracing": [{"customTags": {"": {"literal": {"value": "v"}}}}]});
    assert_eq!(check(&nameless), ["missing-field spec.tracing[0].customTags[\"\"]"]);
}

#[test]
fn labels_are_set_with_a_value_and_dropped_without() {
    let tagged = |tag: Value| check(&json!({"metrics": [{"overrides": [{"tagOverrides": {"t": tag}}]}]}));
    let at = "spec.metrics[0].overrides[0].tagOverrides.t.value";
    assert_eq!(tagged(json!({"value": "request.host"})), NONE);
    assert_eq!(tagged(json!({"operation": "REMOVE"})), NONE);
    for missing in [json!({"operation": "UPSERT"}), json!({}), Value::Null] {
        assert_eq!(tagged(missing), [format!("missing-field {at}")]);
    }
    for written in ["x", ""] {
        assert_eq!(tagged(json!({"operation": "REMOVE", "value": written})), [format!("conflict {at}")]);
    }
    let nameless = json!({"metrics": [{"overrides": [{"tagOverrides": {"": {"value": "x"}}}]}]});
    assert_eq!(check(&nameless), ["suspicious spec.metrics[0].overrides[0].tagOverrides[\"\"]"]);
}

#[test]
fn a_metric_is_one_of_istios_or_a_named_one() {
    let selected = |selector: Value| check(&json!({"metrics": [{"overrides": [{"match": selector}]}]}));
    let at = "spec.metrics[0].overrides[0].match.customMetric";
    assert_eq!(selected(json!({"metric": "TCP_SENT_BYTES", "mode": 1})), NONE);
    assert_eq!(selected(json!({"customMetric": ""})), [format!("missing-field {at}")]);
    assert_eq!(selected(json!({"metric": 1, "customMetric": "x"})), [format!("conflict {at}")]);
    assert_eq!(
        check(&json!({"metrics": [{"overrides": [null]}]})),
        ["missing-field spec.metrics[0].overrides[0]"]
    );
}

#[test]
fn reports_are_a_millisecond_apart_at_least() {
    let reported = |interval: &str| check(&json!({"metrics": [{"reportingInterval": interval}]}));
    assert_eq!(reported("1ms"), NONE);
    assert_eq!(reported("1.5ms"), NONE);
    for short in ["0s", "999us", "-5s"] {
        assert_eq!(reported(short), ["invalid-value spec.metrics[0].reportingInterval"]);
    }
}

#[test]
fn a_filter_is_a_cel_expression() {
    let filtered = |text: &str| check(&json!({"accessLogging": [{"filter": {"expression": text}}]}));
    for good in ["response.code >= 400", "true", "response.code"] {
        assert_eq!(filtered(good), NONE);
    }
    for bad in [")++++", "", "a &&"] {
        assert_eq!(filtered(bad), ["invalid-value spec.accessLogging[0].filter.expression"]);
    }
}

#[test]
fn the_source_of_a_tag_is_found() {
    let spec: Telemetry = serde_json::from_value(
        json!({"tracing": [{"customTags": {"t": {"header": {"name": "n"}}, "u": {}}}]}),
    )
    .unwrap();
    let tags = &spec.tracing[0].custom_tags;
    assert!(matches!(tags["t"].source(), Some(TagSource::Header(header)) if header.name == "n"));
    assert_eq!(tags["u"].source(), None);
}
