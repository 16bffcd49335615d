//! The leaves of permissions and principals. What has its default value is left out, as Envoy's JSON form does.

use std::net::IpAddr;

use mesh_model::value::{IpBlock, PathTemplate};
use serde_json::{Map, Value, json};

use crate::pattern::StringPattern;

/// A string form (S-119); `*` is an expression that needs a character.
pub(super) fn string(value: &str) -> Value {
    match StringPattern::parse(value) {
        StringPattern::NonEmpty => regex(".+"),
        StringPattern::Exact(text) => json!({ "exact": text }),
        StringPattern::Prefix(text) => json!({ "prefix": text }),
        StringPattern::Suffix(text) => json!({ "suffix": text }),
    }
}

/// A whole-text regular expression.
pub(super) fn regex(expression: impl Into<String>) -> Value {
    json!({ "safeRegex": { "regex": expression.into() } })
}

/// A string form of an identity, which begins with a scheme.
pub(super) fn principal(value: &str) -> Value {
    match StringPattern::parse(value) {
        StringPattern::NonEmpty => regex(".+"),
        StringPattern::Exact(text) => json!({ "exact": format!("spiffe://{text}") }),
        StringPattern::Prefix(text) => json!({ "prefix": format!("spiffe://{text}") }),
        StringPattern::Suffix(text) => regex(format!("spiffe://.*{}", quoted(&text))),
    }
}

/// The namespace of an identity (S-133).
pub(super) fn namespace(value: &str) -> Value {
    let parts: Vec<String> = value.split('*').map(quoted).collect();
    regex(format!(".*/ns/{}/.*", parts.join(".*")))
}

/// The service account of an identity (S-134).
pub(super) fn service_account(value: &str, policy_namespace: &str) -> Value {
    let (namespace, account) = value.split_once('/').unwrap_or((policy_namespace, value));
    regex(format!("spiffe://.+/ns/{}/(.+/|)sa/{}(/.+)?", quoted(namespace), quoted(account)))
}

/// The trust domain of an identity (S-135).
pub(super) fn trust_domain(value: &str) -> Value {
    match value.split_once('*') {
        _ if value == "*" => json!({ "prefix": "spiffe://" }),
        None => json!({ "prefix": format!("spiffe://{value}/") }),
        Some((before, after)) => regex(format!("spiffe://{}[^/]*{}/.*", quoted(before), quoted(after))),
    }
}

/// Letters of ASCII in either case, or as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Ignored,
}

/// A header; a lone star asks for presence (S-132).
pub(super) fn header(name: &str, value: &str, case: Case) -> Value {
    if value == "*" {
        return json!({ "header": { "name": name, "presentMatch": true } });
    }
    let mut matcher = string(value);
    if let (Case::Ignored, Some(fields)) = (case, matcher.as_object_mut()) {
        fields.insert("ignoreCase".to_owned(), true.into());
    }
    json!({ "header": { "name": name, "stringMatch": matcher } })
}

/// A path or a path template (S-184).
pub(super) fn path(value: &str) -> Value {
    if !PathTemplate::is_template(value) {
        return json!({ "urlPath": { "path": string(value) } });
    }
    const TYPE: &str =
        "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
    let template = value.replace("{*}", "*").replace("{**}", "**");
    json!({ "uriTemplate": {
        "name": "uri-template", "typedConfig": { "@type": TYPE, "pathTemplate": template },
    } })
}

/// An address or a block; host bits stay as written.
pub(super) fn cidr(value: &str) -> Option<Value> {
    let block: IpBlock = value.parse().ok()?;
    let (address, bits) = match value.split_once('/') {
        Some((address, bits)) => (address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?),
        None => {
            let address = value.parse::<IpAddr>().ok()?;
            (address, if address.is_ipv4() { 32 } else { 128 })
        }
    };
    debug_assert!(block.contains(address));
    Some(json!({ "addressPrefix": address.to_string(), "prefixLen": bits }))
}

/// A value under a path of keys in a filter's metadata.
pub(super) fn metadata<'k>(filter: &str, path: impl IntoIterator<Item = &'k str>, value: &Value) -> Value {
    let path: Vec<Value> = path.into_iter().map(|key| json!({ "key": key })).collect();
    json!({ "metadata": { "filter": filter, "path": path, "value": value } })
}

/// Any of several values.
pub(super) fn any_value(mut values: Vec<Value>) -> Value {
    match (values.pop(), values.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            values.extend(last);
            json!({ "orMatch": { "valueMatchers": values } })
        }
    }
}

/// A claim: a text that fits, or a list with one (S-139 to S-141).
pub(super) fn claim(path: &[String], values: &[String]) -> Value {
    let texts = values.iter().map(|value| json!({ "stringMatch": string(value) })).collect();
    let value = any_value(texts);
    let list = json!({ "listMatch": { "oneOf": value } });
    let either = json!({ "orMatch": { "valueMatchers": [list, value] } });
    let path = std::iter::once("payload").chain(path.iter().map(String::as_str));
    metadata(JWT_AUTHN, path, &either)
}

/// One text of the token, by its claim.
pub(super) fn token_text(claim: &str, text: &StringPattern) -> Value {
    let matcher = match text {
        StringPattern::NonEmpty => regex(".+"),
        StringPattern::Exact(text) => json!({ "exact": text }),
        StringPattern::Prefix(text) => json!({ "prefix": text }),
        StringPattern::Suffix(text) => json!({ "suffix": text }),
    };
    metadata(JWT_AUTHN, ["payload", claim], &json!({ "stringMatch": matcher }))
}

const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// A value in another filter's metadata; `[x]` asks for a list with `x` (S-145).
pub(super) fn filter_value(value: &str) -> Value {
    if value.starts_with('[') && value.ends_with(']') {
        let text = string(value.trim_matches(['[', ']']));
        return json!({ "listMatch": { "oneOf": { "stringMatch": text } } });
    }
    json!({ "stringMatch": string(value) })
}

/// Text that an expression takes literally, escaped as Go does it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

/// One field of a message.
pub(super) fn message(name: &str, value: Value) -> Value {
    Map::from_iter([(name.to_owned(), value)]).into()
}
