//! Ports, their names and protocols (T-196, T-197).

use super::{Checked, Problem, short};
use crate::diagnostic::{Code, nearest};
use crate::name::{PortNumber, Protocol, is_dns_label};

/// 1 to 65535.
pub(crate) fn number(port: impl Into<i64>) -> Checked {
    let port = port.into();
    match PortNumber::new(port) {
        Ok(_) => Ok(()),
        // A field that is not written reads as zero.
        Err(_) if port == 0 => Err(Problem::invalid("a port number is needed, here is none or `0`")
            .help("write a port from 1 to 65535")),
        Err(_) => Err(Problem::invalid(format!("port `{port}` is not in 1 to 65535"))
            .help("use a port from 1 to 65535")),
    }
}

/// 1 to 65535 as text.
pub(crate) fn number_text(port: &str) -> Checked {
    match port.parse::<i64>() {
        Ok(port) => number(port),
        Err(_) => Err(Problem::invalid(format!("port `{}` is not a number", short(port)))
            .help("write the number of the port")),
    }
}

/// A DNS label.
pub(crate) fn name(name: &str) -> Checked {
    if is_dns_label(name) {
        return Ok(());
    }
    if name.is_empty() {
        return Err(Problem::new(Code::InvalidName, "the port needs a name")
            .help("write one that begins with its protocol, such as `http` or `tcp-db`"));
    }
    Err(Problem::new(Code::InvalidName, format!("`{}` is not a port name", short(name)))
        .help("letters, digits and inner hyphens, at most 63"))
}

/// A known token, or none.
pub(crate) fn protocol(token: &str) -> Checked {
    if token.is_empty() { Ok(()) } else { known_protocol(token) }
}

/// A known token.
pub(crate) fn known_protocol(token: &str) -> Checked {
    if !Protocol::parse(token).is_unsupported() {
        return Ok(());
    }
    let problem = Problem::invalid(format!("`{}` is not a protocol", short(token)));
    if let Some(near) = nearest(token, Protocol::TOKENS.iter().map(|(_, token)| *token)) {
        return Err(problem.help(format!("did you mean `{}`?", near.to_ascii_uppercase())));
    }
    Err(problem
        .help("one of `HTTP`, `HTTPS`, `HTTP2`, `GRPC`, `GRPC-WEB`, `TCP`, `TLS`, `MONGO`, `REDIS`, `MYSQL`"))
}
