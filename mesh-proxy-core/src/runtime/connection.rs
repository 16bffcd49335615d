//! One connection: which listener and filter chain take it, then what the chain runs.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::cluster::Cluster;
use mesh_compile::proxy::listener::{Direction, FilterChain, Listener, Network, Transport};
use mesh_compile::proxy::proxy_headers::{ClientCertificateHeader, ProxyHeaders};
use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
use tokio_rustls::server::TlsStream;

use super::arrival::Arrival;
use super::client_certificate::ShownCertificate;
use super::connection_notes;
use super::first_bytes::{self, FirstBytes, Prefixed, Wanted};
use super::live::Generation;
use super::prelude::{Heard, Prelude};
use super::proxy::{CountsPanic, Inner};
use super::tls::server::Client;
use super::turned_away::Reason;
use super::{http_server, proxy_protocol, tcp};
use crate::canonical::Terminated;
use crate::decision::RefuseReason;
use crate::filter_chain_match::{self, Inspected};
use crate::listener_match;
use crate::query::Connected;
use crate::seam::dial::Io;
use crate::telemetry::connections::ConnectionRecord;
use crate::telemetry::peer::Peer;
use crate::transport::{self, Accepted};

/// A connection whose chain is chosen, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) proxy: Arc<Inner>,
    pub(crate) arrival: Arrival,
    /// The physical peer, or the client that it named in a PROXY protocol header.
    pub(crate) client: SocketAddr,
    pub(crate) facts: ConnectionFacts<'static>,
    /// What the HTTP inspector saw.
    sniffed: Option<(HttpVersion, String)>,
    /// Lower case.
    server_name: Option<String>,
    /// The client of the TLS that this proxy terminated; `None`: it did not.
    terminated: Option<Client>,
    /// Who the proxy is to the client of that TLS.
    own: Option<Arc<str>>,
    /// The certificate that it has shown; `None`: it has shown none.
    certificate: Option<Box<ShownCertificate>>,
    /// Whether client and proxy have agreed on HTTP/2 while they did so.
    is_http2: bool,
    /// What logs may tell of it.
    note: Arc<ConnectionRecord>,
    /// The client's workload, once it has told of itself before its bytes; `None`: it never will.
    heard: Option<Heard>,
}

/// A connection in one generation of the configuration.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) generation: Arc<Generation>,
    listener: Arc<Listener>,
    /// `None`: the default chain.
    chain: Option<usize>,
}

impl Standing {
    pub(crate) fn chain(&self) -> Option<&FilterChain> {
        match self.chain {
            Some(at) => self.listener.filter_chains.get(at),
            None => self.listener.default_chain.as_ref(),
        }
    }
}

impl Connection {
    /// Where it stands in a generation; `None`: that one would not take it.
    ///
    /// TLS that is done stays done: a chain that terminates differently does not take it.
    pub(crate) fn stand_in(&self, generation: Arc<Generation>) -> Option<Standing> {
        let standing = find(generation, self.arrival.direction, &self.facts, self.sniffed.as_ref())?;
        self.fits(&standing).then_some(standing)
    }

    /// Whether a chain accepts the transport as it is.
    fn fits(&self, standing: &Standing) -> bool {
        let Some(chain) = standing.chain() else { return false };
        match (&chain.tls, &self.terminated) {
            // A verified certificate without a URI is nobody that rules could name; it is accepted all the same where
            // no names are asked for.
            (Some(tls), Some(Client::Verified(None))) => {
                tls.trust_domains.is_empty() && tls.subject_alt_names.is_empty()
                    || tls.root.as_deref() != Some("ROOTCA") && tls.trust_domains.is_empty()
            }
            (Some(tls), Some(Client::Verified(Some(_)))) if tls.trust_domains.is_empty() => true,
            (Some(_), Some(_)) | (None, None) => transport::accept(chain, &self.facts, &mut ()).is_ok(),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// SNI of the client, lower case.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether this proxy terminated TLS.
    pub(crate) fn is_terminated(&self) -> bool {
        self.terminated.is_some()
    }

    /// Whether the handshake has settled that HTTP/2 is spoken.
    pub(crate) fn has_agreed_on_http2(&self) -> bool {
        self.is_http2
    }

    /// URI SAN of the client certificate that this proxy verified.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.facts.tls.as_ref().and_then(|tls| tls.peer.as_deref()).filter(|_| self.terminated.is_some())
    }

    /// URI SAN of the certificate that the client was shown.
    pub(crate) fn own(&self) -> Option<&Arc<str>> {
        self.own.as_ref()
    }

    /// What logs may tell of it.
    pub(crate) fn note(&self) -> &Arc<ConnectionRecord> {
        &self.note
    }

    /// Whether the client showed a certificate that was verified.
    pub(crate) fn has_certificate(&self) -> bool {
        matches!(self.terminated, Some(Client::Verified(_)))
    }

    /// The client's workload, if it has told of itself before its bytes.
    pub(crate) fn heard(&self) -> Option<&Arc<Peer>> {
        self.heard.as_ref()?.get()
    }

    /// What goes in front of connections to a cluster that wants to know whose they are.
    pub(crate) fn preface(&self, cluster: &Cluster) -> Option<Bytes> {
        let version = cluster.proxy_protocol?;
        Some(proxy_protocol::header(version, self.client, self.arrival.destination))
    }

    /// What `x-forwarded-client-cert` tells of the client where a chain's settings want that.
    pub(crate) fn certificate_element(&self, headers: &ProxyHeaders) -> Option<HeaderValue> {
        match headers.client_certificate {
            ClientCertificateHeader::AppendForward(details)
            | ClientCertificateHeader::SanitizeSet(details) => self.certificate.as_ref()?.element(details),
            _ => None,
        }
    }

    /// The connection as the evaluator knows it. `element`: what it tells of the client's certificate.
    pub(crate) fn connected<'q>(
        &'q self,
        config: &'q ProxyConfig,
        request: Option<&'q RequestFacts<'q>>,
        element: Option<&'q HeaderValue>,
        now: i64,
    ) -> Connected<'q> {
        let terminated = match (&self.terminated, &self.certificate) {
            (None, _) => Terminated::No,
            (Some(_), None) => Terminated::Anonymous,
            (Some(_), Some(_)) => Terminated::Certified(element.map(HeaderValue::as_bytes)),
        };
        Connected {
            terminated,
            config,
            connection: &self.facts,
            request,
            now,
            server_name: self.server_name.as_deref(),
            accepted: Accepted { terminated: self.terminated.is_some(), peer: self.peer() },
        }
    }
}

