//! Key sets fetched over HTTP and HTTPS, straight from the network and not through the mesh, as Istio's control plane
//! does it (S-288, S-293).
//!
//! Names are looked up first and their addresses judged before anything is dialled, at each hop of a redirect: what
//! points at the machine's own link is not asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use mesh_authz::jwks_store::{Fetch, FetchProblem};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::certificates;
use super::tls::material;
use crate::seam::dial::{BoxIo, Dial, LocalAddress, SystemDial, Target};
use crate::seam::key_fetch::{Fetched, KeyFetch};
use crate::seam::resolve::{Resolve, SystemResolver};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// Fetches over HTTP/1.1, with TLS 1.2 at least where the address says `https` (S-288, S-293).
#[derive(Debug, Clone)]
pub struct OverHttp {
    resolver: Arc<dyn Resolve>,
    dial: Arc<dyn Dial>,
    /// `None`: `https` cannot be spoken.
    tls: Option<Arc<ClientConfig>>,
    blocked: Vec<IpNet>,
}

impl Default for OverHttp {
    fn default() -> Self {
        Self::new()
    }
}

impl OverHttp {
    /// With the system's resolver, sockets and authorities.
    pub fn new() -> Self {
        let pem = certificates::system_authorities();
        let new = Self {
            resolver: Arc::new(SystemResolver::default()),
            dial: Arc::new(SystemDial::default()),
            tls: None,
            blocked: Vec::new(),
        };
        match pem {
            Some(pem) => new.roots(&pem),
            None => new,
        }
    }

    /// Other authorities for `https`, as PEM; without a usable one `https` is not spoken.
    #[must_use]
    pub fn roots(mut self, pem: &[u8]) -> Self {
        let config = material::roots(pem).and_then(|roots| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?;
            Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
        });
        if let Err(problem) = &config {
            tracing::warn!(problem, "key sets cannot be fetched over https");
        }
        self.tls = config.ok();
        self
    }

    /// Another resolver.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Another way to make connections; it is given addresses, never names.
    #[must_use]
    pub fn dial(mut self, dial: impl Dial + 'static) -> Self {
        self.dial = Arc::new(dial);
        self
    }

    /// Addresses that are not asked, besides link-local ones (`BLOCKED_CIDRS_IN_JWKS_URIS`).
    #[must_use]
    pub fn blocked(mut self, addresses: impl Into<Vec<IpNet>>) -> Self {
        self.blocked = addresses.into();
        self
    }

    /// Asks for a document, along redirects; the answer is read where it is a success.
    ///
    /// # Errors
    /// There is none, or it is too long.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Got, Problem> {
        let mut url: Uri = question.url.parse().map_err(|_| "no address")?;
        let mut authorization = question.authorization;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(&url, question.accept, authorization).await?;
            if response.status().is_redirection() {
                let to = next(&url, &response)?;
                // A secret is for whom it was meant.
                authorization = authorization.filter(|_| to.authority() == url.authority());
                url = to;
                continue;
            }
            let (parts, body) = response.into_parts();
            let (status, headers) = (parts.status, parts.headers);
            if !status.is_success() {
                return Ok(Got { status, headers, body: Bytes::new() });
            }
            let body = Limited::new(body, question.bytes_max).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Problem::TooLong
                } else {
                    Problem::Failed(error.to_string())
                }
            })?;
            return Ok(Got { status, headers, body });
        }
        Err("too many redirects".into())
    }

    async fn get(&self, fetch: &Fetch) -> Result<Bytes, Problem> {
        let (url, bytes_max) = (&*fetch.url, fetch.body_bytes_max);
        let question = Question { url, accept: "application/json", authorization: None, bytes_max };
        let got = self.ask(&question).await?;
        if !got.status.is_success() {
            return Err(Problem::Failed(format!("it answered {}", got.status)));
        }
        Ok(got.body)
    }

    async fn send(
        &self,
        url: &Uri,
        accept: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, Problem> {
        let authority = url.authority().ok_or("no host in the address")?;
        let is_https = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err("neither http nor https".into()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let stream = self.connect(host, port, is_https).await?;
        let (mut sender, connection) =
            http1::Builder::new().max_headers(100).handshake(TokioIo::new(stream)).await?;
        // Ends with the sender and the body, both of which are this call's.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection for a document ended");
            }
        });
        let target = url.path_and_query().map_or("/", |target| target.as_str());
        let host = HeaderValue::from_str(authority.host())
            .ok()
            .filter(|_| authority.port().is_none())
            .or_else(|| HeaderValue::from_str(&format!("{}:{port}", authority.host())).ok());
        let mut request = Request::get(target)
            .header(HOST, host.ok_or("no host in the address")?)
            .header(ACCEPT, accept)
            .header(USER_AGENT, "mesh")
            .body(Empty::<Bytes>::new())
            .map_err(|error| Problem::Failed(error.to_string()))?;
        if let Some(authorization) = authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        Ok(sender.send_request(request).await?)
    }

    async fn connect(&self, host: &str, port: u16, is_https: bool) -> Result<BoxIo, Problem> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                self.resolver.resolve(host).await.map_err(|error| Problem::Failed(error.to_string()))?
            }
        };
        let mut problem = Problem::from("no address that may be asked");
        for address in addresses.into_iter().map(|address| address.to_canonical()) {
            if !self.may_ask(address) {
                tracing::warn!(host, %address, "an address of a host is not asked for a document");
                continue;
            }
            let address: Arc<str> = SocketAddr::new(address, port).to_string().into();
            let target = Target { address, source: None, keepalive: None, local: LocalAddress::default() };
            match self.dial.dial(target).await {
                Ok(stream) if is_https => return self.secure(host, stream).await,
                Ok(stream) => return Ok(stream),
                Err(error) => problem = Problem::Failed(error.to_string()),
            }
        }
        Err(problem)
    }

    async fn secure(&self, host: &str, stream: BoxIo) -> Result<BoxIo, Problem> {
        let config = self.tls.as_ref().ok_or("there are no authorities for https")?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "no server name")?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| Problem::Failed(error.to_string()))?))
    }

    /// Link-local addresses lead to the metadata of clouds; the others are nobody's host.
    fn may_ask(&self, address: IpAddr) -> bool {
        let is_never = match address {
            IpAddr::V4(address) => {
                address.is_link_local()
                    || address.is_broadcast()
                    || address.is_multicast()
                    || address.is_unspecified()
            }
            IpAddr::V6(address) => {
                address.is_unicast_link_local() || address.is_multicast() || address.is_unspecified()
            }
        };
        !is_never && !self.blocked.iter().any(|blocked| blocked.contains(&address))
    }
}

