//! How a value is compared.

/// The text is this.
pub(super) const EXACT: u8 = 0;
/// It begins so.
pub(super) const PREFIX: u8 = 1;
/// It ends so.
pub(super) const SUFFIX: u8 = 2;
/// It is not empty, and one line (S-120).
pub(super) const NON_EMPTY: u8 = 3;
/// It is there (S-132).
pub(super) const PRESENT: u8 = 4;
/// The port, two bytes.
pub(super) const PORT: u8 = 5;
/// Bits of the prefix, network.
pub(super) const IPV4: u8 = 6;
/// The same.
pub(super) const IPV6: u8 = 7;
/// An identity of one line has the text somewhere (S-133 without stars).
pub(super) const NAMESPACE: u8 = 8;
/// `/ns/NAMESPACE/`, then `sa/ACCOUNT` (S-134).
pub(super) const ACCOUNT: u8 = 9;
/// An identity of one line ends so behind its scheme (S-131).
pub(super) const PRINCIPAL_SUFFIX: u8 = 10;
/// The number of a value that is kept apart.
pub(super) const ODD: u8 = 11;
/// The number of many values that are looked up.
pub(super) const MANY: u8 = 12;
