//! Ways to ask an external authorizer with one known bug each.

use super::*;

/// What the one with the bug takes for the request.
type Sees = fn(&mut Vec<(std::borrow::Cow<'static, str>, std::borrow::Cow<'static, [u8]>)>);

/// Row of the list of attacks, the bug, how it sees the headers; then the lines of `x-role`.
type Mutant = (&'static str, &'static str, Sees, &'static [&'static [u8]]);

const MUTANTS: &[Mutant] = &[
    ("3", "the last line is shown", |lines| drop(lines.drain(..lines.len() - 1)), &[b"admin", b"user"]),
    ("3", "the first line is shown", |lines| lines.truncate(1), &[b"user", b"admin"]),
    (
        "30",
        "what is no text is not shown",
        |lines| {
            lines.retain(|(_, value)| std::str::from_utf8(value).is_ok());
        },
        &[b"\xff\xfe"],
    ),
    (
        "30",
        "what is no text is mended",
        |lines| {
            for (_, value) in lines {
                *value = String::from_utf8_lossy(value).into_owned().into_bytes().into();
            }
        },
        &[b"admin\xff"],
    ),
];

fn shown(authorizer: &ExternalAuthorizer, lines: &[&'static [u8]], sees: Sees) -> Vec<(String, Vec<u8>)> {
    let mut request = request(&[]);
    lines.iter().for_each(|line| request.headers.push("x-role", *line));
    sees(&mut request.headers.entries);
    authorizer.question(&request).unwrap().headers
}

#[test]
fn every_planted_bug_is_told_from_ours() {
    let authorizer = http(json!({ "includeRequestHeadersInCheck": ["x-role"] })).unwrap();
    for (row, bug, sees, lines) in MUTANTS {
        let right: Vec<_> = lines.iter().map(|line| ("x-role".to_owned(), line.to_vec())).collect();
        assert_eq!(shown(&authorizer, lines, |_| {}), right, "row {row}: ours has the bug: {bug}");
        assert_ne!(shown(&authorizer, lines, *sees), right, "row {row}: nobody would see: {bug}");
    }
}
