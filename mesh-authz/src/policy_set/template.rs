//! Path templates: `{*}` is one segment, `{**}` any number of them (S-185 to S-190, E-012).

/// A template, ready to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathTemplate {
    /// Up to `{**}`, or all of it. INVARIANT: no two segments stand beside each other.
    head: Vec<Piece>,
    /// The literal text after `{**}`; `None`: there is no `{**}`.
    tail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Segment,
}

impl PathTemplate {
    /// Whether a value is a template and not a string pattern (S-184).
    pub(super) fn is_template(value: &str) -> bool {
        value.contains("{*}") || value.contains("{**}")
    }

    /// Reads a template; the error says what is wrong with it.
    pub(super) fn parse(value: &str) -> Result<Self, &'static str> {
        let Some(rest) = value.strip_prefix('/') else { return Err("a path template begins with `/`") };
        let mut head: Vec<Piece> = Vec::new();
        let mut tail: Option<String> = None;
        let count = rest.split('/').count();
        for (index, segment) in rest.split('/').enumerate() {
            append(&mut head, &mut tail, "/");
            match segment {
                "{*}" if tail.is_none() => head.push(Piece::Segment),
                "{**}" if tail.is_none() => tail = Some(String::new()),
                "{*}" | "{**}" => return Err("`{**}` must be the last operator of a path template"),
                "" if index + 1 == count => {}
                "" => return Err("a path template has no empty segments"),
                literal if literal.bytes().all(is_literal) => append(&mut head, &mut tail, literal),
                _ => return Err("a segment of a path template is `{*}`, `{**}` or literal text"),
            }
        }
        Ok(Self { head, tail })
    }

    /// Whether the whole path fits.
    pub(super) fn matches(&self, path: &str) -> bool {
        let mut rest = path.as_bytes();
        for piece in &self.head {
            rest = match piece {
                Piece::Literal(text) => match rest.strip_prefix(text.as_bytes()) {
                    Some(rest) => rest,
                    None => return false,
                },
                Piece::Segment => {
                    // What follows is a slash or the end, so taking all that fits is the only way.
                    let length = rest.iter().take_while(|byte| is_matched(**byte)).count();
                    match rest.split_at_checked(length) {
                        Some((_, rest)) if length > 0 => rest,
                        _ => return false,
                    }
                }
            };
        }
        match &self.tail {
            None => rest.is_empty(),
            Some(tail) => rest
                .strip_suffix(tail.as_bytes())
                .is_some_and(|middle| middle.iter().all(|byte| *byte == b'/' || is_matched(*byte))),
        }
    }
}

fn append(head: &mut Vec<Piece>, tail: &mut Option<String>, text: &str) {
    match (tail, head.last_mut()) {
        (Some(tail), _) => tail.push_str(text),
        (None, Some(Piece::Literal(literal))) => literal.push_str(text),
        (None, _) => head.push(Piece::Literal(text.to_owned())),
    }
}

/// The characters of literal text (S-185).
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte)
}

/// The characters that `{*}` and `{**}` stand for; a star is one of them (E-012).
fn is_matched(byte: u8) -> bool {
    is_literal(byte) || byte == b'*'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(template: &str, path: &str) -> bool {
        PathTemplate::parse(template).unwrap().matches(path)
    }

    #[test]
    fn s188_to_s190_vectors() {
        for path in ["/allow/admin/", "/allow/admin/temp", "/allow/admin/foo/temp.txt"] {
            assert!(holds("/allow/admin/{**}", path), "{path}");
        }
        for path in ["/allow/admin", "/allow", "/allow/user/"] {
            assert!(!holds("/allow/admin/{**}", path), "{path}");
        }
        for path in ["/foo/buzz/bar/bat.txt", "/foo/buzz/bar/bat/fuzz.txt", "/foo/buzz/bar/bat"] {
            assert!(holds("/foo/{*}/bar/{**}", path), "{path}");
        }
        assert!(!holds("/foo/{*}/bar/{**}", "/foo/bar/bat.txt"));
        assert!(!holds("/foo/{*}/bar/{**}", "/foo//bar/bat.txt"));
        for path in ["/store//cart", "/store/foo/cart", "/store/foo/bar/cart"] {
            assert!(holds("/store/{**}/cart", path), "{path}");
        }
        assert!(!holds("/store/{**}/cart", "/store/cart"));
    }

    #[test]
    fn e012_a_star_is_matched_and_a_brace_is_not() {
        assert!(holds("/files/{*}", "/files/a*b"));
        assert!(!holds("/files/{*}", "/files/a|b"));
        assert!(!holds("/files/{*}", "/files/{*}"));
    }

    #[test]
    fn a_trailing_slash_counts() {
        assert!(holds("/shops/{**}/", "/shops/1/items/"));
        assert!(!holds("/shops/{**}/", "/shops/1/items"));
    }

    #[test]
    fn s185_s187_bad_templates_are_refused() {
        for template in ["/a{*}", "/{**}/{*}", "/{**}/{**}", "a/{*}", "//{*}", "/*/{*}", "/{*}/{x}"] {
            assert!(PathTemplate::parse(template).is_err(), "{template}");
        }
    }
}
