//! The query language, written by the client and read by a parser that knows nothing of it.
//!
//! The parser follows the grammar of the vendor's pages. Whatever goes in, what is written either is
//! refused with a reason that holds, or reads back as exactly the tree that was meant.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use resync_hwa::{Direction, MAX_IN, Op, Oql, OqlError, OqlQuery, OqlValue};

const FIELDS: [&str; 4] = ["name", "jobruns.returnCode", "a-b_c.d9", "orderBy"];
const OPS: [Op; 6] = [
    Op::Equal,
    Op::NotEqual,
    Op::Less,
    Op::AtMost,
    Op::Greater,
    Op::AtLeast,
];

/// A query as it was read.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Test(String, String, Leaf),
    Like(String, bool, String),
    In(String, bool, Vec<Leaf>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

#[derive(Debug, Clone, PartialEq)]
enum Leaf {
    Text(String),
    Int(i64),
    Flag(bool),
    Null,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Int(i64),
    Mark(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut out) = (0, Vec::new());
    let run = |from: usize, good: &dyn Fn(char) -> bool| -> usize {
        chars[from..].iter().take_while(|c| good(**c)).count()
    };
    while at < chars.len() {
        match chars[at] {
            ' ' => at += 1,
            '\'' => {
                let length = run(at + 1, &|c| c != '\'');
                if at + 1 + length >= chars.len() {
                    return Err("a text without its end".to_owned());
                }
                out.push(Token::Text(chars[at + 1..at + 1 + length].iter().collect()));
                at += length + 2;
            }
            c if c.is_ascii_digit() || c == '-' => {
                let length = 1 + run(at + 1, &|c| c.is_ascii_digit());
                let digits: String = chars[at..at + length].iter().collect();
                out.push(Token::Int(digits.parse().map_err(|_| "no number")?));
                at += length;
            }
            c if c.is_ascii_alphabetic() => {
                let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
                let length = run(at, &good);
                out.push(Token::Word(chars[at..at + length].iter().collect()));
                at += length;
            }
            c @ ('(' | ')' | '[' | ']' | ',') => {
                out.push(Token::Mark(c.to_string()));
                at += 1;
            }
            '=' | '!' | '<' | '>' => {
                let length = run(at, &|c| matches!(c, '=' | '!' | '<' | '>'));
                out.push(Token::Mark(chars[at..at + length].iter().collect()));
                at += length;
            }
            other => return Err(format!("{other:?} outside a text")),
        }
    }
    Ok(out)
}

/// A field and `ASC` or `DESC`.
type Sort = (String, String);

struct Reader(std::iter::Peekable<std::vec::IntoIter<Token>>);

impl Reader {
    fn read(text: &str) -> Result<(Option<Tree>, Vec<Sort>), String> {
        let mut reader = Self(tokens(text)?.into_iter().peekable());
        let tree = if reader.0.peek().is_none() || reader.at_word("ORDER") {
            None
        } else {
            Some(reader.any()?)
        };
        let mut sorts = Vec::new();
        if reader.takes_word("ORDER") {
            if !reader.takes_word("BY") {
                return Err("ORDER without BY".to_owned());
            }
            loop {
                let field = reader.word()?;
                let way = if reader.takes_word("DESC") {
                    "DESC"
                } else {
                    reader.takes_word("ASC");
                    "ASC"
                };
                sorts.push((field, way.to_owned()));
                if !reader.takes(",") {
                    break;
                }
            }
        }
        match reader.0.next() {
            None => Ok((tree, sorts)),
            Some(token) => Err(format!("{token:?} after the end")),
        }
    }

    fn at_word(&mut self, word: &str) -> bool {
        matches!(self.0.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.0.next();
        }
        found
    }

    fn takes(&mut self, mark: &str) -> bool {
        let found = self.0.peek() == Some(&Token::Mark(mark.to_owned()));
        if found {
            self.0.next();
        }
        found
    }

    fn word(&mut self) -> Result<String, String> {
        match self.0.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("{other:?} for a field")),
        }
    }

    fn any(&mut self) -> Result<Tree, String> {
        let mut parts = vec![self.all()?];
        while self.takes_word("OR") {
            parts.push(self.all()?);
        }
        Ok(only_or(parts, Tree::Any))
    }

    fn all(&mut self) -> Result<Tree, String> {
        let mut parts = vec![self.unit()?];
        while self.takes_word("AND") {
            parts.push(self.unit()?);
        }
        Ok(only_or(parts, Tree::All))
    }

    fn unit(&mut self) -> Result<Tree, String> {
        if self.takes("(") {
            let inner = self.any()?;
            return if self.takes(")") {
                Ok(inner)
            } else {
                Err("a bracket without its end".to_owned())
            };
        }
        let field = self.word()?;
        let not = self.takes_word("NOT");
        if self.takes_word("LIKE") {
            return match self.leaf()? {
                Leaf::Text(pattern) => Ok(Tree::Like(field, not, pattern)),
                other => Err(format!("LIKE {other:?}")),
            };
        }
        if self.takes_word("IN") {
            if !self.takes("[") {
                return Err("IN without a list".to_owned());
            }
            let mut values = vec![self.leaf()?];
            while self.takes(",") {
                values.push(self.leaf()?);
            }
            return if self.takes("]") {
                Ok(Tree::In(field, not, values))
            } else {
                Err("a list without its end".to_owned())
            };
        }
        match self.0.next() {
            Some(Token::Mark(op)) if !not && OPS.iter().any(|known| known.as_str() == op) => {
                Ok(Tree::Test(field, op, self.leaf()?))
            }
            other => Err(format!("{other:?} for an operator")),
        }
    }

    fn leaf(&mut self) -> Result<Leaf, String> {
        match self.0.next() {
            Some(Token::Text(text)) => Ok(Leaf::Text(text)),
            Some(Token::Int(number)) => Ok(Leaf::Int(number)),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "true" => Ok(Leaf::Flag(true)),
                "false" => Ok(Leaf::Flag(false)),
                "null" => Ok(Leaf::Null),
                _ => Err(format!("{word} for a value")),
            },
            other => Err(format!("{other:?} for a value")),
        }
    }
}

