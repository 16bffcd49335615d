//! An upstream that misbehaves as it is told to, byte by byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections are served by a function of the test's own.
pub struct Shim {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    /// Heads of requests that [`Heard::head`] read.
    pub heads: Arc<Mutex<Vec<String>>>,
}

/// A connection of a shim.
pub struct Heard {
    pub stream: TcpStream,
    /// How many connections came before.
    pub number: usize,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Shim {
    pub async fn start<F, Fut>(serve: F) -> Self
    where
        F: Fn(Heard) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::start_at("127.0.0.1:0", serve).await
    }

    pub async fn start_at<F, Fut>(address: &str, serve: F) -> Self
    where
        F: Fn(Heard) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let shim = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            heads: Arc::default(),
        };
        let (connections, heads) = (Arc::clone(&shim.connections), Arc::clone(&shim.heads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Heard { stream, number, heads: Arc::clone(&heads) }));
            }
        });
        shim
    }

    /// Answers every request with the same bytes, on connections that stay; `close`: they do not.
    pub async fn answering(bytes: impl Into<Vec<u8>>, close: bool) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |mut heard| {
            let bytes = Arc::clone(&bytes);
            async move {
                while heard.head().await.is_some() {
                    if heard.stream.write_all(&bytes).await.is_err() || close {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// How many requests were heard of.
    pub fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Heard {
    /// Reads a head; `None`: the connection ended before.
    pub async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    pub async fn say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// Keeps the connection until the other side ends it.
    pub async fn hold(mut self) {
        let mut buffer = vec![0; 4096];
        while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
    }
}
