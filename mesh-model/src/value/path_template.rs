//! Path templates of AuthorizationPolicy: `{*}` is one segment, `{**}` is any rest (S-184..S-190).

use std::fmt;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, Look, Repetition};

/// A path with `{*}` and `{**}` in place of whole segments.
///
/// ```
/// use mesh_model::value::PathTemplate;
///
/// assert!(PathTemplate::is_template("/store/{**}/cart"));
/// assert!(PathTemplate::parse("/store/{**}/cart").is_ok());
/// assert!(PathTemplate::parse("/store/{**}/{*}").is_err()); // `{**}` is the last operator
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    source: String,
    segments: Vec<Segment>,
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    /// `{*}`: at least one path character.
    One,
    /// `{**}`: any number of path characters and slashes.
    Any,
}

/// Why a path is not a template.
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
    /// An empty segment, or one with a character that no path has (also a bare `*`).
    #[error("segment `{segment}` is empty or holds a character that is not allowed in a path")]
    BadLiteral {
        /// The segment as written.
        segment: String,
    },
}

const ONE: &str = "{*}";
const ANY: &str = "{**}";

/// Path characters besides letters and digits (S-186); `*` is not among them (E-012).
const PATH_PUNCTUATION: &str = "-._~%!$&'()+,;:@=";

/// Whether a character may stand in a literal, and is matched by an operator (S-186).
fn is_path_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || PATH_PUNCTUATION.contains(character)
}

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
        check_segments(path)?;
        let segments = rest.split('/').map(Segment::read).collect();
        Ok(Self { source: path.to_owned(), segments })
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Syntax that matches exactly the paths of the template, from start to end.
    pub fn full_match_hir(&self) -> Hir {
        let mut parts = vec![Hir::look(Look::Start)];
        for segment in &self.segments {
            parts.push(Hir::literal(*b"/"));
            parts.push(segment.to_hir());
        }
        parts.push(Hir::look(Look::End));
        Hir::concat(parts)
    }
}

/// The rules for segments; slashes at both ends do not count (S-185).
fn check_segments(path: &str) -> Result<(), PathTemplateError> {
    let mut any_seen = false;
    for segment in path.trim_matches('/').split('/') {
        match segment {
            ONE | ANY if any_seen => return Err(PathTemplateError::AfterAny),
            ONE => {}
            ANY => any_seen = true,
            _ if segment.contains(['{', '}']) => {
                return Err(PathTemplateError::StrayBrace { segment: segment.to_owned() });
            }
            _ if segment.is_empty() || !segment.chars().all(is_path_char) => {
                return Err(PathTemplateError::BadLiteral { segment: segment.to_owned() });
            }
            _ => {}
        }
    }
    Ok(())
}

impl Segment {
    fn read(text: &str) -> Self {
        match text {
            ONE => Self::One,
            ANY => Self::Any,
            literal => Self::Literal(literal.to_owned()),
        }
    }

    fn to_hir(&self) -> Hir {
        match self {
            Self::Literal(text) => Hir::literal(text.as_bytes()),
            Self::One => repeat(1, path_chars()),
            Self::Any => {
                let mut class = path_chars();
                class.push(ClassUnicodeRange::new('/', '/'));
                repeat(0, class)
            }
        }
    }
}

fn path_chars() -> ClassUnicode {
    let ranges = [('a', 'z'), ('A', 'Z'), ('0', '9')];
    let punctuation = PATH_PUNCTUATION.chars().map(|character| (character, character));
    ClassUnicode::new(
        ranges.into_iter().chain(punctuation).map(|(low, high)| ClassUnicodeRange::new(low, high)),
    )
}

fn repeat(min: u32, class: ClassUnicode) -> Hir {
    let sub = Box::new(Hir::class(Class::Unicode(class)));
    Hir::repetition(Repetition { min, max: None, greedy: true, sub })
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::*;

    fn matches(template: &str, path: &str) -> bool {
        let hir = PathTemplate::parse(template).unwrap().full_match_hir();
        Regex::builder().build_from_hir(&hir).unwrap().is_match(path.as_bytes())
    }

    #[test]
    fn documented_templates_match_their_paths() {
        // S-188..S-190.
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
    fn operators_match_path_characters_only() {
        for character in "-._~%!$&'()+,;:@=".chars() {
            assert!(matches("/f/{*}", &format!("/f/a{character}b")), "{character}");
        }
        // E-012.
        for character in "*\"<>[]\\^`{|}?# ".chars() {
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
            ("/{id}/{*}", StrayBrace { segment: segment("{id}") }),
            ("/a//{*}", BadLiteral { segment: segment("") }),
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
}
