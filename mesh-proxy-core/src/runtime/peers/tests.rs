#![allow(clippy::unwrap_used)]

use super::*;

fn identity() -> Identity {
    Identity {
        kind: mesh_compile::proxy_identity::ProxyKind::Sidecar,
        name: "web-1".into(),
        namespace: "shop".into(),
        labels: mesh_model::name::StringMap::default(),
        ip: None,
        service_account: "".into(),
        locality: "".into(),
        cluster_id: "c1".into(),
        metadata: std::collections::BTreeMap::new(),
    }
}

fn came(peers: &Peers, metadata: HeaderValue) -> Came {
    let mut headers = HeaderMap::new();
    headers.insert(METADATA, metadata);
    peers.take(&mut headers)
}

/// Bytes that are remembered by what they are sent as.
fn remembered(peers: &Peers) -> usize {
    peers.known.lock().unwrap().keys().map(|metadata| metadata.len()).sum()
}

#[test]
fn what_is_remembered_of_peers_has_a_bound_and_holds_nothing_of_their_connections() {
    let peers = Peers::new(Some(&identity()));
    let read = Bytes::from(vec![b'A'; 64 * 1024]);
    // Too long to say anything: nothing of it stays.
    let long = HeaderValue::from_maybe_shared(read.slice(..BYTES_MAX + 1)).unwrap();
    let told = came(&peers, long);
    assert!(told.peer.is_none() && told.has_metadata);
    assert_eq!(remembered(&peers), 0);
    // What was read together with it goes with the connection.
    came(&peers, HeaderValue::from_maybe_shared(read.slice(..64)).unwrap());
    assert_eq!(remembered(&peers), 64);
    assert!(read.is_unique(), "the codec's buffer is still held");
    for number in 0..2 * KNOWN_MAX {
        came(&peers, HeaderValue::from(number));
    }
    assert!(peers.known.lock().unwrap().len() <= KNOWN_MAX);
    // The same workload is one and the same.
    let said = peers.own.as_ref().unwrap().metadata.clone();
    let (first, second) = (came(&peers, said.clone()).peer.unwrap(), came(&peers, said).peer.unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(&*first.instance, "web-1");
}
