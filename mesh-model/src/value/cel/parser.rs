//! The grammar of CEL, read from the left by one function per level.

use super::token::{Placed, Token};
use super::{CelError, CelProblem};

/// Levels of brackets, and links of one chain (`a + b + c`, `a.b.c`), as many as Istio's parser takes.
const DEPTH_MAX: usize = 250;

/// Words that name nothing.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Words that are values or operators, and so no names even behind a dot.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];

/// What an expression is, as far as macros ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A name.
    Name,
    /// A field of something.
    Field,
    /// Anything else.
    Other,
}

type Parsed<T = ()> = Result<T, CelError>;

/// Reads all of the words as one expression; `end` is the length of the text.
pub(super) fn parse(tokens: &[Placed<'_>], end: usize) -> Parsed {
    let mut parser = Parser { rest: tokens, end, depth: 0 };
    parser.expression()?;
    if parser.rest.is_empty() { Ok(()) } else { parser.fail(CelProblem::Unexpected) }
}

struct Parser<'p, 't> {
    rest: &'p [Placed<'t>],
    end: usize,
    depth: usize,
}

impl<'t> Parser<'_, 't> {
    /// `a ? b : c`.
    fn expression(&mut self) -> Parsed<Shape> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(CelProblem::TooDeep);
        }
        let mut shape = self.or()?;
        if self.take("?") {
            self.or()?;
            self.expect(":")?;
            self.expression()?;
            shape = Shape::Other;
        }
        self.depth -= 1;
        Ok(shape)
    }

    fn or(&mut self) -> Parsed<Shape> {
        let mut shape = self.and()?;
        while self.take("||") {
            self.and()?;
            shape = Shape::Other;
        }
        Ok(shape)
    }

    fn and(&mut self) -> Parsed<Shape> {
        let mut shape = self.chain()?;
        while self.take("&&") {
            self.chain()?;
            shape = Shape::Other;
        }
        Ok(shape)
    }

    /// Comparisons and sums. Their levels matter for meaning only, not for what is well-formed.
    fn chain(&mut self) -> Parsed<Shape> {
        let mut shape = self.unary()?;
        let mut links = 0;
        while self.take_operator() {
            links += 1;
            if links > DEPTH_MAX {
                return self.fail(CelProblem::TooDeep);
            }
            self.unary()?;
            shape = Shape::Other;
        }
        Ok(shape)
    }

    fn take_operator(&mut self) -> bool {
        let signs = ["<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/", "%"];
        if self.peek() == Some(Token::Name("in")) {
            self.skip();
            return true;
        }
        signs.into_iter().any(|sign| self.take(sign))
    }

    /// `!!a` or `--a`; one kind of sign only, but a number may have its own.
    fn unary(&mut self) -> Parsed<Shape> {
        let sign = ["!", "-"].into_iter().find(|sign| self.peek() == Some(Token::Sign(sign)));
        let Some(sign) = sign else { return self.member() };
        while self.take(sign) {
            if let (true, Some(Token::Integer { fits_negated: true, fits: false })) =
                (sign == "-", self.peek())
            {
                self.skip();
                return self.links(Shape::Other);
            }
        }
        if sign == "!" && self.take("-") {
            match self.peek() {
                Some(Token::Integer { fits_negated: true, .. } | Token::Constant) => self.skip(),
                _ => return self.fail(CelProblem::Unexpected),
            }
            return self.links(Shape::Other);
        }
        self.member()?;
        Ok(Shape::Other)
    }

    /// A value and what is taken of it.
    fn member(&mut self) -> Parsed<Shape> {
        let shape = self.primary()?;
        self.links(shape)
    }

    fn links(&mut self, mut shape: Shape) -> Parsed<Shape> {
        let mut links = 0;
        loop {
            if self.take(".") {
                let name = self.name()?;
                let is_call = self.take("(");
                if is_call {
                    self.arguments(Some(name))?;
                }
                shape = if is_call { Shape::Other } else { Shape::Field };
            } else if self.take("[") {
                self.expression()?;
                self.expect("]")?;
                shape = Shape::Other;
            } else {
                return Ok(shape);
            }
            links += 1;
            if links > DEPTH_MAX {
                return self.fail(CelProblem::TooDeep);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Shape> {
        match self.peek() {
            Some(Token::Constant | Token::Integer { fits: true, .. }) => self.skip(),
            Some(Token::Integer { .. }) => return self.fail(CelProblem::Number),
            Some(Token::Name("true" | "false" | "null")) => self.skip(),
            Some(Token::Sign("(")) => {
                self.skip();
                let shape = self.expression()?;
                self.expect(")")?;
                return Ok(shape);
            }
            Some(Token::Sign("[")) => {
                self.skip();
                self.list("]", |parser| parser.expression().map(drop))?;
            }
            Some(Token::Sign("{")) => {
                self.skip();
                self.list("}", |parser| {
                    parser.expression()?;
                    parser.expect(":")?;
                    parser.expression().map(drop)
                })?;
            }
            _ => return self.named(),
        }
        Ok(Shape::Other)
    }

    /// A name, a call of a function, or a message: `a`, `.a`, `a()`, `a.b{c: 1}`.
    fn named(&mut self) -> Parsed<Shape> {
        self.take(".");
        if self.is_message() {
            while !self.take("{") {
                self.skip();
            }
            self.list("}", |parser| {
                parser.name()?;
                parser.expect(":")?;
                parser.expression().map(drop)
            })?;
            return Ok(Shape::Other);
        }
        let before = self.rest;
        let name = self.name()?;
        if RESERVED.contains(&name) {
            self.rest = before;
            return self.fail(CelProblem::Reserved);
        }
        if !self.take("(") {
            return Ok(Shape::Name);
        }
        let shapes = self.list(")", Self::expression)?;
        if name == "has" && shapes.len() == 1 && shapes.first() != Some(&Shape::Field) {
            return self.fail(CelProblem::Macro);
        }
        Ok(Shape::Other)
    }

    /// Whether `{` follows names with dots in between.
    fn is_message(&self) -> bool {
        let mut wants_name = true;
        for (_, token) in self.rest {
            match token {
                Token::Name(name) if wants_name && !KEYWORDS.contains(name) => wants_name = false,
                Token::Sign(".") if !wants_name => wants_name = true,
                Token::Sign("{") => return !wants_name,
                _ => return false,
            }
        }
        false
    }

    /// The arguments of a call on something, up to the bracket; macros want a name first.
    fn arguments(&mut self, function: Option<&'t str>) -> Parsed {
        let shapes = self.list(")", Self::expression)?;
        let is_macro = match function {
            Some("all" | "exists" | "exists_one" | "existsOne" | "filter") => shapes.len() == 2,
            Some("map") => matches!(shapes.len(), 2 | 3),
            _ => false,
        };
        if is_macro && shapes.first() != Some(&Shape::Name) {
            return self.fail(CelProblem::Macro);
        }
        Ok(())
    }

    /// Entries with commas in between, up to the closing bracket; all but calls may end with a comma.
    fn list<T>(&mut self, close: &'static str, entry: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut entries = Vec::new();
        let may_end_with_comma = close != ")";
        if self.take(close) {
            return Ok(entries);
        }
        if may_end_with_comma && self.take(",") {
            self.expect(close)?;
            return Ok(entries);
        }
        loop {
            entries.push(entry(self)?);
            if self.take(close) {
                return Ok(entries);
            }
            self.expect(",")?;
            if may_end_with_comma && self.take(close) {
                return Ok(entries);
            }
        }
    }

    fn name(&mut self) -> Parsed<&'t str> {
        match self.peek() {
            Some(Token::Name(name)) if !KEYWORDS.contains(&name) => {
                self.skip();
                Ok(name)
            }
            _ => self.fail(CelProblem::Unexpected),
        }
    }

    fn peek(&self) -> Option<Token<'t>> {
        self.rest.first().map(|(_, token)| *token)
    }

    fn skip(&mut self) {
        self.rest = self.rest.split_first().map_or(&[], |(_, rest)| rest);
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let is_there = self.peek() == Some(Token::Sign(sign));
        if is_there {
            self.skip();
        }
        is_there
    }

    fn expect(&mut self, sign: &'static str) -> Parsed {
        if self.take(sign) { Ok(()) } else { self.fail(CelProblem::Unexpected) }
    }

    /// A problem where the reader stands; what is unexpected at the end is missing.
    fn fail<T>(&self, problem: CelProblem) -> Parsed<T> {
        Err(match (self.rest.first(), problem) {
            (Some((at, _)), _) => CelError { problem, at: *at },
            (None, CelProblem::Unexpected) => CelError { problem: CelProblem::Incomplete, at: self.end },
            (None, _) => CelError { problem, at: self.end },
        })
    }
}
