//! What calls into the proxy come to. Spec: proxy-wasm ABI 0.2.1, `proxy_status_t`; WASI preview 1, `errno`.

pub(super) type Status = i32;

pub(super) const OK: Status = 0;
pub(super) const NOT_FOUND: Status = 1;
pub(super) const BAD_ARGUMENT: Status = 2;
pub(super) const INVALID_MEMORY_ACCESS: Status = 6;
pub(super) const CAS_MISMATCH: Status = 8;
pub(super) const INTERNAL_FAILURE: Status = 10;
pub(super) const UNIMPLEMENTED: Status = 12;

/// Of WASI.
pub(super) const BADF: Status = 8;
pub(super) const FAULT: Status = 21;
pub(super) const INVAL: Status = 28;
pub(super) const NOTSUP: Status = 58;
