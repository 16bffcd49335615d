//! The ends of a connection to an upstream.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::telemetry::connections::ConnectionRecord;
use crate::telemetry::record::{Principals, Record};

/// What is known of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends {
    /// What it comes from.
    pub(crate) local: Option<SocketAddr>,
    /// Who stands there; `None`: it has no TLS.
    pub(crate) principals: Option<Arc<Principals>>,
    /// What else logs may tell of it; `None`: there is no connection.
    pub(crate) note: Option<Arc<ConnectionRecord>>,
}

impl Ends {
    /// Tells a record of them.
    pub(crate) fn tell(&self, record: &mut Record) {
        record.upstream_local = self.local;
        record.upstream_principals.clone_from(&self.principals);
        record.upstream.clone_from(&self.note);
    }
}
