use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{FieldType, facts, fields, for_kind, subject, subjects};

fn schema(name: &str) -> Value {
    for_kind(name).unwrap_or_else(|| panic!("no schema of {name}"))
}

#[test]
fn every_kind_has_a_schema_under_its_full_name() {
    for subject in subjects() {
        let group = if subject.group.is_empty() { "core" } else { subject.group };
        let name =
            if subject.is_object { format!("{group}/{}", subject.kind) } else { subject.kind.to_owned() };
        assert_eq!(super::subject(&name), Some(subject));
        let schema = schema(&name);
        assert_eq!(schema["title"], subject.kind);
        assert!(schema["description"].as_str().is_some_and(|text| text.len() > 10), "{name}");
    }
    assert_eq!(for_kind("VirtualServce"), None);
    assert_eq!(for_kind("core/Gateway"), None);
}

#[test]
fn a_name_alone_means_istios_kind() {
    assert_eq!(subject("Gateway").map(|found| found.group), Some("networking.istio.io"));
    assert_eq!(subject("ProxyConfig").map(|found| found.is_object), Some(true));
    assert_eq!(subject("mesh.ProxyConfig").map(|found| found.is_object), Some(false));
}

#[test]
fn a_document_says_what_it_is() {
    let schema = schema("Telemetry");
    let properties = &schema["properties"];
    assert_eq!(
        properties["apiVersion"]["enum"],
        json!(["telemetry.istio.io/v1alpha1", "telemetry.istio.io/v1"])
    );
    assert_eq!(properties["kind"]["const"], "Telemetry");
    assert_eq!(schema["required"], json!(["apiVersion", "kind", "metadata"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(self::schema("WorkloadGroup")["required"], json!(["apiVersion", "kind", "metadata", "spec"]));
}

#[test]
fn what_types_cannot_say_is_laid_over() {
    let schema = schema("Telemetry");
    let spec = &schema["properties"]["spec"]["properties"];
    let tracing = &spec["tracing"]["items"]["properties"];
    let share = &tracing["randomSamplingPercentage"];
    assert_eq!(
        (&share["type"], &share["minimum"], &share["maximum"]),
        (&json!(["number", "null"]), &json!(0), &json!(100))
    );
    let tag = &tracing["customTags"]["additionalProperties"];
    assert_eq!(tag["allOf"][0]["oneOf"].as_array().map(Vec::len), Some(5));
    assert_eq!(tag["properties"]["literal"]["required"], json!(["value"]));
    assert_eq!(tag["additionalProperties"], false);
    let mode = &tracing["match"]["properties"]["mode"];
    assert_eq!(mode["enum"], json!(["CLIENT_AND_SERVER", "CLIENT", "SERVER"]));
    let pattern = &spec["targetRefs"]["items"]["properties"]["kind"]["pattern"];
    assert_eq!(pattern, "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$");
    let ports = self::schema("PeerAuthentication");
    let ports = &ports["properties"]["spec"]["properties"]["portLevelMtls"];
    assert!(ports["patternProperties"].as_object().is_some_and(|values| values.len() == 1), "{ports}");
}

#[test]
fn second_spellings_are_known() {
    let schema = schema("RequestAuthentication");
    let rule = &schema["properties"]["spec"]["properties"]["jwtRules"]["items"]["properties"];
    assert_eq!(rule["jwks_uri"]["type"], rule["jwksUri"]["type"]);
}

#[test]
fn kubernetes_kinds_are_open() {
    let schema = schema("Service");
    assert_eq!(schema["additionalProperties"], true);
    assert_eq!(schema["properties"]["spec"].get("additionalProperties"), None);
    assert_eq!(schema["properties"]["apiVersion"]["enum"], json!(["v1"]));
}

#[test]
fn schemas_of_the_gateway_api_say_what_its_crds_ask() {
    let spec = schema("HTTPRoute")["properties"]["spec"].take();
    assert_eq!(spec["additionalProperties"], false);
    assert_eq!(spec["properties"]["parentRefs"]["items"]["required"], json!(["name"]));
    assert_eq!(spec["properties"]["hostnames"]["maxItems"], 16);
    let rule = &spec["properties"]["rules"]["items"]["properties"];
    assert_eq!(rule["retry"]["properties"]["attempts"]["minimum"], 1);
    assert_eq!(rule["matches"]["items"]["properties"]["path"]["properties"]["type"]["default"], "PathPrefix");
    let redirect = &rule["filters"]["items"]["properties"]["requestRedirect"]["properties"];
    assert_eq!(redirect["statusCode"]["enum"], json!([301, 302, 303, 307, 308]));
    // A field that is not read is known all the same.
    assert_eq!(rule["sessionPersistence"]["properties"]["type"]["enum"], json!(["Cookie", "Header"]));
    let gateway = schema("gateway.networking.k8s.io/Gateway")["properties"]["spec"].take();
    assert_eq!(gateway["required"], json!(["gatewayClassName", "listeners"]));
    assert_eq!(
        gateway["properties"]["listeners"]["items"]["properties"]["name"]["pattern"],
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
    );
}

#[test]
fn nothing_in_a_schema_is_only_for_us() {
    for subject in subjects() {
        let text = schema(
            &format!("{}/{}", if subject.group.is_empty() { "core" } else { subject.group }, subject.kind)
                .replace("core/M", "M")
                .replace("core/m", "m"),
        )
        .to_string();
        for word in ["go-duration", "(T-", "(S-", "$ref", "$defs"] {
            assert!(!text.contains(word), "{}: {word}", subject.kind);
        }
    }
}

/// The table as the lists of Istio's API have it, where they lie beside the workspace. `UPDATE=1` writes it anew.
#[test]
fn the_table_is_that_of_the_api() {
    let Some(list) = crate::conformance_test::shared("ledger/fields.tsv") else { return };
    let mut lines = list.lines();
    let titles: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let listed: Vec<String> = lines
        .map(|line| {
            let cells: BTreeMap<&str, &str> = titles.iter().copied().zip(line.split('\t')).collect();
            let flags = [
                ("required", !cells["required"].is_empty()),
                ("nullable", !cells["nullable"].is_empty()),
                ("deprecated", !cells["deprecated"].is_empty()),
                ("hidden", !cells["hidden"].is_empty()),
                ("new", cells["in_api_mirror"].is_empty()),
            ];
            let flags: Vec<&str> =
                flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| *flag).collect();
            let flags = flags.join(",");
            let [kind, path, holds, words] = ["kind", "path", "type", "enum"].map(|title| cells[title]);
            let [oneof, constraints, alias] = ["oneof", "constraints", "alias_of"].map(|title| cells[title]);
            [kind, path, holds, words, &flags, oneof, constraints, alias].join("\t")
        })
        .collect();
    let written = super::facts::TABLE;
    let (ours, unlisted): (Vec<&str>, Vec<&str>) =
        written.lines().skip(1).partition(|line| !line.contains("unlisted"));
    if std::env::var_os("UPDATE").is_some() {
        let title = written.lines().next().unwrap().to_owned();
        let rows: Vec<String> =
            std::iter::once(title).chain(listed).chain(unlisted.into_iter().map(str::to_owned)).collect();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema/facts.tsv");
        std::fs::write(file, rows.join("\n") + "\n").unwrap();
        return;
    }
    let missing: Vec<_> = listed.iter().filter(|row| !ours.contains(&row.as_str())).collect();
    let more: Vec<_> = ours.iter().filter(|row| !listed.iter().any(|listed| listed == *row)).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing: {missing:#?}\nmore: {more:#?}");
}

/// The API's type of each field against that of our type, in both directions.
#[test]
fn types_and_table_agree() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let names: Vec<&str> = subjects()
        .iter()
        .filter(|subject| !subject.is_object || subject.group.ends_with(".istio.io"))
        .map(|subject| subject.kind)
        .chain(["status"])
        .collect();
    for name in names {
        let kind = if name == "status" { "(every kind)" } else { name };
        let mut ours: BTreeMap<String, super::Field> =
            fields(name).unwrap().into_iter().map(|field| (field.path.clone(), field)).collect();
        if name == "status" {
            ours.remove("status");
        }
        if name == "MeshConfig" {
            // The settings of proxies have rows of their own.
            let below = |path: &str| path.strip_prefix("defaultConfig.").map(str::to_owned);
            let (inner, outer): (BTreeMap<_, _>, _) =
                ours.into_iter().partition(|(path, _)| below(path).is_some());
            let inner: Vec<_> = inner.keys().filter_map(|path| below(path)).collect();
            let alone: BTreeMap<_, _> =
                fields("mesh.ProxyConfig").unwrap().into_iter().map(|field| (field.path, ())).collect();
            assert_eq!(inner, alone.into_keys().collect::<Vec<_>>());
            ours = outer;
        }
        for fact in facts().filter(|fact| fact.kind == kind) {
            seen += 1;
            let spelling =
                fact.path.rsplit_once('.').map(|(parent, _)| format!("{parent}.{}", fact.alias_of));
            let path = if fact.alias_of.is_empty() { fact.path.to_owned() } else { spelling.unwrap() };
            let field = if fact.alias_of.is_empty() { ours.remove(&path) } else { ours.get(&path).cloned() };
            let Some(field) = field else {
                wrong.push(format!("{kind} {path}: no such field"));
                continue;
            };
            let (is_wrapper, holds) =
                fact.holds.strip_prefix("wrapper:").map_or((false, fact.holds), |scalar| (true, scalar));
            if field.holds.as_str() != holds {
                wrong.push(format!("{kind} {path}: `{}`, the API has `{holds}`", field.holds.as_str()));
            }
            if let FieldType::Enum(words) = &field.holds
                && words.join(",") != fact.words
            {
                wrong.push(format!("{kind} {path}: {words:?}, the API has {}", fact.words));
            }
            // Settings of the mesh tell unset fields from zeros everywhere, for they are laid over each other.
            let is_mesh = !kind.starts_with('(') && !fact.path.starts_with("spec");
            let is_plain = matches!(field.holds, FieldType::Scalar(word) if !["duration", "timestamp"].contains(&word))
                || matches!(field.holds, FieldType::Enum(_));
            let must = is_wrapper || (is_plain && !fact.oneof.is_empty());
            if must && !field.is_optional {
                wrong.push(format!("{kind} {path}: unset cannot be told from zero"));
            }
            if !must && is_plain && !is_mesh && field.is_optional {
                wrong.push(format!("{kind} {path}: an option, but the API has no unset"));
            }
        }
        wrong.extend(ours.into_keys().map(|path| format!("{kind} {path}: the API has no such field")));
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(seen, facts().count(), "rows of kinds that are not read");
}
