#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::super::KINDS;
use super::*;

/// Written by Google's own protobuf.
const HEADER: &str = "ChkKEUFWQUlMQUJJTElUWV9aT05FEgQaAnoxChQKCkNMVVNURVJfSUQSBhoEZWFzdAqCAQoGTEFCRUxTEngqdgoMCgNhc\
    HASBRoDd2ViCigKH3NlcnZpY2UuaXN0aW8uaW8vY2Fub25pY2FsLW5hbWUSBRoDd2ViCisKI3NlcnZpY2UuaXN0aW8uaW8vY2Fub25pY2FsLXJldm\
    lzaW9uEgQaAnYxCg8KB3ZlcnNpb24SBBoCdjEKEwoJTkFNRVNQQUNFEgYaBHNob3AKEwoETkFNRRILGgl3ZWItN2M5LXgKRAoFT1dORVISOxo5a3V\
    iZXJuZXRlczovL2FwaXMvYXBwcy92MS9uYW1lc3BhY2VzL3Nob3AvZGVwbG95bWVudHMvd2ViCg4KBlJFR0lPThIEGgJyMQoWCg1XT1JLTE9BRF9O\
    QU1FEgUaA3dlYg==";
/// By the same: `{"NAMESPACE": "n", "WORKLOAD_NAME": 7, "LABELS": {"app": "a", "app.kubernetes.io/name": "b", "version":
/// "1", "other": ["x", {"y": null}]}, "MORE": [1, 2, true, null]}`.
const ODD: &str = "CmYKBkxBQkVMUxJcKloKHQoWYXBwLmt1YmVybmV0ZXMuaW8vbmFtZRIDGgFiCgoKA2FwcBIDGgFhCh0KBW90aGVyEhQyEgoDGg\
    F4CgsqCQoHCgF5EgIIAAoOCgd2ZXJzaW9uEgMaATEKKAoETU9SRRIgMh4KCREAAAAAAADwPwoJEQAAAAAAAABACgIgAQoCCAAKEAoJTkFNRVNQQUNFE\
    gMaAW4KGgoNV09SS0xPQURfTkFNRRIJEQAAAAAAABxA";

fn web() -> Peer {
    Peer {
        instance: "web-7c9-x".into(),
        workload: "web".into(),
        kind: "deployment".into(),
        namespace: "shop".into(),
        cluster: "east".into(),
        service: "web".into(),
        revision: "v1".into(),
        app: "web".into(),
        version: "v1".into(),
        identity: "".into(),
        region: "r1".into(),
        zone: "z1".into(),
    }
}

#[test]
fn s_361_peers_are_read_as_others_write_them() {
    assert_eq!(Peer::from_header(HEADER.as_bytes()), Ok(web()));
    assert_eq!(Peer::from_header(HEADER.trim_end_matches('=').as_bytes()), Ok(web()));
    let odd = Peer { namespace: "n".into(), app: "b".into(), version: "1".into(), ..Peer::default() };
    assert_eq!(Peer::from_header(ODD.as_bytes()), Ok(odd));
    // The same entries, whose order is not set.
    assert_eq!(web().to_header().len(), HEADER.len());
    assert_eq!(Peer::from_header(web().to_header().as_bytes()), Ok(web()));
}

#[test]
fn what_says_nothing_is_refused() {
    for text in ["", "====", "not base64", "AAAA", "/////w=="] {
        let read = Peer::from_header(text.as_bytes());
        // No bytes are an empty map.
        assert_eq!(read, if text.is_empty() { Ok(Peer::default()) } else { Err(Malformed) }, "{text}");
    }
    let long = "A".repeat(BYTES_MAX + 4);
    assert_eq!(Peer::from_header(long.as_bytes()), Err(Malformed));
    assert_eq!(Peer::from_message(&[0xff; 9]), Err(Malformed));
    assert_eq!(Peer::from_message(&[]), Ok(None));
}

#[test]
fn a_message_tells_the_peer_and_its_id() {
    let bytes = web().to_message("sidecar~10.0.0.1~web-7c9-x.shop~shop.svc.cluster.local");
    // As long as the one that Google's own protobuf writes.
    assert_eq!(bytes.len(), 499);
    assert_eq!(Peer::from_message(&bytes), Ok(Some(web())));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Peer::from_message(&bytes);
        let _ = Peer::from_header(&bytes);
        let _ = Peer::from_header(BASE64.encode(&bytes).as_bytes());
    }

    #[test]
    fn what_is_written_is_read(texts in proptest::collection::vec("[a-z]{0,4}", 11), kind in 0..=4_usize) {
        let text = |at: usize| Box::from(&*texts[at]);
        let peer = Peer {
            // One without a name has no owner.
            kind: KINDS.get(kind).copied().unwrap_or_default().into(),
            instance: text(0), workload: text(1), namespace: text(2), cluster: text(3), service: text(4),
            revision: text(5), app: text(6), version: text(7), identity: text(8), region: text(9), zone: text(10),
        };
        prop_assert_eq!(Peer::from_header(peer.to_header().as_bytes()), Ok(peer.clone()));
        prop_assert_eq!(Peer::from_message(&peer.to_message("id")), Ok(Some(peer)));
    }
}
