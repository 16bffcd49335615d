//! Small questions about HTTP text that several stages ask.

use std::borrow::Cow;

/// Lower case; borrows where it already is.
pub(crate) fn lower_case(text: &str) -> Cow<'_, str> {
    // Every byte is looked at, many in one step.
    if text.bytes().fold(false, |any, byte| any | byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// A method that the HTTP/1 codec takes: any but those with lower-case letters (E-089).
pub(crate) fn is_http1_method(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_lowercase())
}
