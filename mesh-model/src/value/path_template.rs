//! Path templates of AuthorizationPolicy: `{*}` is one segment, `{**}` is any rest (S-184 to S-190, E-012).

use std::fmt;

/// A path with `{*}` and `{**}` in place of whole segments (S-185, S-186).
///
/// ```
/// use mesh_model::value::PathTemplate;
///
/// assert!(PathTemplate::is_template("/store/{**}/cart"));
/// let template = PathTemplate::parse("/store/{**}/cart")?;
/// assert!(template.matches("/store/1/2/cart") && !template.matches("/store/cart"));
/// assert!(PathTemplate::parse("/store/{**}/{*}").is_err()); // `{**}` is the last operator
/// # Ok::<(), mesh_model::value::PathTemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    source: String,
    /// Up to `{**}`, or all of it. INVARIANT: a `Segment` is followed by a literal slash or by nothing.
    head: Vec<Piece>,
    /// The literal text after `{**}`; `None`: there is no `{**}`.
    tail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Piece {
    Literal(String),
    /// `{*}`: at least one character of a segment.
    Segment,
}

/// Why a path is not a template (S-185, S-187).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathTemplateError {
    /// It does not start with `/`, so it could match no path.
    #[error("a path template must start with `/`")]
    NotAbsolute,
    /// An operator after `{**}`.
    #[error("`{{**}}` must be the last operator of a path template")]
    AfterAny,
    /// A brace that is not part of a whole-segment operator.
    #[error("segment `{segment}` holds `{{` or `}}` beyond the operators `{{*}}` and `{{**}}`")]
    StrayBrace {
        /// The segment as written.
        segment: String,
    },
    /// An empty segment, or one with a character that no literal has (also a bare `*`).
    #[error("segment `{segment}` is empty or holds a character that is not allowed in a path")]
    BadLiteral {
        /// The segment as written.
        segment: String,
    },
}

const ONE: &str = "{*}";
const ANY: &str = "{**}";

impl PathTemplate {
    /// Whether a `paths` value is a template rather than a plain string form (S-184).
    pub fn is_template(path: &str) -> bool {
        path.contains(ONE) || path.contains(ANY)
    }

    /// Whether a plain `paths` value holds a brace, which is refused there too (S-185).
    pub fn has_stray_brace(path: &str) -> bool {
        !Self::is_template(path) && path.contains(['{', '}'])
    }

    /// Reads a template.
    ///
    /// # Errors
    /// When a rule of S-185 or S-187 is broken, or the path is not absolute.
    pub fn parse(path: &str) -> Result<Self, PathTemplateError> {
        let rest = path.strip_prefix('/').ok_or(PathTemplateError::NotAbsolute)?;
        let mut template = Self { source: path.to_owned(), head: Vec::new(), tail: None };
        let mut segments = rest.split('/').peekable();
        while let Some(segment) = segments.next() {
            template.append("/");
            match segment {
                ONE | ANY if template.tail.is_some() => return Err(PathTemplateError::AfterAny),
                ONE => template.head.push(Piece::Segment),
                ANY => template.tail = Some(String::new()),
                // One slash at the end is a part of the path like any other.
                "" if segments.peek().is_none() => {}
                _ => template.append(literal(segment)?),
            }
        }
        Ok(template)
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the whole path fits.
    pub fn matches(&self, path: &str) -> bool {
        let mut rest = path.as_bytes();
        for piece in &self.head {
            let after = match piece {
                Piece::Literal(text) => rest.strip_prefix(text.as_bytes()),
                Piece::Segment => after_segment(rest),
            };
            match after {
                Some(after) => rest = after,
                None => return false,
            }
        }
        match &self.tail {
            None => rest.is_empty(),
            Some(tail) => rest
                .strip_suffix(tail.as_bytes())
                .is_some_and(|middle| middle.iter().all(|byte| *byte == b'/' || is_matched(*byte))),
        }
    }

    /// Segments of every path that fits, by their position in `path.split('/')` (the first is empty): what stands
    /// before `{**}` and is literal.
    pub fn literal_segments(&self) -> impl Iterator<Item = (usize, &str)> {
        let before_any = self.source.split('/').take_while(|segment| *segment != ANY);
        before_any.enumerate().skip(1).filter(|(_, segment)| *segment != ONE)
    }

    /// What every path that fits ends with: the text after `{**}`.
    pub fn literal_end(&self) -> Option<&str> {
        self.tail.as_deref().filter(|tail| !tail.is_empty())
    }

    fn append(&mut self, text: &str) {
        match (&mut self.tail, self.head.last_mut()) {
            (Some(tail), _) => tail.push_str(text),
            (None, Some(Piece::Literal(literal))) => literal.push_str(text),
            (None, _) => self.head.push(Piece::Literal(text.to_owned())),
        }
    }
}

/// A segment that is taken as it stands (S-185, S-187).
fn literal(segment: &str) -> Result<&str, PathTemplateError> {
    let refused = || segment.to_owned();
    if segment.contains(['{', '}']) {
        return Err(PathTemplateError::StrayBrace { segment: refused() });
    }
    if segment.is_empty() || !segment.bytes().all(is_literal) {
        return Err(PathTemplateError::BadLiteral { segment: refused() });
    }
    Ok(segment)
}

/// What is left after `{*}`; a slash or the end follows it, so taking all that fits is the only way.
fn after_segment(rest: &[u8]) -> Option<&[u8]> {
    let length = rest.iter().take_while(|byte| is_matched(**byte)).count();
    rest.get(length..).filter(|_| length > 0)
}

/// The characters of literal text (S-185).
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte)
}

