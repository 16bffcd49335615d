use std::str::FromStr;

use super::{ClientTlsMode, ClientTlsSettings, OutlierDetection, ProxyProtocol, ServerTlsSettings, SimpleLb};

#[test]
fn an_enum_is_read_by_name_and_by_number() {
    let read = |text: &str| serde_json::from_str::<SimpleLb>(text).map_err(|error| error.to_string());
    assert_eq!(read(r#""ROUND_ROBIN""#), Ok(SimpleLb::RoundRobin));
    assert_eq!(read("4"), Ok(SimpleLb::RoundRobin));
    assert_eq!(read("4.0"), Ok(SimpleLb::RoundRobin));
    assert_eq!(serde_json::to_string(&SimpleLb::RoundRobin).unwrap(), r#""ROUND_ROBIN""#);
    for wrong in [r#""round_robin""#, "6", "-1", "18446744073709551615", "4.5", "1e300"] {
        assert!(read(wrong).unwrap_err().contains("unknown variant"), "{wrong}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = serde_json::from_str::<ProxyProtocol>(r#"{"version": "V3"}"#).unwrap_err().to_string();
    assert!(error.starts_with("unknown variant `V3`, expected `V1` or `V2`"), "{error}");
}

#[test]
fn names_numbers_and_variants_agree() {
    for (variant, name) in ClientTlsMode::ALL.iter().zip(ClientTlsMode::NAMES) {
        assert_eq!(variant.as_str(), *name);
        assert_eq!(ClientTlsMode::from_str(name), Ok(*variant));
        assert_eq!(serde_json::from_str::<ClientTlsMode>(&variant.number().to_string()).unwrap(), *variant);
    }
}

#[test]
fn an_unwritten_tls_mode_is_the_zero_of_the_api() {
    let client: ClientTlsSettings = serde_json::from_str(r#"{"sni": "x.com"}"#).unwrap();
    assert_eq!(client.mode.as_str(), "DISABLE");
    let server: ServerTlsSettings = serde_json::from_str("{}").unwrap();
    assert_eq!(server.mode.as_str(), "PASSTHROUGH");
}

#[test]
fn a_written_zero_of_a_wrapper_survives() {
    let text = r#"{"consecutive5xxErrors":0}"#;
    let outlier: OutlierDetection = serde_json::from_str(text).unwrap();
    assert_eq!(outlier.consecutive_5xx_errors, Some(0));
    assert_eq!(serde_json::to_string(&outlier).unwrap(), text);
}