/// Where a redirect leads. What began with TLS goes on with it.
fn next(from: &Uri, response: &Response<Incoming>) -> Result<Uri, Problem> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location: Uri = location.and_then(|location| location.parse().ok()).ok_or("a redirect to nowhere")?;
    let mut parts = from.clone().into_parts();
    if location.authority().is_some() {
        if from.scheme() == Some(&Scheme::HTTPS) && location.scheme() != Some(&Scheme::HTTPS) {
            return Err("a redirect away from https".into());
        }
        return Ok(location);
    }
    parts.path_and_query = location.path_and_query().cloned();
    Uri::from_parts(parts).map_err(|error| Problem::Failed(error.to_string()))
}

impl KeyFetch for OverHttp {
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Fetched<'a> {
        Box::pin(async move {
            self.get(fetch).await.map_err(|problem| {
                // What came is never told: it may be of an address that nobody should see (S-293).
                tracing::debug!(url = fetch.url, %problem, "keys were not fetched");
                match problem {
                    Problem::TooLong => FetchProblem::TooLong,
                    Problem::Failed(_) => FetchProblem::Failed,
                }
            })
        })
    }
}

/// A document that is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) url: &'q str,
    pub(crate) accept: &'q str,
    /// For the host of the address alone.
    pub(crate) authorization: Option<&'q HeaderValue>,
    pub(crate) bytes_max: usize,
}

/// An answer; its body where it is a success.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    #[cfg_attr(
        not(feature = "wasm"),
        expect(dead_code, reason = "registries of images say there who lets in")
    )]
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("the answer is too long")]
    TooLong,
    #[error("{0}")]
    Failed(String),
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self::Failed(text.to_owned())
    }
}

impl From<hyper::Error> for Problem {
    fn from(error: hyper::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
