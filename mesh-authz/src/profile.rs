//! Whose reading is taken where a setting can be read in two ways.

/// The reading of policies and token rules.
///
/// Where `Hardened` differs, it refuses more; it never lets pass what `Istio` refuses. The differences:
///
/// | rule | `Istio` | `Hardened` |
/// |---|---|---|
/// | S-075, S-118, S-128, S-426 | what cannot be understood drops out of DENY, CUSTOM and AUDIT rules; an unknown `when` key drops the whole rule | a DENY or CUSTOM policy with such a part denies everything in its scope |
/// | S-091, S-092 | a DENY or CUSTOM policy without rules has no effect | it denies everything in its scope |
/// | S-270, S-275, S-431 | the prefix of a token may stand anywhere in the header | at its start only |
/// | S-276, S-431 | stray dots in a token are skipped | exactly three sections |
/// | S-284 | RSA keys with exponent 3, and secrets of any length, are used | they are left out, as are secrets shorter than their hash (32 bytes where no `alg` says which) |
/// | S-317, S-437 | `presence: REQUIRED` does nothing | a request without token is answered 401 |
///
/// In both, and stricter than Envoy: names that come twice in a token's JSON, `crit`, RSA keys under 2048 bits,
/// secrets (`oct`) in fetched key sets, tokens above 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Istio's and Envoy's, with published fixes applied.
    #[default]
    Istio,
    /// The safer one.
    Hardened,
}
