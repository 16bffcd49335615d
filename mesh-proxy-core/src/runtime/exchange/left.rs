//! A request whose client did not wait for an answer.

use super::{Exchange, Plan};
use crate::runtime::finish::{self, add_flag};
use crate::runtime::traces::Traced;

/// A request that nobody was told of yet. Dropped, its client has left before there was an answer.
pub(super) struct Untold(pub(super) Option<Box<Exchange>>);

impl Drop for Untold {
    fn drop(&mut self) {
        if let Some(exchange) = self.0.take() {
            exchange.left();
        }
    }
}

impl Exchange {
    /// Tells of a request whose client did not wait for an answer.
    fn left(self) {
        let Self { server, parts, body, mut record, traced, plan, is_grpc, started, .. } = self;
        add_flag(&mut record, "DC");
        record.details = "downstream_remote_disconnect".to_owned();
        record.bytes_received = body.received();
        record.trace = traced.as_ref().and_then(Traced::context);
        finish::tell_times(&mut record, started, &body);
        if is_grpc {
            record.messages_received = body.messages();
        }
        if let Some(request) = &mut record.request
            && request.headers.is_empty()
        {
            request.headers = match plan {
                Plan::Forward(forwarding) if !forwarding.head.headers.is_empty() => forwarding.head.headers,
                _ => parts.headers,
            };
        }
        let proxy = &server.connection.proxy;
        proxy.tell(&record);
        if let Some(traced) = traced {
            traced.finished(proxy, &record);
        }
    }
}
