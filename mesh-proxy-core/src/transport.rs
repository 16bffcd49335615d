//! What becomes of the transport: TLS is terminated, passed through, or the connection is refused.
//! What is accepted is S-031 to S-043 and T-492.

use mesh_compile::proxy::listener::{ClientCertificate, DownstreamTls, FilterChain, Network};
use mesh_model::facts::{ConnectionFacts, TlsFacts};
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use crate::decision::RefuseReason;

/// A connection whose chain accepted its transport (S-040, T-492).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// Whether this proxy terminated TLS.
    pub terminated: bool,
    /// URI SAN of the client certificate that this proxy verified; `None`: none.
    pub peer: Option<&'a str>,
}

/// The transport of a chain meets what arrives.
///
/// # Errors
/// The reason for which the connection is closed.
pub fn accept<'a, O: Observer>(
    chain: &FilterChain,
    connection: &'a ConnectionFacts<'_>,
    observer: &mut O,
) -> Result<Accepted<'a>, RefuseReason> {
    let result = match (&chain.tls, &connection.tls) {
        (Some(tls), Some(client)) => handshake(tls, client),
        (Some(_), None) => Err(RefuseReason::TlsRequired),
        // A client hello is no HTTP.
        (None, Some(_)) if matches!(chain.network, Network::Http(_)) => Err(RefuseReason::ProtocolError),
        (None, _) => Ok(Accepted { terminated: false, peer: None }),
    };
    observer.note(|| {
        let outcome = if result.is_ok() { Outcome::Won } else { Outcome::Lost };
        Step::new(Stage::Transport, outcome, format!("transport of {}", chain.name))
            .because(Because::new("transport", wanted(chain), got(connection)))
            .origin(&chain.origin)
    });
    result
}

fn handshake<'a>(tls: &DownstreamTls, client: &'a TlsFacts<'_>) -> Result<Accepted<'a>, RefuseReason> {
    let peer = match (tls.client_certificate, client.peer.as_deref()) {
        // The facts hold verified certificates only: a client that was not asked has none to show.
        (ClientCertificate::None, peer) => peer,
        (ClientCertificate::Optional, None) => None,
        (ClientCertificate::Required, None) => return Err(RefuseReason::ClientCertificateRequired),
        (ClientCertificate::Optional | ClientCertificate::Required, Some(peer)) => {
            if !is_accepted(tls, peer) {
                return Err(RefuseReason::ClientCertificateUntrusted);
            }
            Some(peer)
        }
    };
    Ok(Accepted { terminated: true, peer })
}

/// S-041: the trust domain of a verified certificate; E-067: its SAN.
fn is_accepted(tls: &DownstreamTls, peer: &str) -> bool {
    let trusted = tls.trust_domains.is_empty()
        || tls.trust_domains.iter().any(|domain| {
            peer.strip_prefix("spiffe://")
                .and_then(|rest| rest.strip_prefix(&**domain))
                .is_some_and(|rest| rest.starts_with('/'))
        });
    let named = tls.subject_alt_names.is_empty() || tls.subject_alt_names.iter().any(|name| **name == *peer);
    trusted && named
}

fn wanted(chain: &FilterChain) -> String {
    let Some(tls) = &chain.tls else {
        return match chain.network {
            Network::Http(_) => "plaintext HTTP".to_owned(),
            Network::Tcp(_) => "any bytes".to_owned(),
        };
    };
    let mut text = match tls.client_certificate {
        ClientCertificate::None => "TLS".to_owned(),
        ClientCertificate::Optional => "TLS, client certificate verified if presented".to_owned(),
        ClientCertificate::Required => "TLS with a client certificate".to_owned(),
    };
    if !tls.trust_domains.is_empty() {
        text.push_str(" of trust domain ");
        text.push_str(&tls.trust_domains.join(" or "));
    }
    if !tls.subject_alt_names.is_empty() {
        text.push_str(" named ");
        text.push_str(&tls.subject_alt_names.join(" or "));
    }
    text
}

fn got(connection: &ConnectionFacts<'_>) -> String {
    match &connection.tls {
        None => "plaintext".to_owned(),
        Some(tls) => match &tls.peer {
            None => "TLS without a client certificate".to_owned(),
            Some(peer) => format!("TLS, client certificate {peer}"),
        },
    }
}
