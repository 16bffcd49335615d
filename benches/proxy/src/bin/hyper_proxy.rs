//! The least that makes a proxy of hyper: an upstream connection for each client's, the connection's own headers taken
//! off, nothing else. `hyper_proxy ADDRESS UPSTREAM`.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

/// The upstream connection, put back once an answer has begun: the next request of HTTP/1 waits for its end anyway.
type Kept = Rc<Cell<Option<SendRequest<Incoming>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(upstream)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: hyper_proxy ADDRESS UPSTREAM"));
    };
    LocalSet::new().run_until(accept(TcpListener::bind(address).await?, upstream.leak())).await
}

async fn accept(listener: TcpListener, upstream: &'static str) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let kept = Kept::default();
        spawn_local(async move {
            let service = service_fn(move |request| serve(request, Rc::clone(&kept), upstream));
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}

async fn serve(
    mut request: Request<Incoming>,
    kept: Kept,
    upstream: &'static str,
) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        request.headers_mut().remove(name);
    }
    let mut sender = match kept.take() {
        Some(sender) => sender,
        None => connect(upstream).await?,
    };
    sender.ready().await?;
    let mut response = sender.send_request(request).await?;
    response.headers_mut().remove(CONNECTION);
    kept.set(Some(sender));
    Ok(response)
}

async fn connect(upstream: &str) -> io::Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    spawn_local(connection);
    Ok(sender)
}