fn only_or(mut parts: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        join(parts)
    }
}

/// What is meant, before anything of the client is asked.
#[derive(Debug, Clone)]
enum Meant {
    Test(usize, usize, Leaf),
    Instant(usize, i64),
    Like(usize, bool, String),
    In(usize, bool, Vec<String>),
    All(Vec<Meant>),
    Any(Vec<Meant>),
}

fn is_bad(c: char) -> bool {
    // Independent of the client: what no quoted text of the grammar can be trusted to carry.
    matches!(c, '\'' | '"' | '\\' | '`' | '\u{2018}' | '\u{2019}')
        || c.is_control()
        || resync_kernel::is_hidden(c)
}

fn refusal(text: &str, wildcards: bool) -> Option<OqlError> {
    if !wildcards && text.contains(['@', '?']) {
        return Some(OqlError::BadCharacter);
    }
    match text.chars().count() {
        1..=1024 => text.contains(is_bad).then_some(OqlError::BadCharacter),
        _ => Some(OqlError::BadLength),
    }
}

impl Meant {
    fn build(&self) -> Result<Oql, OqlError> {
        match self {
            Self::Test(field, op, leaf) => {
                let value = match leaf {
                    Leaf::Text(text) => OqlValue::text(text)?,
                    Leaf::Int(number) => OqlValue::int(*number),
                    Leaf::Flag(flag) => OqlValue::flag(*flag),
                    Leaf::Null => OqlValue::null(),
                };
                Oql::test(FIELDS[*field], OPS[*op], value)
            }
            Self::Instant(field, seconds) => {
                let at = DateTime::<Utc>::from_timestamp(*seconds, 0).unwrap();
                Oql::test(FIELDS[*field], Op::Less, OqlValue::instant(at))
            }
            Self::Like(field, false, pattern) => Oql::like(FIELDS[*field], pattern),
            Self::Like(field, true, pattern) => Oql::not_like(FIELDS[*field], pattern),
            Self::In(field, not, values) => {
                let values = values.iter().map(String::as_str);
                if *not {
                    Oql::none_of(FIELDS[*field], values)
                } else {
                    Oql::any_of(FIELDS[*field], values)
                }
            }
            Self::All(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(Self::build).collect();
                Oql::all(parts?)
            }
            Self::Any(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(Self::build).collect();
                Oql::any(parts?)
            }
        }
    }

    /// The tree, with what follows from the meaning of AND and OR written flat.
    fn tree(&self) -> Tree {
        let flat = |parts: &[Self], all: bool| {
            let mut out = Vec::new();
            for part in parts {
                match (part.tree(), all) {
                    (Tree::All(inner), true) | (Tree::Any(inner), false) => out.extend(inner),
                    (other, _) => out.push(other),
                }
            }
            only_or(out, if all { Tree::All } else { Tree::Any })
        };
        let field = |field: &usize| FIELDS[*field].to_owned();
        match self {
            Self::Test(at, op, leaf) => {
                Tree::Test(field(at), OPS[*op].as_str().to_owned(), leaf.clone())
            }
            Self::Instant(at, seconds) => {
                let at_utc = DateTime::<Utc>::from_timestamp(*seconds, 0).unwrap();
                let text = at_utc.format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
                Tree::Test(field(at), "<".to_owned(), Leaf::Text(text))
            }
            Self::Like(at, not, pattern) => Tree::Like(field(at), *not, pattern.clone()),
            Self::In(at, not, values) => {
                let mut leaves: Vec<Leaf> = values.iter().cloned().map(Leaf::Text).collect();
                if leaves.len() == 1 {
                    let op = if *not { "!=" } else { "=" };
                    return Tree::Test(field(at), op.to_owned(), leaves.remove(0));
                }
                Tree::In(field(at), *not, leaves)
            }
            Self::All(parts) => flat(parts, true),
            Self::Any(parts) => flat(parts, false),
        }
    }

