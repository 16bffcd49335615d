//! Header names, header changes and the format language of their values (T-142, T-176..T-181).

use super::{Checked, Checker, Path, Problem, short};
use crate::diagnostic::Code;
use crate::part::{HeaderOperations, Headers};

/// The prefix of header matches that look at a claim of the token instead (T-145).
const CLAIM: &str = "@request.auth.claims";

/// Pseudo headers that can be matched.
const PSEUDO: [&str; 5] = [":method", ":scheme", ":authority", ":path", ":status"];

fn bad_name(name: &str) -> Problem {
    Problem::new(Code::InvalidName, format!("`{}` is not a header name", short(name)))
        .help("use letters, digits and hyphens, as in `x-request-id`")
}

fn not_empty(name: &str) -> Checked {
    if name.is_empty() {
        Err(Problem::new(Code::InvalidName, "the header name is empty")
            .help("write the name of a header, or remove the entry"))
    } else {
        Ok(())
    }
}

/// The letters of a token (RFC 9110 5.6.2), of which header names are made; an empty text has none that is not.
pub(crate) fn is_token(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Letters, digits, `-` and `_`.
pub(crate) fn strict_name(name: &str) -> Checked {
    not_empty(name)?;
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Ok(());
    }
    Err(bad_name(name).help("letters, digits, `-` and `_`"))
}

/// Letters, digits and `-`: a header of a probe, as Kubernetes has them.
pub(crate) fn probe_name(name: &str) -> Checked {
    not_empty(name)?;
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(());
    }
    Err(bad_name(name).help("letters, digits and `-`"))
}

/// A header in a CORS policy: a token; `*` is one.
pub(crate) fn cors_name(name: &str) -> Checked {
    not_empty(name)?;
    if is_token(name) { Ok(()) } else { Err(bad_name(name)) }
}

/// A key of `headers` or `withoutHeaders`: a header, a pseudo header, or a claim (T-145, T-147).
pub(crate) fn match_name(name: &str) -> Checked {
    not_empty(name)?;
    if is_claim(name) || PSEUDO.contains(&name) || is_token(name) { Ok(()) } else { Err(bad_name(name)) }
}

/// Whether a header match looks at a claim: `@request.auth.claims.NAME` or `@request.auth.claims[NAME]`, in any case.
pub(crate) fn is_claim(name: &str) -> bool {
    let rest = name
        .get(..CLAIM.len())
        .filter(|start| start.eq_ignore_ascii_case(CLAIM))
        .and_then(|_| name.get(CLAIM.len()..));
    rest.is_some_and(|rest| {
        rest.starts_with('.') && rest.len() > 1
            || rest.starts_with('[') && rest.ends_with(']') && rest.len() > 2
    })
}

/// Whether a header operation changes the authority (T-179).
fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host")
}

/// The name in `request.set` and `request.add`, where the authority can be changed.
fn request_name(name: &str) -> Checked {
    if is_authority(name) { Ok(()) } else { operation_name(name) }
}

/// The name in every other header operation.
fn operation_name(name: &str) -> Checked {
    not_empty(name)?;
    if name.eq_ignore_ascii_case("host") {
        return Err(Problem::new(Code::InvalidName, format!("`{name}` cannot be changed here"))
            .help("change the authority by `rewrite.authority`"));
    }
    if name.starts_with(':') {
        return Err(Problem::new(
            Code::InvalidName,
            format!("pseudo header `{}` cannot be changed", short(name)),
        )
        .help("headers that start with `:` belong to HTTP/2; use `rewrite` for path and authority"));
    }
    Ok(())
}

/// Header changes of a route or destination.
pub(crate) fn headers(found: &mut Checker<'_>, at: &Path<'_>, headers: &Headers) {
    if let Some(request) = &headers.request {
        operations(found, &at.field("request"), request, request_name);
    }
    if let Some(response) = &headers.response {
        operations(found, &at.field("response"), response, operation_name);
    }
}

fn operations(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    operations: &HeaderOperations,
    name_of_value: fn(&str) -> Checked,
) {
    for (field, values) in [("set", &operations.set), ("add", &operations.add)] {
        let at = at.field(field);
        for (name, text) in values {
            found.check(&at.field(name), name_of_value(name));
            found.check(&at.field(name), value(text));
        }
    }
    found.each(&at.field("remove"), &operations.remove, operation_name);
}

/// The authority is changed once at most (T-179); `rewritten` is `rewrite.authority`, `at` the path of the route.
pub(crate) fn one_authority(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    rewritten: &str,
    headers: Option<&Headers>,
) {
    let Some(request) = headers.and_then(|headers| headers.request.as_ref()) else { return };
    let mut is_set = !rewritten.is_empty();
    let headers = at.field("headers");
    let at = headers.field("request");
    for (field, values) in [("set", &request.set), ("add", &request.add)] {
        for (name, value) in values.iter().filter(|(name, _)| is_authority(name)) {
            if is_set {
                let problem = Problem::conflict("the authority is set twice");
                found.find(
                    &at.field(field).field(name),
                    problem.help("keep one of the changes of the authority"),
                );
            }
            is_set |= !value.is_empty();
        }
    }
}

/// A value: no control characters, and well-formed `%VARIABLE(arguments)%` (T-180).
pub(crate) fn value(text: &str) -> Checked {
    if text.chars().any(|c| c != '\t' && (c < ' ' || c == '\u{7f}')) {
        return Err(Problem::invalid("the header value holds a control character")
            .help("write the value on one line, without control characters"));
    }
    format_text(text).map_err(|message| {
        Problem::invalid(format!("`{}`: {message}", short(text)))
            .help("a literal percent sign is written `%%`")
    })
}

/// Where the reader of a header value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Literal,
    Name,
    ArgumentStart,
    /// In a list of strings, before one.
    StringStart,
    Text,
    AfterString,
    ArgumentEnd,
    End,
}

/// The grammar of the data plane's format strings, as far as Istio checks it: its shape, not the names.
fn format_text(text: &str) -> Result<(), &'static str> {
    let mut state = State::Literal;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        state = match (state, byte) {
            (State::Literal, b'%') => match bytes.peek() {
                None => return Err("a `%` alone"),
                Some(b'%') => {
                    bytes.next();
                    State::Literal
                }
                Some(_) => State::Name,
            },
            (State::Name | State::End, b'%') => State::Literal,
            (State::Name, b'(') => State::ArgumentStart,
            (State::ArgumentStart, b'[') => State::StringStart,
            (State::ArgumentStart, b' ') => State::ArgumentStart,
            (State::ArgumentStart, _) | (State::StringStart, b'"') => State::Text,
            (State::StringStart, b' ') => State::StringStart,
            (State::StringStart, _) => return Err("a `\"` is expected"),
            (State::Text, b'\\') => {
                if bytes.next().is_none() {
                    return Err("a backslash at the end");
                }
                State::Text
            }
            (State::Text, b')') | (State::ArgumentEnd, b')') => State::End,
            (State::Text, b'"') => State::AfterString,
            (State::AfterString, b',') => State::StringStart,
            (State::AfterString, b']') => State::ArgumentEnd,
            (State::AfterString | State::ArgumentEnd | State::End, b' ') => state,
            (State::AfterString, _) => return Err("`,` or `]` is expected after a string"),
            (State::ArgumentEnd, _) => return Err("`)` is expected after the arguments"),
            (State::End, _) => return Err("`%` is expected after the arguments"),
            (State::Literal | State::Name | State::Text, _) => state,
        };
    }
    if state == State::Literal { Ok(()) } else { Err("a variable that does not end with `%`") }
}
