//! "Did you mean": the nearest of a set of names.
//! Ours: Istio says that a name is unknown, and a slip of the pen is the usual cause.

use std::borrow::Cow;

/// Candidates that are looked at: a suggestion is not worth more time, however large the mesh.
const COMPARED_MAX: usize = 10_000;

/// The candidate closest to `name` by edit distance, if it is close enough to be a slip (a third of the length).
///
/// ```
/// # use mesh_model::diagnostic::nearest;
/// assert_eq!(nearest("subest", ["host", "subset", "port"]), Some("subset"));
/// assert_eq!(nearest("retry", ["route", "retries"]), Some("retries"));
/// assert_eq!(nearest("zebra", ["host", "subset", "port"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    ranked(name, candidates.into_iter().map(|candidate| (candidate, candidate)))
}

/// The candidate most likely meant by a reference to another object, where either may carry more of the full name
/// than the other: `my-gw` for `istio-system/my-gw`, `reviewz` for `reviews.shop.svc.cluster.local`.
///
/// ```
/// # use mesh_model::diagnostic::nearest_reference;
/// assert_eq!(nearest_reference("my-gw", ["edge/my-gw", "edge/other"]), Some("edge/my-gw"));
/// assert_eq!(nearest_reference("reviewz", ["reviews.shop.svc.cluster.local"]), Some("reviews.shop.svc.cluster.local"));
/// assert_eq!(nearest_reference("v22", ["v1", "v2"]), Some("v2"));
/// assert_eq!(nearest_reference("cart", ["edge/my-gw"]), None);
/// ```
pub fn nearest_reference<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    // Whole names first: of two services called alike, the one in the namespace that was written.
    nearest(name, candidates.iter().copied())
        .or_else(|| ranked(short(name), candidates.iter().map(|candidate| (short(candidate), *candidate))))
}

/// Help for a reference to something that does not exist: the nearest name, or all of them where they are few.
/// `what` names the candidates in the plural (`subsets of `reviews``); `None`: there is nothing to say.
///
/// ```
/// # use mesh_model::diagnostic::did_you_mean;
/// assert_eq!(did_you_mean("v22", ["v1", "v2"], "subsets").as_deref(), Some("did you mean `v2`?"));
/// assert_eq!(did_you_mean("blue", ["v1", "v2"], "subsets").as_deref(), Some("known subsets: `v1`, `v2`"));
/// assert_eq!(did_you_mean("blue", [], "subsets"), None);
/// ```
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    what: &str,
) -> Option<String> {
    const LISTED_MAX: usize = 12;
    let mut candidates: Vec<&str> = candidates.into_iter().collect();
    candidates.sort_unstable();
    candidates.dedup();
    if let Some(nearest) = nearest_reference(name, candidates.iter().copied()) {
        return Some(format!("did you mean `{nearest}`?"));
    }
    let listed: Vec<String> =
        candidates.iter().take(LISTED_MAX).map(|candidate| format!("`{candidate}`")).collect();
    if listed.is_empty() {
        return None;
    }
    let more = match candidates.len().saturating_sub(LISTED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("known {what}: {}{more}", listed.join(", ")))
}

/// The part of a name that people know it by: after the namespace, before the domain.
fn short(name: &str) -> &str {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    match name.split_once('.') {
        // `*.example.com` and addresses have no short form.
        Some((first, _)) if !first.is_empty() && first != "*" && first.parse::<u8>().is_err() => first,
        _ => name,
    }
}

/// Of `(text to compare, candidate)` the nearest; equally near ones in the order of their text.
fn ranked<'a>(name: &str, candidates: impl Iterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 4);
    let (letters, one) = (Letters::of(name), singular(name));
    candidates
        .take(COMPARED_MAX)
        .map(|(text, candidate)| {
            let distance =
                if letters.may_be_near(text, limit) { distance(name, text, limit) } else { limit + 1 };
            // One of several, several of one: `retry` for `retries`.
            let is_number = distance > limit && one.eq_ignore_ascii_case(&singular(text));
            (if is_number { limit } else { distance }, text, candidate)
        })
        .filter(|(distance, text, _)| *distance <= limit && !text.is_empty())
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// The word for one, as English mostly forms it: the same for `retry` and `retries`.
fn singular(word: &str) -> Cow<'_, str> {
    match word.strip_suffix("ies") {
        Some(stem) => Cow::Owned(format!("{stem}y")),
        None => Cow::Borrowed(word.strip_suffix('s').unwrap_or(word)),
    }
}

/// Letters of a name that are compared.
const LETTERS_MAX: usize = 256;

/// How often each letter stands in a name: names whose letters are unlike need not be compared one by one.
struct Letters {
    counts: [i32; 32],
    /// Number of letters; `None`: lower case may have another number of them.
    length: Option<usize>,
}

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = Self { counts: [0; 32], length: length(text) };
        letters.add(text, 1);
        letters
    }

    fn add(&mut self, text: &str, step: i32) {
        for letter in text.chars().filter(|letter| !matches!(letter, '-' | '_')).take(LETTERS_MAX) {
            // Letters that become several in lower case are all alike here.
            let slot = if letter.is_ascii() { u32::from(letter.to_ascii_lowercase()) % 31 } else { 31 };
            if let Some(count) = self.counts.get_mut(slot as usize) {
                *count += step;
            }
        }
    }

    /// Whether another name may be at most `limit` slips away: each changes the length by one at most, and two counts.
    fn may_be_near(&self, other: &str, limit: usize) -> bool {
        if self.length.zip(length(other)).is_some_and(|(own, other)| own.abs_diff(other) > limit) {
            return false;
        }
        let mut letters = Self { counts: self.counts, length: None };
        letters.add(other, -1);
        let ascii: u32 = letters.counts.iter().take(31).map(|count| count.unsigned_abs()).sum();
        ascii as usize <= 2 * limit
    }
}

/// Letters of a name in ASCII.
fn length(text: &str) -> Option<usize> {
    let is_letter = |byte: &u8| !matches!(byte, b'-' | b'_');
    text.is_ascii().then(|| text.bytes().filter(is_letter).count().min(LETTERS_MAX))
}

/// Optimal string alignment distance without regard to case, `-` and `_`; anything over `limit` counts as `limit + 1`.
fn distance(left: &str, right: &str, limit: usize) -> usize {
    let plain = |text: &str| -> Vec<char> {
        text.chars()
            .filter(|letter| !matches!(letter, '-' | '_'))
            .flat_map(char::to_lowercase)
            .take(LETTERS_MAX)
            .collect()
    };
    let (left, right) = (plain(left), plain(right));
    if left.len().abs_diff(right.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&last, column) + usize::from(a != b);
            best = best.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped =
                row > 0 && column > 0 && left.get(row - 1) == Some(b) && right.get(column - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(limit + 1)
}
