//! Modules from the registries of images.

use super::limits::WasmLimits;
use super::module::Refusal;
use crate::runtime::key_fetch::OverHttp;

/// An image that is wanted.
pub(super) struct Image<'i> {
    pub(super) reference: &'i str,
    pub(super) sha256: &'i str,
}

pub(super) async fn pull(
    _http: &OverHttp,
    _image: &Image<'_>,
    _secret: Option<&str>,
    _limits: &WasmLimits,
) -> Result<Vec<u8>, Refusal> {
    Err(Refusal::NotHere("images of registries are not pulled"))
}
