//! Settings of the mesh and of one proxy that shape its HTTP connection managers.

use mesh_model::mesh_config::PathNormalizationType;

use super::listener::PathNormalization;
use crate::view::View;

/// Prefix of proxy metadata where it is written as an environment variable.
const ENVIRONMENT: &str = "ISTIO_META_";

/// A value of the proxy's metadata: its own, else `proxyMetadata` of its settings.
pub(crate) fn metadata<'v>(view: &'v View<'_>, name: &str) -> Option<&'v str> {
    let own = &view.proxy().metadata;
    let long = format!("{ENVIRONMENT}{name}");
    let settings = &view.proxy_config().proxy_metadata;
    [own.get(name), own.get(&long), settings.get(&long)].into_iter().flatten().next().map(String::as_str)
}

/// Whether HTTP/1.0 is served (T-564).
pub(crate) fn http10(view: &View<'_>) -> bool {
    metadata(view, "HTTP10") == Some("1")
}

/// How paths are normalised (T-453).
pub(crate) fn path_normalization(view: &View<'_>) -> PathNormalization {
    match view.mesh().path_normalization() {
        PathNormalizationType::None => PathNormalization::None,
        PathNormalizationType::Default | PathNormalizationType::Base => PathNormalization::Base,
        PathNormalizationType::MergeSlashes => PathNormalization::MergeSlashes,
        PathNormalizationType::DecodeAndMergeSlashes => PathNormalization::DecodeAndMergeSlashes,
    }
}

/// Trusted hops of X-Forwarded-For (T-440).
pub(crate) fn trusted_hops(view: &View<'_>) -> u32 {
    view.proxy_config().num_trusted_proxies()
}
