//! `when`: keys and their values (S-131 to S-145).

use super::{Checker, Path, Problem, short, text};
use crate::check::Checked;
use crate::diagnostic::nearest;
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
        return Err(
            Problem::invalid(format!("key `{}` needs a name in brackets", short(key))).help(in_brackets(key))
        );
    }
    let problem = Problem::invalid(format!("`{}` is not an attribute", short(key)));
    Err(match key {
        "destination.namespace" => problem.help("a policy applies to the workloads of its own namespace"),
        _ if key.starts_with("destination.labels") => problem.help("select workloads in `spec.selector`"),
        _ => match (nearest(key, KEYS), map_meant(key)) {
            (Some(near), _) => problem.help(format!("did you mean `{near}`?")),
            (None, Some(meant)) => problem.help(format!("did you mean `{}`?", short(&meant))),
            (None, None) => problem.help(format!(
                "the attributes are `request.headers[NAME]`, `request.auth.claims[NAME]`, `{}`",
                KEYS.join("`, `")
            )),
        },
    })
}

/// What stands after the start of a key belongs into brackets: `request.auth.claims.sub`.
fn in_brackets(key: &str) -> String {
    let start = MAPS.iter().find_map(|start| Some((*start, key.strip_prefix(start)?)));
    let (start, rest) = start.unwrap_or_default();
    let name = rest.trim_start_matches(['.', '[', '/', ':']).trim_end_matches(']');
    match (start, name) {
        ("request.headers", "") => "for example `request.headers[x-user]`".to_owned(),
        ("request.auth.claims", "") => "for example `request.auth.claims[iss]`".to_owned(),
        ("request.headers" | "request.auth.claims", name) if !name.contains(['[', ']']) => {
            format!("write `{start}[{}]`", short(name))
        }
        _ => "for example `experimental.envoy.filters.network.mysql_proxy[db.table]`".to_owned(),
    }
}

/// `request.headers[x-a]` for `request.header[x-a]`.
fn map_meant(key: &str) -> Option<String> {
    let (start, name) = key.split_once('[')?;
    let meant = nearest(start, MAPS.into_iter().take(2))?;
    Some(format!("{meant}[{name}"))
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

    #[test]
    fn keys_that_are_nearly_right_come_with_the_right_one() {
        for (key, help) in [
            ("request.header[x-a]", "did you mean `request.headers[x-a]`?"),
            ("request.auth.claim[iss]", "did you mean `request.auth.claims[iss]`?"),
            ("request.auth.claims", "for example `request.auth.claims[iss]`"),
            ("request.auth.claims.sub", "write `request.auth.claims[sub]`"),
            ("request.headers.x-a", "write `request.headers[x-a]`"),
            ("request.headers", "for example `request.headers[x-user]`"),
            ("source.namespaces", "did you mean `source.namespace`?"),
        ] {
            let problem = super::known_key(key).err();
            assert_eq!(problem.and_then(|problem| problem.help).as_deref(), Some(help), "{key}");
        }
    }
}
