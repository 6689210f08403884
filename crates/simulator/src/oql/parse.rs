//! Text to [`Query`]: a scanner and a descent with bounded depth.

use super::{Filter, Literal, Operator, OqlError, Query, Test};

/// Parentheses deeper than this are refused.
const DEPTH: usize = 50;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(i64),
    Operator(Operator),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// Reads a query; an empty text keeps everything.
pub(crate) fn parse(text: &str) -> Result<Query, OqlError> {
    let tokens = scan(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        depth: 0,
    };
    let starts_with_order = parser.peek_word("ORDER");
    let filter = if tokens.is_empty() || starts_with_order {
        None
    } else {
        Some(parser.any()?)
    };
    let order = if parser.word("ORDER") {
        parser.order()?
    } else {
        Vec::new()
    };
    match parser.tokens.first() {
        None => Ok(Query { filter, order }),
        Some(token) => Err(OqlError(format!("unexpected {token:?}"))),
    }
}

fn scan(text: &str) -> Result<Vec<Token>, OqlError> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut then = |next: char| rest.next_if_eq(&next).is_some();
        tokens.push(match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '[' => Token::OpenList,
            ']' => Token::CloseList,
            ',' => Token::Comma,
            '=' => Token::Operator(Operator::Equal),
            '!' if then('=') => Token::Operator(Operator::NotEqual),
            '<' if then('=') => Token::Operator(Operator::LessOrEqual),
            '<' => Token::Operator(Operator::Less),
            '>' if then('=') => Token::Operator(Operator::GreaterOrEqual),
            '>' => Token::Operator(Operator::Greater),
            '\'' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(c) => value.push(c),
                        None => return Err(OqlError("a text is not closed".to_owned())),
                    }
                }
                Token::Text(value)
            }
            c if c.is_ascii_digit() || c == '-' => {
                let mut digits = String::from(c);
                while let Some(c) = rest.next_if(char::is_ascii_digit) {
                    digits.push(c);
                }
                let number = digits.parse();
                Token::Number(number.map_err(|_| OqlError(format!("{digits} is no number")))?)
            }
            c if c.is_ascii_alphabetic() => {
                let mut word = String::from(c);
                let part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
                while let Some(c) = rest.next_if(part) {
                    word.push(c);
                }
                Token::Word(word)
            }
            other => return Err(OqlError(format!("unexpected character {other:?}"))),
        });
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.tokens.first() == Some(token);
        if found {
            self.next();
        }
        found
    }

    fn peek_word(&self, word: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        if found {
            self.next();
        }
        found
    }

    fn any(&mut self) -> Result<Filter, OqlError> {
        let mut parts = vec![self.all()?];
        while self.word("OR") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, OqlError> {
        let mut parts = vec![self.unit()?];
        while self.word("AND") {
            parts.push(self.unit()?);
        }
        Ok(one_or(parts, Filter::All))
    }

    fn unit(&mut self) -> Result<Filter, OqlError> {
        if self.take(&Token::Open) {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err(OqlError("parentheses are nested too deeply".to_owned()));
            }
            let inner = self.any()?;
            self.depth -= 1;
            return if self.take(&Token::Close) {
                Ok(inner)
            } else {
                Err(OqlError("a parenthesis is not closed".to_owned()))
            };
        }
        let field = self.field()?;
        let not = self.word("NOT");
        let test = if self.word("IN") {
            Test::In {
                not,
                values: self.list()?,
            }
        } else if self.word("LIKE") {
            match self.next() {
                Some(Token::Text(pattern)) => Test::Like {
                    not,
                    pattern: pattern.clone(),
                },
                other => return Err(expected("a text after LIKE", other)),
            }
        } else if not {
            return Err(OqlError("NOT stands only before IN and LIKE".to_owned()));
        } else {
            match self.next() {
                Some(Token::Operator(operator)) => Test::Compare(*operator, self.value()?),
                other => return Err(expected("an operator", other)),
            }
        };
        Ok(Filter::Test { field, test })
    }

    fn field(&mut self) -> Result<String, OqlError> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word.clone()),
            other => Err(expected("a field", other)),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, OqlError> {
        if !self.take(&Token::OpenList) {
            return Err(expected("[ after IN", self.tokens.first()));
        }
        let mut values = vec![self.value()?];
        while self.take(&Token::Comma) {
            values.push(self.value()?);
        }
        if self.take(&Token::CloseList) {
            Ok(values)
        } else {
            Err(expected("] at the end of the list", self.tokens.first()))
        }
    }

    fn value(&mut self) -> Result<Literal, OqlError> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Literal::Text(text.clone())),
            Some(Token::Number(number)) => Ok(Literal::Number(*number)),
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Ok(Literal::Bool(true)),
                "false" => Ok(Literal::Bool(false)),
                "null" => Ok(Literal::Null),
                other => Err(OqlError(format!("{other} is no value"))),
            },
            other => Err(expected("a value", other)),
        }
    }

    fn order(&mut self) -> Result<Vec<(String, bool)>, OqlError> {
        if !self.word("BY") {
            return Err(expected("BY after ORDER", self.tokens.first()));
        }
        let mut order = Vec::new();
        loop {
            let field = self.field()?;
            let descending = self.word("DESC");
            if !descending {
                self.word("ASC");
            }
            order.push((field, descending));
            if !self.take(&Token::Comma) {
                return Ok(order);
            }
        }
    }
}

fn one_or(mut parts: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

fn expected(what: &str, found: Option<&Token>) -> OqlError {
    match found {
        Some(token) => OqlError(format!("expected {what}, found {token:?}")),
        None => OqlError(format!("expected {what}, found the end")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn and_binds_tighter_than_or() {
        let query = parse("a = 1 OR b = 2 and c = 3").unwrap();
        let Some(Filter::Any(parts)) = query.filter else {
            panic!("no OR at the top")
        };
        assert!(matches!(
            parts.as_slice(),
            [Filter::Test { .. }, Filter::All(_)]
        ));
    }

    #[test]
    fn the_grammar_of_the_manual_is_read() {
        for text in [
            "",
            "ORDER BY name",
            "jobruns.compositeStatus.status IN ['ABEND','FAIL'] ORDER BY name ASC",
            "jobStreamName = 'FIN_EOD' AND jobStreamWorkstation = '/FINDB01'",
            "priority >= 10 AND (name LIKE 'FIN@' OR name NOT LIKE '?X') ORDER BY name DESC, id",
            "folder NOT IN ['/', '/X/'] AND jobOptions.critical = true",
            "jobruns.returnCode = -1 OR priority = null",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for text in [
            "name",
            "name =",
            "name = X",
            "= 'X'",
            "name = 'X",
            "name IN 'X'",
            "name IN []",
            "name IN ['X'",
            "(name = 'X'",
            "name = 'X')",
            "name LIKE 3",
            "name NOT = 'X'",
            "name = 'X' ORDER name",
            "name = 'X' AND",
            "name = 'it''s'",
            "a = 99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text} was read");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}a = 1{}", "(".repeat(5000), ")".repeat(5000));
        assert!(parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            drop(parse(&text));
        }

        #[test]
        fn no_sequence_of_words_makes_it_panic(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "(", ")", "[", "]", ",", "AND", "OR", "NOT", "IN", "LIKE", "ORDER", "BY",
                    "name", "'x'", "1", "=", "!=", "<", "null", "true", "DESC",
                ]),
                0..40,
            )
        ) {
            drop(parse(&words.join(" ")));
        }
    }
}