/// Serves a connection to its end. What no chain takes is closed.
///
/// Each stage is on the heap for as long as it lasts: connections wait in the last one by the thousand, and carry no room
/// for those before.
pub(crate) async fn serve<T: Io>(proxy: Arc<Inner>, stream: T, arrival: Arrival) {
    let counting = Arc::clone(&proxy);
    let _counts = CountsPanic(Arc::clone(&proxy));
    match Box::pin(open(proxy, stream, arrival)).await {
        Ok(Opened::Plain(connection, standing, stream)) => run(connection, standing, stream).await,
        Ok(Opened::Tls(connection, standing, stream)) => run(connection, standing, stream).await,
        Ok(Opened::Told(connection, standing, stream)) => run(connection, standing, *stream).await,
        Err(Why(reason, why)) => {
            counting.turned_away.count(reason);
            tracing::debug!(?arrival, ?reason, %why, "a connection is not served");
        }
    }
}

/// A connection whose chain is chosen, and what is left to read of it.
enum Opened<T> {
    Plain(Arc<Connection>, Standing, Prefixed<T>),
    Tls(Arc<Connection>, Standing, Box<TlsStream<Prefixed<T>>>),
    Told(Arc<Connection>, Standing, Box<Prelude<Box<TlsStream<Prefixed<T>>>>>),
}

