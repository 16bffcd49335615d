#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn prelude(workload: &str, rest: &[u8]) -> Vec<u8> {
    let peer = Peer { workload: workload.into(), ..Peer::default() };
    let message = peer.to_message("id");
    let mut bytes = [&MAGIC.to_be_bytes()[..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat();
    bytes.extend(message);
    bytes.extend(rest);
    bytes
}

/// What is read where the other side sends `bytes` in pieces of so many; and the workload that it told of.
fn read(bytes: &[u8], piece: usize) -> (io::Result<Vec<u8>>, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(piece.max(1));
        let sent = bytes.to_vec();
        let writing = async move {
            // Ours comes first, whatever the other side does.
            let mut head = [0; HEAD + 3];
            far.read_exact(&mut head).await.unwrap();
            assert_eq!(head, *b"\x3d\x23\x04\x67\0\0\0\x03own");
            let _ = far.write_all(&sent).await;
        };
        let reading = async {
            let mut stream = Prelude::exchange(near, &Bytes::from_static(b"own"), PATIENCE).await.unwrap();
            let mut all = Vec::new();
            let result = stream.read_to_end(&mut all).await.map(|_| all);
            (result, stream.heard().get().map(|peer| peer.workload.to_string()))
        };
        tokio::join!(writing, reading).1
    })
}

#[test]
fn a_prelude_is_read_and_taken_off() {
    for piece in [1, 7, 1000] {
        let (rest, heard) = read(&prelude("web", b"GET"), piece);
        assert_eq!((rest.unwrap(), heard.as_deref()), (b"GET".to_vec(), Some("web")), "{piece}");
    }
}

#[test]
fn bytes_without_a_prelude_are_passed_on() {
    for text in ["", "SSH", "SSH-2.0-OpenSSH", "\x3d\x23\x04"] {
        let (rest, heard) = read(text.as_bytes(), 64);
        assert_eq!((rest.unwrap(), heard), (text.as_bytes().to_vec(), None), "{text}");
    }
}

#[test]
fn a_message_that_never_ends_is_not_read() {
    let endless = [&MAGIC.to_be_bytes()[..], &[0xff; 4], &[7; 100]].concat();
    assert_eq!(read(&endless, 64).0.unwrap_err().kind(), io::ErrorKind::InvalidData);
    // One that is cut off is nothing of the stream's.
    let whole = prelude("web", b"");
    let (rest, heard) = read(&whole[..whole.len() - 1], 64);
    assert_eq!((rest.unwrap(), heard), (Vec::new(), None));
    // Nor is one that cannot be read.
    let odd = [&MAGIC.to_be_bytes()[..], &[0, 0, 0, 2], &[0xff; 2], b"rest"].concat();
    assert_eq!((read(&odd, 64).0.unwrap(), read(&odd, 64).1), (b"rest".to_vec(), None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn all_that_follows_arrives(
        rest in proptest::collection::vec(any::<u8>(), 0..2000),
        piece in 1..600_usize,
        has_prelude: bool,
    ) {
        prop_assume!(has_prelude || !rest.starts_with(&MAGIC.to_be_bytes()));
        let bytes = if has_prelude { prelude("web", &rest) } else { rest.clone() };
        let (read, heard) = read(&bytes, piece);
        prop_assert_eq!((read.unwrap(), heard.is_some()), (rest, has_prelude));
    }
}

#[test]
fn one_that_does_not_take_what_it_is_told_is_waited_for_no_longer_than_there_is_patience() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (near, far) = tokio::io::duplex(4);
        let message = Bytes::from_static(b"own");
        let telling = Prelude::exchange(near, &message, Duration::from_millis(10));
        let told = tokio::time::timeout(PATIENCE, telling).await;
        assert_eq!(told.expect("it waits for ever").unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(far);
    });
}
