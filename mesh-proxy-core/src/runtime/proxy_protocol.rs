//! The PROXY protocol, versions 1 and 2: the line or block in front of a connection that tells whose it is.
//!
//! Read where a gateway's listener has it (then every connection must begin with one), written to clusters that a
//! DestinationRule asks it for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a block of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LINE_MAX: usize = 107;
/// The most bytes of addresses and extensions that a block of version 2 may have here.
const BLOCK_MAX: usize = 4096;

/// Reads a header, and not a byte more; the client that it names, `None`: it names none (`UNKNOWN`, `LOCAL`).
///
/// # Errors
/// The stream's, or `InvalidData`: the bytes are no such header.
pub(crate) async fn read<T: AsyncRead + Unpin>(stream: &mut T) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == *SIGNATURE { read_block(stream).await } else { read_line(stream, &start).await }
}

async fn read_line<T: AsyncRead + Unpin>(stream: &mut T, start: &[u8]) -> io::Result<Option<SocketAddr>> {
    if !start.starts_with(b"PROXY ") {
        return Err(malformed("no PROXY protocol header"));
    }
    let mut line = start.to_vec();
    // Byte by byte: what follows the line is the client's.
    while !line.ends_with(b"\n") {
        if line.len() >= LINE_MAX {
            return Err(malformed("the line is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    let line = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    client_of_line(line.ok_or_else(|| malformed("the line does not end as it must"))?)
}

fn client_of_line(line: &str) -> io::Result<Option<SocketAddr>> {
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        return Ok(None);
    }
    let [source, target, source_port, target_port] =
        std::array::from_fn(|_| words.next().unwrap_or_default());
    let wanted = |text: &str| {
        let address: IpAddr = text.parse().ok()?;
        let fits = matches!((family, address), (Some("TCP4"), IpAddr::V4(_)) | (Some("TCP6"), IpAddr::V6(_)));
        fits.then_some(address)
    };
    let port = |text: &str| {
        let is_plain =
            text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse::<u16>().ok().filter(|_| is_plain)
    };
    match (wanted(source), wanted(target), port(source_port), port(target_port), words.next()) {
        (Some(address), Some(_), Some(port), Some(_), None) => Ok(Some(SocketAddr::new(address, port))),
        _ => Err(malformed("the line is no PROXY protocol")),
    }
}

async fn read_block<T: AsyncRead + Unpin>(stream: &mut T) -> io::Result<Option<SocketAddr>> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if length > BLOCK_MAX {
        return Err(malformed("the block is too long"));
    }
    let mut block = vec![0; length];
    stream.read_exact(&mut block).await?;
    match command {
        // LOCAL: the peer speaks for itself.
        0x20 => Ok(None),
        0x21 => client_of_block(family, &block),
        _ => Err(malformed("neither PROXY nor LOCAL of version 2")),
    }
}

fn client_of_block(family: u8, block: &[u8]) -> io::Result<Option<SocketAddr>> {
    let too_short = || malformed("the block is too short for its addresses");
    match family {
        // Nothing that could be named.
        0x00 => Ok(None),
        // TCP over IPv4, over IPv6: both addresses, then both ports. Extensions that follow are passed over.
        0x11 => {
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *block.first_chunk().ok_or_else(too_short)?;
            let address = Ipv4Addr::new(a, b, c, d);
            Ok(Some(SocketAddr::new(address.into(), u16::from_be_bytes([high, low]))))
        }
        0x21 => {
            let addresses: &[u8; 36] = block.first_chunk().ok_or_else(too_short)?;
            let source: [u8; 16] = *addresses.first_chunk().ok_or_else(too_short)?;
            let [high, low, _, _] = *addresses.last_chunk().ok_or_else(too_short)?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(source).into(), u16::from_be_bytes([high, low]))))
        }
        _ => Err(malformed("addresses of a kind that no TCP connection has")),
    }
}

