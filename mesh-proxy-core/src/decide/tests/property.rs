use std::borrow::Cow;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{ChainMatch, ClientCertificate, Direction, Listener, Transport};
use mesh_compile::route_table::action::RouteAction;
use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
use proptest::prelude::*;

use super::builder::*;
use crate::query::Query;

/// Something of everything.
fn mixed() -> ProxyConfig {
    let mut mutual =
        chain("mutual", ChainMatch { transport: Some(Transport::Tls), ..ChainMatch::default() }, http("80"));
    mutual.tls = Some(std::sync::Arc::new(tls(ClientCertificate::Required)));
    let sniffed = ChainMatch { application_protocols: vec!["http/1.1".into()], ..ChainMatch::default() };
    let chains =
        vec![mutual, chain("http", sniffed, http("80")), chain("tcp", ChainMatch::default(), tcp("up"))];
    let listener = Listener { http_inspector: true, ..listener(Direction::Gateway, "0.0.0.0", 80, chains) };
    let routes = vec![route("/", RouteAction::Forward(Box::new(to("up"))))];
    config(vec![listener], vec![host("*", false, routes)], &["up"])
}

fn request() -> impl Strategy<Value = RequestFacts<'static>> {
    let headers = prop::collection::vec(
        (prop_oneof!["x-forwarded-for", "X-Forwarded-Proto", ".*"], prop::collection::vec(any::<u8>(), 0..8)),
        0..4,
    );
    let version = prop_oneof![Just(HttpVersion::Http10), Just(HttpVersion::Http11), Just(HttpVersion::Http2)];
    let path = prop_oneof!["/.*", ".*", "/[a./\\\\%2eEfF;#?]*"];
    let method = prop_oneof!["GET", "OPTIONS", ".*"];
    (version, method, ".*", path, headers).prop_map(|(version, method, authority, path, headers)| {
        RequestFacts {
            version,
            method: Cow::Owned(method),
            scheme: Cow::Borrowed("http"),
            authority: Cow::Owned(authority),
            path: Cow::Owned(path),
            headers: Headers {
                entries: headers
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name), Cow::Owned(value)))
                    .collect(),
            },
        }
    })
}

fn client() -> impl Strategy<Value = TlsFacts<'static>> {
    (prop::option::of(".*"), prop::collection::vec(".*", 0..3), prop::option::of(".*")).prop_map(
        |(sni, alpn, peer)| TlsFacts {
            sni: sni.map(Cow::Owned),
            alpn: alpn.into_iter().map(Cow::Owned).collect(),
            peer: peer.map(Cow::Owned),
        },
    )
}

proptest! {
    /// `answer` compares `decide` with `explain`.
    #[test]
    fn any_request_has_an_answer_and_explaining_does_not_change_it(
        tls in prop::option::of(client()),
        request in prop::option::of(request()),
        dst_port in prop_oneof![Just(80), any::<u16>()],
    ) {
        let query = Query {
            direction: Direction::Gateway,
            connection: ConnectionFacts {
                src_ip: "10.1.2.3".parse().unwrap(),
                dst_ip: "10.0.0.1".parse().unwrap(),
                dst_port,
                tls,
                proxied_ip: None,
            },
            request,
            now: 0,
        };
        let answer = answer(&mixed(), &query);
        prop_assert!(answer["result"].is_string());
    }
}