/// The characters that `{*}` and `{**}` stand for (S-186); a star is one of them (E-012).
fn is_matched(byte: u8) -> bool {
    is_literal(byte) || byte == b'*'
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, path: &str) -> bool {
        PathTemplate::parse(template).unwrap().matches(path)
    }

    #[test]
    fn s188_to_s190_documented_templates_match_their_paths() {
        for (template, yes, no) in [
            (
                "/allow/admin/{**}",
                &["/allow/admin/", "/allow/admin/temp", "/allow/admin/foo/temp.txt"][..],
                &["/allow/admin", "/allow", "/allow/user/"][..],
            ),
            (
                "/foo/{*}/bar/{**}",
                &["/foo/buzz/bar/bat.txt", "/foo/buzz/bar/bat/fuzz.txt", "/foo/buzz/bar/bat"],
                &["/foo/bar/bat.txt", "/foo//bar/bat.txt"],
            ),
            (
                "/store/{**}/cart",
                &["/store//cart", "/store/foo/cart", "/store/foo/bar/cart"],
                &["/store/cart", "/store/foo/cart/", "/store/foo/cartx"],
            ),
            ("/{*}", &["/a", "/a.b"], &["/", "/a/", "/a/b", "/é"]),
            ("/a.b/{*}", &["/a.b/c"], &["/axb/c"]),
            ("/{*}/", &["/a/"], &["/a"]),
            ("/shops/{**}/", &["/shops/1/items/"], &["/shops/1/items"]),
        ] {
            for path in yes {
                assert!(matches(template, path), "{template} must match {path}");
            }
            for path in no {
                assert!(!matches(template, path), "{template} must not match {path}");
            }
        }
    }

    #[test]
    fn e012_operators_match_path_characters_and_a_star() {
        for character in "-._~%!$&'()+,;:@=*".chars() {
            for template in ["/f/{*}", "/f/{**}"] {
                assert!(matches(template, &format!("/f/a{character}b")), "{template} {character}");
            }
        }
        for character in "\"<>[]\\^`{|}?# ".chars() {
            for template in ["/f/{*}", "/f/{**}"] {
                assert!(!matches(template, &format!("/f/a{character}b")), "{template} {character}");
            }
        }
    }

    #[test]
    fn a_broken_template_is_refused() {
        use PathTemplateError::{AfterAny, BadLiteral, NotAbsolute, StrayBrace};
        let segment = |text: &str| text.to_owned();
        for (template, expected) in [
            ("/{**}/{*}", AfterAny),
            ("/{**}/a/{**}", AfterAny),
            ("/a{*}", StrayBrace { segment: segment("a{*}") }),
            ("/{*}/{x}", StrayBrace { segment: segment("{x}") }),
            ("/{id}/{*}", StrayBrace { segment: segment("{id}") }),
            ("/a//{*}", BadLiteral { segment: segment("") }),
            ("//{*}", BadLiteral { segment: segment("") }),
            ("/*/{*}", BadLiteral { segment: segment("*") }),
            ("/a b/{*}", BadLiteral { segment: segment("a b") }),
            ("{*}", NotAbsolute),
            ("", NotAbsolute),
        ] {
            assert_eq!(PathTemplate::parse(template), Err(expected), "{template}");
        }
        assert!(PathTemplate::has_stray_brace("/a/{id}"));
        assert!(!PathTemplate::has_stray_brace("/a/{*}"));
    }

    #[test]
    fn literal_parts_are_told() {
        let template = PathTemplate::parse("/a/{*}/b/{**}/c").unwrap();
        assert_eq!(template.literal_segments().collect::<Vec<_>>(), [(1, "a"), (3, "b")]);
        assert_eq!(template.literal_end(), Some("/c"));
        assert_eq!(PathTemplate::parse("/{*}").unwrap().literal_end(), None);
    }
}