/// Why a connection is closed, for metrics and for the log.
struct Why(Reason, Cow<'static, str>);

/// Why, in words that say it all.
fn why(reason: Reason, words: &'static str) -> Why {
    Why(reason, Cow::Borrowed(words))
}

/// Finds out what is spoken and who the client is.
///
/// # Errors
/// It is not served.
async fn open<T: Io>(proxy: Arc<Inner>, mut stream: T, arrival: Arrival) -> Result<Opened<T>, Why> {
    let mut facts = arrival.facts();
    let mut note = connection_notes::begin(Some(arrival.peer));
    let (wanted, is_proxied) = {
        let generation = proxy.live.load();
        let listener = listener_match::find(&generation.config, arrival.direction, &facts, &mut ())
            .ok_or_else(|| why(Reason::NoListener, "nothing listens there"))?;
        (wanted(listener, facts.dst_port), listener.proxy_protocol)
    };
    let mut client = arrival.peer;
    if is_proxied {
        let reading = proxy_protocol::read(&mut stream);
        let named = tokio::time::timeout(proxy.options.patience.detection, reading)
            .await
            .map_err(|_| why(Reason::ProxyProtocol, "no PROXY protocol in time"))?
            .map_err(|error| Why(Reason::ProxyProtocol, format!("no PROXY protocol: {error}").into()))?;
        client = named.unwrap_or(client);
        facts.proxied_ip = named.map(|named| named.ip().to_canonical());
    }
    let options = &proxy.options;
    let (first, stream) =
        first_bytes::look(stream, wanted, options.limits.first_bytes, options.patience.detection)
            .await
            .map_err(|error| {
                Why(Reason::Broken, format!("it broke before it said anything: {error}").into())
            })?;
    let mut sniffed = None;
    match first {
        FirstBytes::Tls(hello) => {
            facts.tls = Some(TlsFacts {
                sni: hello.server_name.map(Cow::Owned),
                alpn: hello.alpn.into_iter().map(Cow::Owned).collect(),
                peer: None,
            });
        }
        FirstBytes::Http(version, method) => sniffed = Some((version, method)),
        FirstBytes::Other => {}
    }
    let no_chain = || why(Reason::NoFilterChain, "no filter chain takes it");
    let standing =
        find(proxy.live.load_full(), arrival.direction, &facts, sniffed.as_ref()).ok_or_else(no_chain)?;
    let chain = standing.chain().ok_or_else(no_chain)?;
    note.filter_chain = Some(Arc::clone(&chain.name)).filter(|name| !name.is_empty());
    let server_name = server_name(&facts);
    let mut connection = Connection {
        proxy,
        arrival,
        client,
        facts,
        sniffed,
        server_name,
        terminated: None,
        own: None,
        note: Arc::new(note),
        heard: None,
        certificate: None,
        is_http2: false,
    };
    let Some(wanted) = chain.tls.clone() else {
        transport::accept(chain, &connection.facts, &mut ())
            .map_err(|refused| why(Reason::NotAccepted, RefuseReason::as_str(refused)))?;
        return Ok(Opened::Plain(Arc::new(connection), standing, stream));
    };
    let proxy = &connection.proxy;
    let offered = connection.facts.tls.as_ref().map(|tls| tls.alpn.clone()).unwrap_or_default();
    let handshake = Box::pin(proxy.tls.terminate(&wanted, &offered, stream));
    let terminated = tokio::time::timeout(proxy.options.patience.handshake, handshake)
        .await
        .map_err(|_| why(Reason::TlsTimeout, "the TLS handshake took too long"))?
        .map_err(|error| {
            Why(Reason::of_handshake(&error), format!("the TLS handshake failed: {error}").into())
        })?;
    // A chain without inspected TLS has no facts of it.
    let tls = connection.facts.tls.get_or_insert_default();
    if let Client::Verified(Some(peer)) = &terminated.client {
        tls.peer = Some(Cow::Owned(peer.clone()));
    }
    connection.terminated = Some(terminated.client);
    connection.own = terminated.own;
    if let Some(note) = Arc::get_mut(&mut connection.note) {
        (note.handshaken, note.tls) = (Some(Instant::now()), Some(terminated.note));
    }
    connection.certificate = ShownCertificate::of(&connection.note).map(Box::new);
    connection.is_http2 = terminated.is_http2;
    if !connection.fits(&standing) {
        return Err(why(Reason::TlsClientCertificateName, "the client's certificate is not accepted"));
    }
    if let Some(message) = connection.proxy.peers.message().filter(|_| terminated.has_prelude) {
        let patience = connection.proxy.options.patience.handshake;
        let stream = Prelude::exchange(terminated.stream, message, patience).await.map_err(|error| {
            Why(Reason::Broken, format!("it broke before it said anything: {error}").into())
        })?;
        connection.heard = Some(Arc::clone(stream.heard()));
        return Ok(Opened::Told(Arc::new(connection), standing, Box::new(stream)));
    }
    Ok(Opened::Tls(Arc::new(connection), standing, terminated.stream))
}

async fn run<T: Io>(connection: Arc<Connection>, standing: Standing, stream: T) {
    let Some(chain) = standing.chain() else { return };
    match chain.network {
        Network::Http(_) => Box::pin(http_server::serve(connection, standing, stream)).await,
        Network::Tcp(_) => Box::pin(tcp::serve(connection, standing, stream)).await,
    }
}

fn server_name(facts: &ConnectionFacts<'_>) -> Option<String> {
    let name = facts.tls.as_ref()?.sni.as_deref()?.to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

fn find(
    generation: Arc<Generation>,
    direction: Direction,
    facts: &ConnectionFacts<'static>,
    sniffed: Option<&(HttpVersion, String)>,
) -> Option<Standing> {
    let found = listener_match::find(&generation.config, direction, facts, &mut ())?;
    let listener =
        generation.config.listeners.iter().find(|listener| std::ptr::eq(&raw const ***listener, found))?;
    let request = sniffed.map(|(version, method)| line_only(*version, method));
    let inspected = Inspected::new(listener, facts, request.as_ref());
    let chain = filter_chain_match::find(listener, &inspected, &mut ())?;
    let chain = listener.filter_chains.iter().position(|candidate| std::ptr::eq(candidate, chain));
    let listener = Arc::clone(listener);
    Some(Standing { generation, listener, chain })
}

/// A request of which only version and method are known: all that the inspector looks at.
fn line_only(version: HttpVersion, method: &str) -> RequestFacts<'_> {
    RequestFacts {
        version,
        method: Cow::Borrowed(method),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed(""),
        path: Cow::Borrowed("/"),
        headers: Headers::default(),
    }
}

/// What must be known of the first bytes to choose a chain. Protocols in which the server speaks first are not kept
/// waiting where nothing depends on it.
fn wanted(listener: &Listener, port: u16) -> Wanted {
    let chains = || {
        let of_port = listener
            .filter_chains
            .iter()
            .filter(move |chain| chain.matches.destination_port.is_none_or(|wanted| wanted == port));
        of_port.chain(&listener.default_chain)
    };
    let tls = chains().any(|chain| {
        chain.tls.is_some()
            || chain.matches.transport == Some(Transport::Tls)
            || !chain.matches.server_names.is_empty()
    });
    let http =
        listener.http_inspector && chains().any(|chain| !chain.matches.application_protocols.is_empty());
    Wanted { tls, http }
}
