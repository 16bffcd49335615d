//! An upstream that costs next to nothing: answers every request head with the same 128 bytes of body.
//!
//! `upstream ADDRESS`. Requests have no bodies here, so a blank line is the end of one.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const END: &[u8] = b"\r\n\r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: upstream ADDRESS"))?;
    let listener = TcpListener::bind(address).await?;
    let body = "x".repeat(128);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 128\r\n\r\n{body}");
    let answer: &'static [u8] = answer.leak().as_bytes();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, answer));
    }
}

async fn serve(mut stream: TcpStream, answer: &'static [u8]) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let heads = buffer[..filled].windows(END.len()).filter(|window| *window == END).count();
        for _ in 0..heads {
            stream.write_all(answer).await?;
        }
        if heads > 0 && buffer[..filled].ends_with(END) {
            filled = 0;
        } else if filled == buffer.len() {
            return Err(io::Error::other("a head without an end"));
        }
    }
}
