//! `when`: keys and their values (S-131 to S-145).

use super::{Checker, Path, Problem, short, text};
use crate::check::Checked;
use crate::security::authorization_policy::spec::{Action, Condition};

/// Keys without brackets.
const KEYS: [&str; 12] = [
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.serviceAccount",
    "source.principal",
    "source.trustDomain",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "destination.ip",
    "destination.port",
    "connection.sni",
];

/// Starts of keys with brackets.
const MAPS: [&str; 3] = ["request.headers", "request.auth.claims", "experimental.envoy.filters."];

/// Checks one entry of `when`.
pub(super) fn condition(found: &mut Checker<'_>, at: &Path<'_>, condition: &Condition, action: Action) {
    let Condition { key, values, not_values } = condition;
    if key.is_empty() {
        found.find(
            at,
            Problem::missing("`key` is required")
                .help("name an attribute, for example `request.headers[x-user]`"),
        );
        return;
    }
    found.check(&at.field("key"), known_key(key));
    let is_identity = ["source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal"]
        .contains(&key.as_str())
        || key.starts_with("request.auth.");
    found.require(action != Action::Custom || !is_identity, &at.field("key"), || {
        Problem::conflict(format!("action `CUSTOM` does not support `{}`", short(key))).help("who the client is is not known when the external authorizer is asked: test it in a policy of its own")
    });
    found.require(!values.is_empty() || !not_values.is_empty(), at, || {
        Problem::missing("`values` or `notValues` is required").help("add the values that are meant")
    });
    for (name, list) in [("values", values), ("notValues", not_values)] {
        found.each(&at.field(name), list, value_check(key));
        if key == "source.serviceAccount" {
            found.at_most(&at.field(name), list.len(), 16);
        }
    }
}

/// How the values of a key are written.
pub(super) fn value_check(key: &str) -> fn(&str) -> Checked {
    match key {
        "source.ip" | "remote.ip" | "destination.ip" => text::address,
        "source.serviceAccount" => text::service_account,
        "source.trustDomain" => text::one_wildcard,
        "destination.port" => text::port,
        _ => text::not_empty,
    }
}

/// A key that the table of attributes has.
pub(super) fn known_key(key: &str) -> Checked {
    if KEYS.contains(&key) {
        return Ok(());
    }
    if MAPS.iter().any(|start| key.starts_with(start)) {
        let inner = key.strip_suffix(']').and_then(|rest| rest.split_once('['));
        if inner.is_some_and(|(start, inner)| !start.is_empty() && !inner.is_empty()) {
            return Ok(());
        }
        return Err(Problem::invalid(format!("key `{}` needs a name in brackets", short(key)))
            .help("for example `request.headers[x-user]`"));
    }
    let problem = Problem::invalid(format!("`{}` is not an attribute", short(key)));
    Err(match key {
        "destination.namespace" => problem.help("a policy applies to the workloads of its own namespace"),
        _ if key.starts_with("destination.labels") => problem.help("select workloads in `spec.selector`"),
        _ => match crate::diagnostic::nearest(key, KEYS) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{known_key, text, value_check};
    use crate::conformance_test::shared;

    #[test]
    fn values_are_judged_as_by_istio() {
        let Some(table) = shared("conformance/validation/tables.json") else { return };
        let rows: Vec<Value> = serde_json::from_str(&table).unwrap();
        let mut checked = 0;
        for row in &rows {
            let input = &row["input"];
            let values: Vec<&str> =
                input["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let all =
                |check: fn(&str) -> crate::check::Checked| values.iter().all(|value| check(value).is_ok());
            let target = row["target"].as_str().unwrap_or_default();
            let holds = match target.split(' ').next().unwrap_or_default() {
                "CheckWildcardValues" => all(text::one_wildcard),
                "CheckTrustDomainValues" => all(text::trust_domain),
                "CheckValidPathTemplate" => all(text::path),
                "IsValidLiteral" => text::is_literal(input["glob"].as_str().unwrap_or_default()),
                "ValidateAttribute" => {
                    let key = input["key"].as_str().unwrap_or_default();
                    known_key(key).is_ok() && all(value_check(key))
                }
                _ => continue,
            };
            checked += 1;
            assert_eq!(holds, row["expect"] == "valid", "{row}");
        }
        assert!(checked > 40, "only {checked} rows");
    }
}
