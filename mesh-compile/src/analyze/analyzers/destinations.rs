//! Where a VirtualService sends requests.

use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::part::Destination;

/// A destination and its place.
pub(super) struct Destined<'a> {
    pub(super) path: String,
    /// `None`: left out.
    pub(super) destination: Option<&'a Destination>,
}

/// Destinations of TCP, TLS and HTTP routes.
pub(super) fn routes(spec: &VirtualService) -> impl Iterator<Item = Destined<'_>> {
    let tcp =
        spec.tcp.iter().map(|route| &route.route).enumerate().map(|(index, route)| ("tcp", index, route));
    let tls =
        spec.tls.iter().map(|route| &route.route).enumerate().map(|(index, route)| ("tls", index, route));
    let l4 = tcp.chain(tls).flat_map(|(kind, route, list)| {
        list.iter().enumerate().map(move |(index, one)| {
            let path = format!("spec.{kind}[{route}].route[{index}].destination");
            Destined { path, destination: one.destination.as_ref() }
        })
    });
    let http = spec.http.iter().enumerate().flat_map(|(route, http)| {
        http.route.iter().enumerate().map(move |(index, one)| {
            let path = format!("spec.http[{route}].route[{index}].destination");
            Destined { path, destination: one.destination.as_ref() }
        })
    });
    l4.chain(http)
}

/// Destinations of mirrors.
pub(super) fn mirrors(spec: &VirtualService) -> impl Iterator<Item = Destined<'_>> {
    spec.http.iter().enumerate().flat_map(|(route, http)| {
        let one = http.mirror.as_deref().into_iter().map(move |destination| Destined {
            path: format!("spec.http[{route}].mirror"),
            destination: Some(destination),
        });
        let several = http.mirrors.iter().enumerate().map(move |(index, mirror)| {
            let path = format!("spec.http[{route}].mirrors[{index}].destination");
            Destined { path, destination: mirror.destination.as_ref() }
        });
        one.chain(several)
    })
}
