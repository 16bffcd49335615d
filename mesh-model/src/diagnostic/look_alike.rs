//! Letters of other scripts that look like ASCII: nobody sees why `revіews` is another name than `reviews`.
//! Spec: Unicode UTS 39, section 4, confusable characters.

/// What a message that quotes such a letter adds: the first one, its code point and what it looks like.
///
/// Only where every foreign letter of a quoted text is such a letter: `привет` is a word of its own.
pub(super) fn remark(message: &str) -> Option<String> {
    if message.is_ascii() {
        return None;
    }
    let quoted = message.split('`').skip(1).step_by(2);
    let (letter, looks) = quoted.filter(|text| plain(text).is_some()).find_map(first)?;
    let what = if looks.is_ascii_alphabetic() { "letter " } else { "" };
    let quote = if looks == '`' { "a backtick".to_owned() } else { format!("`{looks}`") };
    Some(format!("`{letter}` (U+{:04X}) looks like the ASCII {what}{quote} and is not", u32::from(letter)))
}

/// The text with ASCII letters in place of those that look like them; `None`: it has none, or others too.
///
/// ```
/// # use mesh_model::diagnostic::without_look_alikes;
/// assert_eq!(without_look_alikes("revіews").as_deref(), Some("reviews"));
/// assert_eq!(without_look_alikes("reviews"), None);
/// assert_eq!(without_look_alikes("привет"), None);
/// ```
pub fn plain(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let letters = text.chars().map(|letter| if letter.is_ascii() { Some(letter) } else { ascii(letter) });
    letters.collect()
}

fn first(text: &str) -> Option<(char, char)> {
    text.chars().find_map(|letter| Some((letter, ascii(letter)?)))
}

/// What a letter looks like.
fn ascii(letter: char) -> Option<char> {
    const A_TO_Z: u32 = 26;
    let code = u32::from(letter);
    match code {
        // The wide letters of East Asian fonts.
        0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0),
        // Bold, italic, script and other mathematical alphabets, one after the other.
        0x1D400..=0x1D6A3 => {
            let place = (code - 0x1D400) % (2 * A_TO_Z);
            let start = if place < A_TO_Z { u32::from('A') } else { u32::from('a') - A_TO_Z };
            char::from_u32(start + place)
        }
        0x1D7CE..=0x1D7FF => char::from_digit((code - 0x1D7CE) % 10, 10),
        _ => {
            let found = ALIKE.iter().find(|(_, others)| others.contains(letter));
            found.map(|(ascii, _)| *ascii)
        }
    }
}

/// The usual ones of Unicode's confusables: Cyrillic, Greek, Armenian, Latin beyond ASCII, signs.
const ALIKE: &[(char, &str)] = &[
    ('a', "аαɑ"),
    ('b', "ЬƄ"),
    ('c', "сϲᴄ"),
    ('d', "ԁ"),
    ('e', "еҽ"),
    ('g', "ɡց"),
    ('h', "һհ"),
    ('i', "іιıɩ"),
    ('j', "јϳ"),
    ('k', "кκ"),
    ('l', "ӏℓ"),
    ('n', "ոη"),
    ('o', "оοօᴏ"),
    ('p', "рρ"),
    ('q', "ԛզ"),
    ('r', "г"),
    ('s', "ѕ"),
    ('t', "τ"),
    ('u', "υս"),
    ('v', "ѵνᴠ"),
    ('w', "ԝωᴡ"),
    ('x', "хχ"),
    ('y', "уγ"),
    ('A', "АΑ"),
    ('B', "ВΒ"),
    ('C', "СϹ"),
    ('E', "ЕΕ"),
    ('H', "НΗ"),
    ('I', "ІΙӀ"),
    ('J', "ЈͿ"),
    ('K', "КΚ"),
    ('M', "МΜ"),
    ('N', "Ν"),
    ('O', "ОΟ"),
    ('P', "РΡ"),
    ('Q', "Ԛ"),
    ('S', "Ѕ"),
    ('T', "ТΤ"),
    ('V', "Ѵ"),
    ('W', "Ԝ"),
    ('X', "ХΧ"),
    ('Y', "УΥ"),
    ('Z', "Ζ"),
    ('-', "\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}"),
    ('.', "\u{2024}\u{3002}\u{ff61}"),
    ('/', "\u{2044}\u{2215}"),
    (':', "\u{2236}\u{a789}"),
    ('*', "\u{2217}\u{204e}"),
    ('"', "\u{201c}\u{201d}\u{201e}"),
    ('\'', "\u{2018}\u{2019}\u{02bc}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_alike_is_named_with_its_code_point() {
        for (message, expected) in [
            ("`reviаws` is no name", Some("`а` (U+0430) looks like the ASCII letter `a` and is not")),
            ("`ｒeviews` is no name", Some("`ｒ` (U+FF52) looks like the ASCII letter `r` and is not")),
            ("`𝐫eviews` is no name", Some("`𝐫` (U+1D42B) looks like the ASCII letter `r` and is not")),
            ("found `80–90`", Some("`–` (U+2013) looks like the ASCII `-` and is not")),
            ("`reviews` is no name", None),
            ("`привет` and `naïve` are words", None),
            ("outside of quotes а is nobody's", None),
        ] {
            assert_eq!(remark(message).as_deref(), expected, "{message}");
        }
    }

    #[test]
    fn no_letter_looks_like_two() {
        let mut all: Vec<char> = ALIKE.iter().flat_map(|(_, others)| others.chars()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|letter| !letter.is_ascii()));
    }
}
