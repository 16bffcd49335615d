//! A distinguished name as text (RFC 2253), as BoringSSL writes it.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Class, ToDer};
use x509_parser::x509::X509Name;

/// The name, the last part first.
pub(super) fn text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<(usize, String, &Any<'_>)> = Vec::new();
    for (set, several) in name.iter_rdn().enumerate() {
        parts.extend(several.iter().map(|part| (set, part.attr_type().to_id_string(), part.attr_value())));
    }
    let mut text = String::new();
    let mut before = None;
    for (set, kind, value) in parts.into_iter().rev() {
        match before.replace(set) {
            None => {}
            Some(last) => text.push(if last == set { '+' } else { ',' }),
        }
        match (short_name(&kind), characters(value)) {
            (Some(short), Some(characters)) => {
                text.extend([short, "="]);
                escape(&characters, &mut text);
            }
            (short, _) => {
                text.extend([short.unwrap_or(&kind), "=#"]);
                for byte in value.to_der_vec().unwrap_or_default() {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{byte:02X}");
                }
            }
        }
    }
    text
}

/// The characters of a string; `None`: it is none, or broken.
fn characters(value: &Any<'_>) -> Option<Vec<char>> {
    if value.class() != Class::Universal {
        return None;
    }
    let bytes = value.data;
    let whole = |size: usize| bytes.len().is_multiple_of(size).then(|| bytes.chunks_exact(size));
    match value.tag().0 {
        // UTF8String
        12 => Some(std::str::from_utf8(bytes).ok()?.chars().collect()),
        // NumericString, PrintableString, TeletexString, IA5String, VisibleString and times
        18 | 19 | 20 | 22 | 23 | 24 | 26 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        // UniversalString
        28 => whole(4)?.map(|part| char::from_u32(u32::from_be_bytes(part.try_into().ok()?))).collect(),
        // BMPString
        30 => {
            whole(2)?.map(|part| char::from_u32(u16::from_be_bytes(part.try_into().ok()?).into())).collect()
        }
        _ => None,
    }
}

/// Everything that is no plain ASCII is written byte by byte: a name cannot end its line, nor its quotes.
fn escape(characters: &[char], text: &mut String) {
    let last = characters.len().saturating_sub(1);
    for (at, character) in characters.iter().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', *character]),
            '#' if at == 0 => text.push_str("\\#"),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            ' '..='~' => text.push(*character),
            other => {
                for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\{byte:02X}");
                }
            }
        }
    }
}

/// The short name of a kind, where BoringSSL has one.
fn short_name(kind: &str) -> Option<&'static str> {
    if let Some(of_x520) = kind.strip_prefix("2.5.4.") {
        return Some(match of_x520 {
            "3" => "CN",
            "4" => "SN",
            "5" => "serialNumber",
            "6" => "C",
            "7" => "L",
            "8" => "ST",
            "9" => "street",
            "10" => "O",
            "11" => "OU",
            "12" => "title",
            "13" => "description",
            "15" => "businessCategory",
            "16" => "postalAddress",
            "17" => "postalCode",
            "18" => "postOfficeBox",
            "19" => "physicalDeliveryOfficeName",
            "20" => "telephoneNumber",
            "41" => "name",
            "42" => "GN",
            "43" => "initials",
            "44" => "generationQualifier",
            "45" => "x500UniqueIdentifier",
            "46" => "dnQualifier",
            "51" => "houseIdentifier",
            "65" => "pseudonym",
            "72" => "role",
            _ => return None,
        });
    }
    Some(match kind {
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.3" => "mail",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        "1.2.840.113549.1.9.8" => "unstructuredAddress",
        _ => return None,
    })
}
