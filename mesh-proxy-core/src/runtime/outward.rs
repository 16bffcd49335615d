//! A request that is to be sent on, made ready for it: headers, spans, and the program's own filters.

use http::HeaderMap;

use super::connection::{Connection, Standing};
use super::forward::Forwarding;
use super::reply::Reply;
use super::request_headers;
use super::traces::Traced;
use crate::seam::filter::RequestHead;
use crate::telemetry::record::Record;

/// Begins the spans of a request, where the configuration has them.
pub(crate) fn trace(connection: &Connection, standing: &Standing, headers: &mut HeaderMap) -> Option<Traced> {
    let (proxy, config) = (&connection.proxy, &standing.generation.config);
    proxy.traces.begin(config, connection.arrival.direction, headers, &*proxy.dice)
}

/// Makes a request ready to be sent on; the answer of a filter that gives one instead.
pub(crate) fn prepare(
    connection: &Connection,
    standing: &Standing,
    forwarding: &mut Forwarding,
    record: &mut Record,
    traced: &mut Option<Traced>,
) -> Option<Reply> {
    let head = &mut forwarding.head;
    request_headers::prepare(&mut head.headers, connection, forwarding.is_edge, &forwarding.headers);
    *traced = trace(connection, standing, &mut head.headers);
    for filter in &connection.proxy.filters {
        let mut seen = RequestHead {
            method: &head.method,
            authority: &head.authority,
            path: &forwarding.original_path,
            headers: &mut head.headers,
            client: connection.client,
            principal: connection.peer(),
        };
        if let Some(answer) = filter.request(&mut seen) {
            if let Some(request) = &mut record.request {
                request.headers = std::mem::take(&mut head.headers);
            }
            return Some(Reply::of_filter(answer));
        }
    }
    None
}
