//! Values of the configuration as people read them: nothing without an end, nothing ambiguous. JSON has them whole.

use std::borrow::Cow;
use std::net::{Ipv6Addr, SocketAddr};

/// Characters of a text that are printed whole.
const WHOLE_MAX: usize = 240;

/// Characters that are left of a longer one.
const KEPT: usize = 160;

/// A text of which every long part between backticks is cut, with its length: `aaaa… (40000 bytes)`.
pub fn cut(text: &str) -> Cow<'_, str> {
    // Most texts are short, whatever their letters.
    if text.len() <= WHOLE_MAX {
        return Cow::Borrowed(text);
    }
    let parts: Vec<Cow<'_, str>> = text.split('`').map(cut_part).collect();
    if parts.iter().all(|part| matches!(part, Cow::Borrowed(_))) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(parts.join("`"))
}

fn cut_part(part: &str) -> Cow<'_, str> {
    if part.chars().nth(WHOLE_MAX).is_none() {
        return Cow::Borrowed(part);
    }
    let kept: String = part.chars().take(KEPT).collect();
    Cow::Owned(format!("{kept}… ({} bytes)", part.len()))
}

/// The address of an endpoint: `[fd00:1::5]:8080` for `fd00:1::5:8080`, which could end anywhere.
pub fn endpoint(address: &str) -> Cow<'_, str> {
    let parts = address.rsplit_once(':');
    let parsed = parts.and_then(|(ip, port)| Some((ip.parse::<Ipv6Addr>().ok()?, port.parse::<u16>().ok()?)));
    match parsed {
        Some((ip, port)) => Cow::Owned(SocketAddr::new(ip.into(), port).to_string()),
        None => Cow::Borrowed(address),
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, endpoint};

    #[test]
    fn long_parts_are_cut_and_their_length_is_told() {
        let long = "é".repeat(300);
        let cut_text = cut(&long);
        assert_eq!(cut_text, format!("{}… (600 bytes)", "é".repeat(160)));
        let message = format!("`{long}` is not what `b` is");
        let cut_message = cut(&message);
        assert!(cut_message.ends_with("… (600 bytes)` is not what `b` is"), "{cut_message}");
        let prose = "many words ".repeat(20);
        assert_eq!(cut(&prose), prose);
    }

    #[test]
    fn ports_of_ip_6_addresses_stand_behind_brackets() {
        assert_eq!(endpoint("fd00:1::5:8080"), "[fd00:1::5]:8080");
        for whole in ["10.0.0.1:80", "db.example.com:5432", "/run/echo.sock", "fd00::10"] {
            assert_eq!(endpoint(whole), whole);
        }
    }
}