    /// Why it must be refused, if it must.
    fn refusal(&self) -> Option<OqlError> {
        match self {
            Self::Test(_, _, Leaf::Text(text)) => refusal(text, false),
            Self::Test(_, op, Leaf::Flag(_) | Leaf::Null) => (*op > 1).then_some(OqlError::NoOrder),
            Self::Test(..) | Self::Instant(..) => None,
            Self::Like(_, _, pattern) => refusal(pattern, true),
            Self::In(_, _, values) => values
                .iter()
                .find_map(|value| refusal(value, false))
                .or_else(|| (values.len() > MAX_IN).then_some(OqlError::TooMany))
                .or_else(|| values.is_empty().then_some(OqlError::Nothing)),
            Self::All(parts) | Self::Any(parts) => parts
                .iter()
                .find_map(Self::refusal)
                .or_else(|| parts.is_empty().then_some(OqlError::Nothing)),
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z0-9_./ -]{1,20}",
        2 => any::<String>(),
        2 => "[a-z'\"\\\\` =<>!@?\\[\\](),*\n\u{2019}\u{202e}é]{0,30}",
        1 => Just("x' OR name LIKE '@".to_owned()),
        1 => Just("x') ORDER BY name".to_owned()),
        1 => (1020_usize..1030).prop_map(|length| "a".repeat(length)),
    ]
}

fn any_meant() -> impl Strategy<Value = Meant> {
    let field = 0..FIELDS.len();
    let value = prop_oneof![
        any_text().prop_map(Leaf::Text),
        any::<i64>().prop_map(Leaf::Int),
        any::<bool>().prop_map(Leaf::Flag),
        Just(Leaf::Null),
    ];
    let leaf = prop_oneof![
        (field.clone(), 0..OPS.len(), value).prop_map(|(f, op, v)| Meant::Test(f, op, v)),
        (field.clone(), 0_i64..4_000_000_000).prop_map(|(f, at)| Meant::Instant(f, at)),
        (field.clone(), any::<bool>(), any_text()).prop_map(|(f, not, p)| Meant::Like(f, not, p)),
        (
            field.clone(),
            any::<bool>(),
            proptest::collection::vec("[A-Z_]{1,8}", 0..104)
        )
            .prop_map(|(f, not, v)| Meant::In(f, not, v)),
        (
            field,
            any::<bool>(),
            proptest::collection::vec(any_text(), 1..4)
        )
            .prop_map(|(f, not, v)| Meant::In(f, not, v)),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let parts = proptest::collection::vec(inner, 0..4);
        prop_oneof![
            parts.clone().prop_map(Meant::All),
            parts.prop_map(Meant::Any),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever goes in, what comes out is refused for a reason or is exactly what was meant.
    #[test]
    fn what_is_written_reads_back_as_what_was_meant(
        meant in any_meant(),
        sorts in proptest::collection::vec((0..FIELDS.len(), any::<bool>()), 0..3),
    ) {
        let built = match meant.build() {
            Ok(built) => built,
            Err(error) => {
                prop_assert!(meant.refusal().is_some(), "{error} for nothing");
                return Ok(());
            }
        };
        prop_assert_eq!(meant.refusal(), None);
        let mut query = OqlQuery::of(vec![built]);
        for (field, up) in &sorts {
            let way = if *up { Direction::Ascending } else { Direction::Descending };
            query = query.order_by(FIELDS[*field], way).unwrap();
        }
        match query.text() {
            Err(error) => prop_assert_eq!(error, OqlError::TooLong),
            Ok(text) => {
                let (tree, read_sorts) = Reader::read(&text.unwrap()).map_err(TestCaseError::fail)?;
                prop_assert_eq!(tree, Some(meant.tree()));
                let expected: Vec<Sort> = sorts
                    .iter()
                    .map(|(f, up)| (FIELDS[*f].to_owned(), if *up { "ASC" } else { "DESC" }.to_owned()))
                    .collect();
                prop_assert_eq!(read_sorts, expected);
            }
        }
    }

    /// No text, however made, changes the shape of its query.
    #[test]
    fn no_text_leaves_its_quotes(text in any_text()) {
        if let Ok(built) = Oql::is("name", &text) {
            let read = Reader::read(&built.to_string()).map_err(TestCaseError::fail)?;
            let meant = Tree::Test("name".to_owned(), "=".to_owned(), Leaf::Text(text));
            prop_assert_eq!(read, (Some(meant), Vec::new()));
        }
    }
}

/// The parser itself: it takes what the vendor's pages show, and nothing that is broken.
#[test]
fn the_parser_takes_the_examples_of_the_vendors_pages() {
    for text in [
        "jobruns.compositeStatus.status IN ['ABEND','FAIL'] ORDER BY name ASC",
        "priority = '101' and priority = 101",
        "schedTime >= '2026-03-02T00:00:00.000Z' AND (a = true OR b NOT LIKE 'x@')",
        "ORDER BY name, id DESC",
    ] {
        assert!(Reader::read(text).is_ok(), "{text}");
    }
    for text in [
        "name = 'a",
        "name = a",
        "name 'a'",
        "(name = 'a'",
        "name IN []",
        "name = 'a' x",
        "name NOT = 1",
    ] {
        assert!(Reader::read(text).is_err(), "{text}");
    }
}
