//! The Kubernetes Gateway API (`gateway.networking.k8s.io`): the fields that Istio reads.
//!
//! Read as Kubernetes kinds are: each type holds the whole document without `apiVersion`, `kind` and `metadata`. Fields of
//! the API that are not here are taken and left out; what is no field of the API is found (`kind_table`). Two groups have a kind `Gateway`: this one's is [`KubernetesGateway`].

mod backend_tls_policy;
pub(crate) mod crd;
mod filter;
mod gateway;
mod grpc_route;
mod http_route;
mod l4_route;
mod reference;
mod reference_grant;
#[cfg(test)]
mod tests;

pub use backend_tls_policy::{
    BackendTlsPolicy, BackendTlsPolicySpec, BackendTlsValidation, PolicyTarget, SubjectAltName,
};
pub use filter::{
    HeaderFilter, HeaderValue, HttpCorsFilter, HttpPathModifier, HttpRequestMirrorFilter,
    HttpRequestRedirectFilter, HttpUrlRewriteFilter, MirrorFraction, RouteFilter,
};
pub use gateway::{
    AllowedRoutes, FrontendTls, FrontendTlsConfig, FrontendValidation, GatewayAddress, GatewayClass,
    GatewayClassSpec, GatewaySpec, GatewayTls, KubernetesGateway, Listener, ListenerTls, PerPortTls,
    RouteGroupKind, RouteNamespaces,
};
pub use grpc_route::{GrpcMethodMatch, GrpcRoute, GrpcRouteMatch, GrpcRouteRule, GrpcRouteSpec};
pub use http_route::{
    HttpPathMatch, HttpRoute, HttpRouteMatch, HttpRouteRetry, HttpRouteRule, HttpRouteSpec,
    HttpRouteTimeouts, NamedValueMatch,
};
pub use l4_route::{L4RouteRule, TcpRoute, TcpRouteSpec, TlsRoute, TlsRouteSpec};
pub use reference::{BackendReference, ObjectReference, ParentReference};
pub use reference_grant::{GrantFrom, GrantTo, ReferenceGrant, ReferenceGrantSpec};

/// The API group of every kind here. Spec: the `group` of the Gateway API's resource definitions.
pub const GROUP: &str = "gateway.networking.k8s.io";

macro_rules! kind {
    ($type:ty, $kind:literal, $versions:expr) => {
        impl crate::object::Kind for $type {
            const KIND: &'static str = $kind;
            const GROUP: &'static str = crate::gateway_api::GROUP;
            const VERSIONS: &'static [&'static str] = &$versions;
            const BODY: crate::object::Body = crate::object::Body::Document;

            fn validate(object: &crate::object::Object<Self>, report: &mut crate::diagnostic::Report) {
                crate::gateway_api::crd::check(object, report);
            }
        }
    };
}
use kind;
