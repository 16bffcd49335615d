//! Headers that a proxy itself puts on answers.

use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy::listener::Network;

use super::connection::{Connection, Standing};
use super::options::DEFAULT_SERVER_NAME;

/// The time that the upstream took to begin its answer, in milliseconds.
pub(crate) const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
/// The upstream was not asked: it has more to do than it may.
pub(crate) const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// The `server` header of answers: as the configuration has it, unless the program has another (T-473). `None`: that of the
/// upstream goes on.
pub(crate) fn server_name(connection: &Connection, standing: &Standing) -> Option<HeaderValue> {
    let name = connection.proxy.options.server_name.as_deref()?;
    if name != DEFAULT_SERVER_NAME {
        return HeaderValue::from_str(name).ok();
    }
    match standing.chain().map(|chain| &chain.network) {
        Some(Network::Http(manager)) => standing.generation.server_name(&manager.headers.server),
        _ => None,
    }
}
