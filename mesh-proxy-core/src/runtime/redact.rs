//! What the administration endpoint does not tell: values that the configuration gives to, or expects of, headers that
//! carry secrets.

use serde_json::Value;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";
/// Words in the names of headers whose values are secret.
const SECRET: [&str; 10] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "credential",
    "api-key",
    "apikey",
    "signature",
    "session",
];

fn is_secret(header: &str) -> bool {
    let header = header.to_ascii_lowercase().replace('_', "-");
    SECRET.iter().any(|word| header.contains(word))
}

/// Whether what is looked at is such a header: `header cookie`, `request.headers[cookie]`.
fn is_secret_field(field: &str) -> bool {
    field.contains("header") && is_secret(field)
}

/// Takes secret values out of a description: of header operations (`["set", name, value]`), of the conditions of a
/// route (`header NAME`), and of the steps of a decision that looked at such a header.
pub(super) fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => {
            if let [Value::String(op), Value::String(name), Value::String(secret)] = items.as_mut_slice()
                && matches!(&**op, "set" | "add")
                && is_secret(name)
            {
                REDACTED.clone_into(secret);
            }
            items.iter_mut().for_each(redact);
        }
        Value::Object(fields) => {
            // A step of a decision: what was looked at, what was wanted of it and what it was.
            let is_step = fields.get("field").and_then(Value::as_str).is_some_and(is_secret_field);
            for (key, field) in fields {
                let is_value = is_secret_field(key) || (is_step && matches!(&**key, "wanted" | "got"));
                if is_value && *field != "present" && *field != "absent" {
                    *field = REDACTED.into();
                } else {
                    redact(field);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_told_by_the_names_of_their_headers() {
        let mut told = json!({
            "request_headers": [["set", "authorization", "Bearer s"], ["add", "X-Api-Key", "s"], ["set", "x-team", "a"]],
            "routes": [{"match": {"header cookie": "s", "not header x_auth_token (2)": "s", "header host": "a",
                                  "header proxy-authorization": "present"},
                        "response_headers": [["set", "set-cookie", "s"], ["remove", "authorization"]]}],
            "steps": [{"because": {"field": "request.headers[cookie]", "wanted": "s", "got": "s"}},
                      {"because": {"field": "path", "wanted": "/a", "got": "/b"}, "origin": {"field": "spec"}}],
        });
        redact(&mut told);
        let wanted = json!({
            "request_headers": [["set", "authorization", REDACTED], ["add", "X-Api-Key", REDACTED], ["set", "x-team", "a"]],
            "routes": [{"match": {"header cookie": REDACTED, "not header x_auth_token (2)": REDACTED, "header host": "a",
                                  "header proxy-authorization": "present"},
                        "response_headers": [["set", "set-cookie", REDACTED], ["remove", "authorization"]]}],
            "steps": [{"because": {"field": "request.headers[cookie]", "wanted": REDACTED, "got": REDACTED}},
                      {"because": {"field": "path", "wanted": "/a", "got": "/b"}, "origin": {"field": "spec"}}],
        });
        assert_eq!(told, wanted);
    }
}
