//! What to do about text that cannot be read: help by code, and by what the YAML reader stumbled over.

use crate::diagnostic::Code;

/// Help where rare YAML asks for too much.
#[cfg(feature = "yaml")]
pub(super) const PLAIN_LINES: &str = "write one key and its value on a line, without tags and anchors";

/// Help for a finding of this module that has no better one.
pub(super) fn of(code: Code) -> &'static str {
    match code {
        Code::Syntax => "look at the indentation, colons and quotes of this line and the one above",
        Code::Encoding => "save the file as UTF-8 text",
        Code::BudgetExceeded => "split the text into smaller files, and write repeated parts out once",
        Code::AliasProblem => {
            "define the anchor (`&name`) earlier in the same document, or write the value out"
        }
        Code::BadKey => "keys are plain text; quote text that starts with `{` or `[`",
        Code::BadNumber => "write a finite number, or quote it if text is meant",
        Code::BadValue => "write a value of this type",
        Code::NoDocuments => "write a resource into it, or leave the file out",
        _ => "write it as plain YAML",
    }
}

/// Our words for an error of the reader, where they are clearer than its own, and help.
#[cfg(feature = "yaml")]
pub(super) fn syntax(kind: &granit_parser::ErrorKind) -> (Option<&'static str>, &'static str) {
    use granit_parser::ErrorKind as Kind;
    match kind {
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabAtBlockScalarStart
        | Kind::TabInPlainScalar => {
            (Some("a tab where YAML wants spaces"), "indent with spaces, never with tabs")
        }
        Kind::MappingValueNotAllowed | Kind::InvalidColonPlacement | Kind::InvalidMappingValueWhitespace => (
            Some("a second `: ` on the line: a map cannot start here"),
            "quote text that contains `: `, or put the inner map on lines of its own, indented",
        ),
        Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => (
            Some("a quote that is not closed"),
            "close it at the end of the text, with the same kind of quote",
        ),
        Kind::InvalidQuotedScalarIndent => (
            Some("a quote that is not closed on its line"),
            "close it, or indent the lines that belong to the quoted text",
        ),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => (
            Some("text after the closing quote"),
            "put all of the text inside the quotes; a quote inside is written `\\\"` or `''`",
        ),
        Kind::UnknownQuotedScalarEscape | Kind::InvalidQuotedScalarHexEscape | Kind::InvalidUnicodeEscape => {
            (
                Some("an escape that YAML does not know"),
                "in double quotes write `\\\\` for one backslash, or use single quotes (regular expressions)",
            )
        }
        Kind::UnclosedFlowCollection { open: '{' }
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping => {
            (Some("`{` is never closed"), "add the `}` that is missing")
        }
        Kind::UnclosedFlowCollection { .. } | Kind::UnexpectedEofFlowSequence => {
            (Some("`[` is never closed"), "add the `]` that is missing")
        }
        Kind::ExpectedFlowMappingSeparator => {
            (Some("expected `,` or `}`"), "separate the entries with `, ` and close the map with `}`")
        }
        Kind::ExpectedFlowSequenceSeparator => {
            (Some("expected `,` or `]`"), "separate the elements with `, ` and close the list with `]`")
        }
        Kind::MisplacedFlowCollectionEnd | Kind::MismatchedFlowCollectionEnd { .. } => {
            (Some("a closing bracket that nothing opened"), "remove it, or open it with `{` or `[` before")
        }
        Kind::ExpectedBlockMappingKey | Kind::SimpleKeyExpected => (
            Some("expected `key: value`"),
            "give every field of a map the same indentation, and a colon and a space after its name",
        ),
        Kind::MappingKeyNotAllowed | Kind::InvalidIndentation => {
            (None, "give every field of a map the same indentation")
        }
        Kind::BlockSequenceEntryNotAllowed
        | Kind::ExpectedBlockSequenceEntry
        | Kind::InvalidBlockEntryWhitespace
        | Kind::BlockEntryInFlowCollection => (
            None,
            "start every element of a list with `- `, all at the same indentation, on lines of their own",
        ),
        Kind::InvalidBlockScalarHeader | Kind::ZeroBlockScalarIndent | Kind::InvalidBlockScalarIndent => {
            (None, "after `|` or `>` start a new line and indent the text")
        }
        Kind::UnexpectedCharacter { character: '@' | '`' } => {
            (None, "text that starts with `@` or a backtick needs quotes")
        }
        Kind::UnexpectedCharacter { character: '%' } => (None, "text that starts with `%` needs quotes"),
        Kind::UndeclaredTagHandle | Kind::ExpectedTagBang => (None, "text that starts with `!` needs quotes"),
        Kind::MissingAnchorOrAliasName => {
            (None, "text that starts with `*` or `&` needs quotes: `\"*.example.com\"`")
        }
        Kind::CommentNotSeparated => (None, "put a space before `#`, or quote the text"),
        _ => (None, of(Code::Syntax)),
    }
}
