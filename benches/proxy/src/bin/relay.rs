//! Bytes from here to there and back: what any proxy on this runtime costs at least. `relay ADDRESS UPSTREAM`.

use std::io;

use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(upstream)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: relay ADDRESS UPSTREAM"));
    };
    let upstream: &'static str = upstream.leak();
    let listener = TcpListener::bind(address).await?;
    loop {
        let (mut near, _) = listener.accept().await?;
        near.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut far = TcpStream::connect(upstream).await?;
            far.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await.map(drop)
        });
    }
}