/// The header for a connection on behalf of a client that dialled `dialled`. `version`: `V1` or `V2`.
pub(crate) fn header(version: &str, client: SocketAddr, dialled: SocketAddr) -> Bytes {
    let (source, target) = (client.ip().to_canonical(), dialled.ip().to_canonical());
    let (source_port, target_port) = (client.port(), dialled.port());
    if version == "V1" {
        let family = match (source, target) {
            (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
            (IpAddr::V6(_), IpAddr::V6(_)) => "TCP6",
            _ => return Bytes::from_static(b"PROXY UNKNOWN\r\n"),
        };
        return format!("PROXY {family} {source} {target} {source_port} {target_port}\r\n").into();
    }
    let mut block = SIGNATURE.to_vec();
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            block.extend([0x21, 0x11, 0, 12]);
            block.extend(source.octets());
            block.extend(target.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            block.extend([0x21, 0x21, 0, 36]);
            block.extend(source.octets());
            block.extend(target.octets());
        }
        _ => {
            block.extend([0x20, 0x00, 0, 0]);
            return block.into();
        }
    }
    block.extend(source_port.to_be_bytes());
    block.extend(target_port.to_be_bytes());
    block.into()
}

fn malformed(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(bytes: &[u8]) -> Result<Option<SocketAddr>, io::ErrorKind> {
        let mut rest = bytes;
        let found = read(&mut rest).await.map_err(|error| error.kind());
        if found.is_ok() {
            assert_eq!(rest, b"after", "{bytes:?}");
        }
        found
    }

    fn block(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, body, b"after"].concat()
    }

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        for (client, dialled) in [
            ("203.0.113.7:4711", "10.0.0.1:80"),
            ("[2001:db8::7]:4711", "[2001:db8::1]:443"),
            ("[::ffff:203.0.113.7]:1", "10.0.0.1:80"),
        ] {
            let (client, dialled): (SocketAddr, SocketAddr) =
                (client.parse().unwrap(), dialled.parse().unwrap());
            for version in ["V1", "V2"] {
                let bytes = [&header(version, client, dialled)[..], b"after"].concat();
                let wanted = SocketAddr::new(client.ip().to_canonical(), client.port());
                assert_eq!(of(&bytes).await, Ok(Some(wanted)), "{version} {client}");
            }
        }
        let (v4, v6) = ("1.2.3.4:5".parse().unwrap(), "[::2]:5".parse().unwrap());
        for version in ["V1", "V2"] {
            assert_eq!(of(&[&header(version, v4, v6)[..], b"after"].concat()).await, Ok(None));
        }
    }

    #[tokio::test]
    async fn unknown_local_and_unspecified_name_nobody() {
        assert_eq!(of(b"PROXY UNKNOWN\r\nafter").await, Ok(None));
        assert_eq!(of(b"PROXY UNKNOWN ff::1 ff::2 1 2\r\nafter").await, Ok(None));
        assert_eq!(of(&block(0x20, 0x11, &[1; 12])).await, Ok(None));
        assert_eq!(of(&block(0x20, 0x00, &[])).await, Ok(None));
        assert_eq!(of(&block(0x21, 0x00, &[9; 7])).await, Ok(None));
    }

    #[tokio::test]
    async fn extensions_are_passed_over() {
        let with_extension =
            [&[203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80][..], &[0x04, 0, 1, 0]].concat();
        let wanted = Some("203.0.113.7:4711".parse().unwrap());
        assert_eq!(of(&block(0x21, 0x11, &with_extension)).await, Ok(wanted));
    }

    #[tokio::test]
    async fn nothing_else_is_a_header() {
        let invalid = Err(io::ErrorKind::InvalidData);
        for line in [
            "GET / HTTP/1.1\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nafter",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\nafter",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\nafter",
            "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\nafter",
            "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\nafter",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\nafter",
            "PROXY TCP4 ::1 ::2 1 2\r\nafter",
            "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\nafter",
            "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\nafter",
            "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\nafter",
            "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\nafter",
            "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\nafter",
        ] {
            assert_eq!(of(line.as_bytes()).await, invalid, "{line:?}");
        }
        assert_eq!(of(format!("PROXY UNKNOWN {}", "x".repeat(200)).as_bytes()).await, invalid);
        assert_eq!(of(&block(0x21, 0x11, &[1; 11])).await, invalid);
        assert_eq!(of(&block(0x21, 0x21, &[1; 35])).await, invalid);
        assert_eq!(of(&block(0x22, 0x11, &[1; 12])).await, invalid);
        assert_eq!(of(&block(0x11, 0x11, &[1; 12])).await, invalid);
        assert_eq!(of(&block(0x21, 0x12, &[1; 12])).await, invalid);
        assert_eq!(of(&block(0x21, 0x11, &[1; 5000])).await, invalid);
        assert_eq!(of(b"PROXY TCP4").await, Err(io::ErrorKind::UnexpectedEof));
    }
}
