//! 100,000 requests beside an oracle that goes through the path letter by letter.

use super::*;
use crate::dice::{Dice, SeededDice};

const REQUESTS: u64 = 100_000;

/// A text of such letters, up to so long.
fn text(dice: &mut SeededDice, letters: &[char], most: u64) -> String {
    (0..dice.below(most + 1)).map(|_| letters[dice.below(letters.len() as u64) as usize]).collect()
}

/// The path's letters before the first `?`, and all from it on.
fn parts(path: &str) -> (Vec<char>, Vec<char>) {
    let (mut before, mut query) = (Vec::new(), Vec::new());
    for letter in path.chars() {
        if letter == '?' || !query.is_empty() {
            query.push(letter);
        } else {
            before.push(letter);
        }
    }
    (before, query)
}

fn joined(parts: &[&[char]]) -> String {
    parts.iter().flat_map(|part| part.iter()).collect()
}

/// Every run of digits after `/v` becomes `/api` and the digits the other way: `/v(\d)(\d*)` to `/api\2\1`, by hand.
fn renumbered(before: &[char]) -> Vec<char> {
    let (mut made, mut at) = (Vec::new(), 0);
    while at < before.len() {
        let digits = before[at..].iter().skip(2).take_while(|letter| letter.is_ascii_digit()).count();
        if before[at] == '/' && before.get(at + 1) == Some(&'v') && digits > 0 {
            made.extend("/api".chars());
            made.extend(&before[at + 3..at + 2 + digits]);
            made.push(before[at + 2]);
            at += 2 + digits;
        } else {
            made.push(before[at]);
            at += 1;
        }
    }
    made
}

#[test]
fn paths_are_rewritten_as_by_hand() {
    let letters = ['/', 'a', 'v', '1', '2', '.', '%', 'é'];
    let mut dice = SeededDice::new(42);
    for _ in 0..REQUESTS {
        let prefix = format!("/{}", text(&mut dice, &letters, 4));
        let rest = text(&mut dice, &letters, 10);
        let query = if dice.happens(50.0) {
            format!("?{}", text(&mut dice, &['a', '?', '/', '='], 5))
        } else {
            String::new()
        };
        let replacement = format!("/{}", text(&mut dice, &letters, 4));
        let path = format!("{prefix}{rest}{query}");
        let (before, after) = parts(&path);
        let new: Vec<char> = replacement.chars().collect();
        let whole = joined(&[&new, &after]);

        let matched = PathRewrite::Matched(replacement.as_str().into());
        let at_prefix = joined(&[&new, &rest.chars().collect::<Vec<_>>(), &after]);
        for (found, expected) in [
            (PathMatch::Prefix(prefix.as_str().into(), Case::Sensitive), &at_prefix),
            (PathMatch::Prefix(prefix.to_uppercase().as_str().into(), Case::Insensitive), &at_prefix),
            (PathMatch::Exact(before.iter().collect::<String>().into(), Case::Sensitive), &whole),
            (PathMatch::Regex(Pattern::full_match("/.*").unwrap()), &whole),
        ] {
            // `é` in capitals has as many bytes.
            assert_eq!(rewrite_path(&matched, &found, &path), *expected, "{path} {found:?} {replacement}");
        }
        let (segment, below) = (prefix.trim_end_matches('/'), format!("/{rest}"));
        let below_segment = format!("{segment}{below}{query}");
        let expected = format!("{replacement}{below}{query}");
        assert_eq!(
            rewrite_path(&matched, &PathMatch::SegmentPrefix(segment.into()), &below_segment),
            expected
        );

        let any = PathMatch::Prefix("/".into(), Case::Sensitive);
        assert_eq!(rewrite_path(&PathRewrite::Whole(replacement.as_str().into()), &any, &path), whole);

        let regex = PathRewrite::Regex {
            pattern: Pattern::search("/v([0-9])([0-9]*)").unwrap(),
            substitution: r"/api\2\1".into(),
        };
        assert_eq!(rewrite_path(&regex, &any, &path), joined(&[&renumbered(&before), &after]), "{path}");
    }
}
