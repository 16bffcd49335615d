//! Rows of Istio's own tables about values of policies, where the conformance folder is there (`MESH_SHARED`); the
//! others are run by `tests/strings.rs` of the workspace.

use std::path::Path;

use super::*;
use crate::policy_set::rbac::{RbacOptions, filters};
use crate::policy_set::trust_domain::{TrustDomains, glob};

#[test]
fn every_row_about_policies_holds() {
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("MESH_SHARED").map_or(near, Into::into);
    let file = shared.join("conformance/strings/tables.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no {}", file.display());
        return;
    };
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut run = 0;
    for row in &rows {
        if let Some((got, wanted)) = check(row["target"].as_str().unwrap(), &row["input"], &row["expect"]) {
            assert_eq!(got, wanted, "{}: {}", row["id"], row["input"]);
            run += 1;
        }
    }
    assert!(run >= 39, "{run} rows");
}

/// What a row gives, and what it should; `None`: it is about something else.
fn check(target: &str, input: &Value, expect: &Value) -> Option<(Value, Value)> {
    let text = |name: &str| input[name].as_str().unwrap();
    let fits = |field: &str, value: &str, identity: &Value| {
        let identity = identity.as_str().unwrap().to_owned().leak();
        get("/").from(identity).passes(&[allow(source(json!({ field: [value] })))])
    };
    let two = |field: &str| {
        let both = [fits(field, text("v"), &expect["match"]), fits(field, text("v"), &expect["noMatch"])];
        (json!(both), json!([true, false]))
    };
    // What of a mesh with one more trust domain a principal stands for.
    let stands_for = |own: &str, alias: &str, principal: &str| {
        TrustDomains::new(own, &[alias.to_owned()]).principals(principal)
    };
    Some(match target {
        "source.serviceAccounts value Input matches peer identity Identity (whole string)" => {
            (fits("serviceAccounts", text("Input"), &input["Identity"]).into(), expect["Match"].clone())
        }
        "source.namespaces value v matches identity `match`, not `noMatch`" => two("namespaces"),
        "value v with identity prefix matches `match`, not `noMatch`" => two("principals"),
        "requestPrincipals value -> Envoy RBAC principal (YAML text)" => {
            (request_principal(text("in")), yaml(expect["want"].as_str().unwrap()))
        }
        "extractNameInBrackets" => {
            let name = header(&format!("request.headers{}", text("s")));
            let wanted = (expect["err"] == false).then(|| expect["want"].clone());
            (json!(name), json!(wanted))
        }
        "extractNameInNestedBrackets" => {
            let path = claim(&format!("request.auth.claims{}", text("s")));
            let wanted = (expect["err"] == false).then(|| expect["want"].clone());
            (json!(path), json!(wanted))
        }
        "replaceTrustDomainInPrincipal(trustDomainIn, principal)" => {
            let principal = text("principal");
            let named = principal.split_once('/').unwrap().0;
            let found = stands_for(text("trustDomainIn"), named, principal);
            // A principal of another shape is left as it is.
            let wanted =
                Some(expect["out"].as_str().unwrap()).filter(|out| !out.is_empty()).unwrap_or(principal);
            (found[0].as_str().into(), wanted.into())
        }
        "getTrustDomainFromSpiffeIdentity; empty = error" => {
            let domain = expect["out"].as_str().unwrap();
            let found = stands_for("own", domain, text("principal"));
            let wanted = usize::from(!domain.is_empty()) + 1;
            (found.len().into(), wanted.into())
        }
        "isTrustDomainBeingEnforced" => {
            // Where its trust domain counts, a principal of that domain is one of the other domain too.
            let principal = text("principal");
            let named = principal.split('/').next().unwrap().trim_start_matches('*');
            (json!(stands_for("other", named, principal).len() > 1), expect["want"].clone())
        }
        "stringMatch(element, list)" => {
            let list = input["list"].as_array().unwrap();
            let found = list.iter().any(|known| glob(known.as_str().unwrap(), text("element")));
            (found.into(), expect["expected"].clone())
        }
        _ => return None,
    })
}

/// The filter of an ALLOW policy with one rule; of a rule that cannot be used nothing stays.
fn filter_of(rule: Value) -> Value {
    let policy = named("shop", "p", json!({ "action": "ALLOW", "rules": [rule] }));
    filters(&[&policy], Protocol::Http, &RbacOptions::default()).enforced.swap_remove(0)
}

/// The first value under a key, anywhere below.
fn find<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => {
            fields.get(key).or_else(|| fields.values().find_map(|field| find(field, key)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

fn header(key: &str) -> Option<String> {
    let filter = filter_of(when(key, &["v"], &[]));
    Some(find(&filter, "header")?["name"].as_str().unwrap_or_default().to_owned())
}

fn claim(key: &str) -> Option<Vec<String>> {
    let filter = filter_of(when(key, &["v"], &[]));
    let path = find(&filter, "path")?.as_array()?;
    Some(path.iter().skip(1).map(|step| step["key"].as_str().unwrap().to_owned()).collect())
}

/// The `andIds` of a request principal: the innermost, below those of the rule.
fn request_principal(value: &str) -> Value {
    let mut found = filter_of(source(json!({ "requestPrincipals": [value] })));
    while let Some(inner) = find(&found, "andIds").or_else(|| find(&found, "orIds")) {
        if find(inner, "metadata").is_none() {
            break;
        }
        let inner = inner.clone();
        if inner["ids"].as_array().is_some_and(|ids| ids.iter().all(|id| id.get("metadata").is_some())) {
            return json!({ "andIds": inner });
        }
        found = inner["ids"].clone();
    }
    Value::Null
}

/// YAML with the field names of JSON.
fn yaml(text: &str) -> Value {
    let loaded = mesh_model::yaml::load("row.yaml", text, &mesh_model::yaml::LoadOptions::default());
    camel(loaded.documents.first().unwrap().root().to_json())
}

fn camel(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (camel_case(&key), camel(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(camel).collect(),
        other => other,
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut made = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        made.push_str(&first.to_ascii_uppercase());
        made.push_str(rest);
    }
    made
}
