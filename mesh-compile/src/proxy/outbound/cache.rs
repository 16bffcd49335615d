//! Where the routes of a table come from: made now, or kept from an earlier compilation.

use std::sync::Arc;

use mesh_model::diagnostic::Report;

use crate::merge::virtual_service::MergedVirtualService;
use crate::route_table::{Route, RouteList};

/// Which routes: those of one owner in the tables of one port (or Unix path).
/// Ours: routes of one owner are the same in all tables of a port.
#[derive(Debug, Clone)]
pub struct RouteKey {
    /// 0 in tables of all ports.
    pub port: u16,
    /// The listener, where it is no port; empty: it is.
    pub bind: Arc<str>,
    /// Whose they are.
    pub owner: RouteOwner,
}

/// Whose routes they are. Ours: routes change when what their owner says does.
#[derive(Debug, Clone)]
pub enum RouteOwner {
    /// Written in a VirtualService.
    VirtualService(Arc<MergedVirtualService>),
    /// The default of a service, by hostname and port.
    Service(Arc<str>, u16),
}

/// Makes routes, or knows them already. Ours: making routes anew and keeping them are one code with another cache.
pub trait RouteCache {
    /// The routes of `key`; `make` makes them, asking the view what it needs to know.
    fn routes(
        &mut self,
        key: RouteKey,
        make: &mut dyn FnMut(&mut Report) -> Vec<Route>,
        report: &mut Report,
    ) -> RouteList;
}

/// Makes everything anew. Ours: the cache that remembers nothing is what others are compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anew;

impl RouteCache for Anew {
    fn routes(
        &mut self,
        _: RouteKey,
        make: &mut dyn FnMut(&mut Report) -> Vec<Route>,
        report: &mut Report,
    ) -> RouteList {
        make(report).into()
    }
}
