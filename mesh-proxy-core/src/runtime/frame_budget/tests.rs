use super::*;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// Whether bytes pass, however they are cut.
fn passes(bytes: &[u8], cut: usize) -> bool {
    let mut budget = Budgeted::new(());
    PREFACE.chunks(cut).chain(bytes.chunks(cut)).all(|piece| budget.pass(piece).is_ok())
}

/// What is handed on of the bytes of a connection, however they are cut.
async fn handed_on(bytes: &[u8], cut: usize, room: usize) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut client, server) = tokio::io::duplex(cut);
    let all = [PREFACE, bytes].concat();
    let writing = tokio::spawn(async move { client.write_all(&all).await });
    let (mut budget, mut handed, mut buffer) = (Budgeted::new(server), Vec::new(), vec![0; room]);
    while let Ok(count @ 1..) = budget.read(&mut buffer).await {
        handed.extend_from_slice(&buffer[..count]);
    }
    writing.await.unwrap().unwrap();
    handed.split_off(PREFACE.len())
}

fn on(stream: u8, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(kind, flags, payload);
    frame[8] = stream;
    frame
}

const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;
const TRAILERS: u8 = END_HEADERS | 1;

#[tokio::test]
async fn trailers_come_behind_every_pseudo_field_and_all_else_as_it_was() {
    let fields = [0x82, 0x84];
    let (padded, both) =
        ([&[3][..], &fields, &[0; 3]].concat(), [&[1, 0, 0, 0, 9, 200][..], &fields, &[0]].concat());
    let before = [
        frame(4, 0, &[0, 3, 0, 0, 0, 100]),
        on(1, HEADERS, END_HEADERS, &[0x82; 40]),
        on(3, HEADERS, TRAILERS, &[0x84]),
    ];
    let data = on(1, 0, 0, &[7; 300]);
    let rewritten = [on(1, HEADERS, 1, &trailers::PREFIX), on(1, 9, END_HEADERS, &fields)].concat();
    // Of streams that were never opened or have ended, and with more padding than there is: the codec's to refuse.
    let (other, broken) = (on(0, HEADERS, TRAILERS, &fields), on(1, HEADERS, TRAILERS | 8, &[200, 1]));
    for (written, handed) in [
        (on(1, HEADERS, TRAILERS, &fields), rewritten.clone()),
        (on(1, HEADERS, TRAILERS | 8, &padded), rewritten.clone()),
        (on(1, HEADERS, TRAILERS | 8 | 32, &both), rewritten.clone()),
        (on(1, HEADERS, TRAILERS | 32, &[&[0, 0, 0, 9, 200][..], &fields].concat()), rewritten.clone()),
        (
            on(1, HEADERS, TRAILERS, &[]),
            [on(1, HEADERS, 1, &trailers::PREFIX), on(1, 9, END_HEADERS, &[])].concat(),
        ),
        (
            [on(1, HEADERS, 1, &fields), on(1, 9, END_HEADERS, &fields)].concat(),
            [on(1, HEADERS, 1, &trailers::PREFIX), on(1, 9, 0, &fields), on(1, 9, END_HEADERS, &fields)]
                .concat(),
        ),
        (other.clone(), other),
        (broken.clone(), broken),
        (on(5, HEADERS, TRAILERS, &fields), on(5, HEADERS, TRAILERS, &fields)),
        (on(3, HEADERS, TRAILERS, &fields), on(3, HEADERS, TRAILERS, &fields)),
    ] {
        let front = [before.concat(), data.clone()].concat();
        let (written, wanted) =
            ([&front[..], &written, &data].concat(), [&front[..], &handed, &data].concat());
        for cut in [1, 2, 5, 9, 14, 64, 1 << 16] {
            for room in [1, 3, 8, 1 << 14] {
                assert_eq!(handed_on(&written, cut, room).await, wanted, "{cut} {room}");
            }
        }
    }
}

#[test]
fn floods_of_nothing_are_cut_and_the_rest_passes() {
    let over = BUDGET as usize + 1;
    for cut in [1, 7, 1 << 20] {
        for idle in [
            frame(4, 0, &[]),
            frame(6, 0, &[0; 8]),
            frame(2, 0, &[0; 5]),
            frame(8, 0, &[0, 0, 0, 1]),
            frame(77, 0, &[1]),
        ] {
            assert!(passes(&idle.repeat(over - 1), cut));
            assert!(!passes(&idle.repeat(over), cut));
        }
        let empty = frame(0, 0, &[]);
        assert!(passes(&empty.repeat(EMPTY_DATA as usize), cut));
        assert!(!passes(&empty.repeat(EMPTY_DATA as usize + 1), cut));
        for working in [frame(0, 0, &[1]), frame(1, 4, &[0x82]), frame(0, 1, &[])] {
            assert!(passes(&working.repeat(over), cut));
        }
    }
}

#[test]
fn clients_that_take_back_most_requests_are_cut_and_those_that_take_back_some_are_not() {
    let (request, reset) = (frame(1, 5, &[0x82]), frame(3, 0, &[0; 4]));
    let both = [&request[..], &reset].concat();
    assert!(passes(&both.repeat(RESETS as usize), 7));
    assert!(!passes(&both.repeat(RESETS as usize + 1), 7));
    let some = [&request[..], &request, &request, &reset].concat();
    assert!(passes(&some.repeat(10 * RESETS as usize), 7));
}

#[test]
fn windows_may_be_updated_for_what_was_sent() {
    let mut budget = Budgeted::new(());
    assert!(budget.pass(PREFACE).is_ok());
    let update = frame(8, 0, &[0, 0, 0, 1]);
    for _ in 0..20 {
        assert!(matches!(budget.note_sent(Poll::Ready(Ok(1 << 20))), Poll::Ready(Ok(_))));
        assert!(budget.pass(&update.repeat(1 << 10)).is_ok());
    }
    assert!(budget.pass(&update.repeat(BUDGET as usize + 1)).is_err());
}

#[test]
fn other_protocols_are_not_looked_at() {
    let mut budget = Budgeted::new(());
    let bytes = [b"PRI * HTTP/1.1\r\n\r\n".to_vec(), frame(4, 0, &[]).repeat(20_000)].concat();
    assert!(budget.pass(&bytes).is_ok());
    assert!(matches!(budget.place, Place::Other));
}
