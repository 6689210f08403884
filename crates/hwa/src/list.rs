//! A list page, decoded element by element while its bytes arrive.
//!
//! Invariants, each with a test of its name:
//! 1. `every_way_of_cutting_gives_the_same`: where the chunks end makes no difference.
//! 2. `what_is_held_is_one_element`: neither the body nor a tree of it is held; only the bytes of the
//!    element that is not whole yet, and what the elements became.
//! 3. `it_reads_what_serde_json_reads`: of every text it says the same as a parser that has it whole.
//! 4. `a_drip_of_bytes_is_parsed_few_times`: an element that comes in small pieces is tried again only
//!    once it has grown by half.

use std::fmt;

use resync_tws::ports::GatewayError;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::body::{Head, Sink, byte_of};
use crate::failure::Failure;
use crate::wire::{Object, Place, Scalar};

/// The most bytes of a list page.
pub(crate) const LIST_CAP: usize = 32 << 20;

/// `{count, results[], next, previous}` with its elements as the caller wants them.
#[derive(Debug)]
pub(crate) struct WireList<T> {
    pub(crate) count: Scalar,
    /// None when there was no array of that name.
    pub(crate) results: Option<Vec<T>>,
    pub(crate) next: Scalar,
}

impl<T> Default for WireList<T> {
    fn default() -> Self {
        Self {
            count: Scalar::Absent,
            results: None,
            next: Scalar::Absent,
        }
    }
}

/// What must come next, blanks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    FirstKey,
    Key,
    Colon,
    Value,
    FirstItem,
    Item,
    AfterItem,
    AfterValue,
    End,
}

/// The names of the envelope that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Count,
    Results,
    Next,
    Other,
}

/// Takes the body of a list. `W` is an element on the wire, `become_ours` makes it ours; its number is
/// its place in the list.
pub(crate) struct ListSink<W, T, F> {
    become_ours: F,
    list: WireList<T>,
    wire: std::marker::PhantomData<fn() -> W>,
    step: Step,
    name: Name,
    seen: [bool; 3],
    /// Text that came and was not consumed; what stands before `at` was.
    text: String,
    at: usize,
    /// The bytes of a character that is not whole yet, at most three.
    half: Vec<u8>,
    /// With less text than this there is no use in trying again.
    worth_trying: usize,
    /// Bytes before `text`.
    before: usize,
    came: usize,
    cap: usize,
}

impl<W, T, F> fmt::Debug for ListSink<W, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListSink")
            .field("step", &self.step)
            .field("came", &self.came)
            .finish_non_exhaustive()
    }
}

impl<W, T, F> ListSink<W, T, F>
where
    W: DeserializeOwned,
    F: Fn(W, Place) -> Result<T, GatewayError>,
{
    pub(crate) fn new(become_ours: F) -> Self {
        Self {
            become_ours,
            list: WireList::default(),
            wire: std::marker::PhantomData,
            step: Step::Start,
            name: Name::Other,
            seen: [false; 3],
            text: String::new(),
            at: 0,
            half: Vec::new(),
            worth_trying: 0,
            before: 0,
            came: 0,
            cap: LIST_CAP,
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Takes bytes in as text; a character may be cut by the end of a chunk.
    fn take_in(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.text.drain(..self.at);
        self.before += self.at;
        self.at = 0;
        let mut bytes = bytes;
        while !self.half.is_empty() {
            let Some((first, rest)) = bytes.split_first() else {
                return Ok(());
            };
            self.half.push(*first);
            bytes = rest;
            match std::str::from_utf8(&self.half) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.half.clear();
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(no_utf8()),
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(error) if error.error_len().is_none() => {
                let (whole, half) = bytes.split_at(error.valid_up_to());
                // Checked a moment ago; the check is cheap beside the parsing.
                self.text
                    .push_str(std::str::from_utf8(whole).map_err(|_| no_utf8())?);
                self.half.extend_from_slice(half);
            }
            Err(_) => return Err(no_utf8()),
        }
        Ok(())
    }

    /// Consumes as much as can be understood. `last` tells that no more will come.
    fn run(&mut self, last: bool) -> Result<(), Failure> {
        if !last && self.text.len() - self.at < self.worth_trying {
            return Ok(());
        }
        self.worth_trying = 0;
        loop {
            let blanks = self
                .rest()
                .bytes()
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
                .count();
            self.at += blanks;
            let Some(first) = self.rest().bytes().next() else {
                return Ok(());
            };
            let went_on = match self.step {
                Step::Start => self.start(first)?,
                Step::FirstKey if first == b'}' => self.go(Step::End),
                Step::FirstKey | Step::Key => self.key(first, last)?,
                Step::Colon if first == b':' => self.go(Step::Value),
                Step::Value => self.value(first, last)?,
                Step::FirstItem if first == b']' => self.go(Step::AfterValue),
                Step::FirstItem | Step::Item => self.item(last)?,
                Step::AfterItem if first == b',' => self.go(Step::Item),
                Step::AfterItem if first == b']' => self.go(Step::AfterValue),
                Step::AfterValue if first == b',' => self.go(Step::Key),
                Step::AfterValue if first == b'}' => self.go(Step::End),
                Step::Colon | Step::AfterItem | Step::AfterValue | Step::End => {
                    return Err(self.no_json(1));
                }
            };
            if !went_on {
                let held = self.text.len() - self.at;
                self.worth_trying = held + (held / 2).max(1);
                return Ok(());
            }
        }
    }

    /// Steps over one character.
    fn go(&mut self, step: Step) -> bool {
        self.at += 1;
        self.step = step;
        true
    }

    fn start(&mut self, first: u8) -> Result<bool, Failure> {
        match first {
            b'{' => Ok(self.go(Step::FirstKey)),
            b'<' => Err(Failure::garbled("a web page instead of JSON")),
            b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                Err(Failure::garbled("JSON, but no object"))
            }
            _ => Err(self.no_json(1)),
        }
    }

    fn key(&mut self, first: u8, last: bool) -> Result<bool, Failure> {
        if first != b'"' {
            return Err(self.no_json(1));
        }
        let Some(key) = self.parse::<String>(last)? else {
            return Ok(false);
        };
        let (name, slot) = match key.as_str() {
            "count" => (Name::Count, Some(0)),
            "results" => (Name::Results, Some(1)),
            "next" => (Name::Next, Some(2)),
            _ => (Name::Other, None),
        };
        if let Some(seen) = slot.and_then(|slot: usize| self.seen.get_mut(slot))
            && std::mem::replace(seen, true)
        {
            // Which of the two is meant, nobody can tell.
            return Err(Failure::garbled(format!("JSON with {key} twice")));
        }
        self.name = name;
        self.step = Step::Colon;
        Ok(true)
    }

    fn value(&mut self, first: u8, last: bool) -> Result<bool, Failure> {
        if self.name == Name::Results && first == b'[' {
            self.list.results = Some(Vec::new());
            return Ok(self.go(Step::FirstItem));
        }
        let done = match self.name {
            Name::Count => {
                let value = self.parse::<Scalar>(last)?;
                value.map(|value| self.list.count = value)
            }
            Name::Next => {
                let value = self.parse::<Scalar>(last)?;
                value.map(|value| self.list.next = value)
            }
            Name::Results | Name::Other => self.parse::<IgnoredAny>(last)?.map(|_| ()),
        };
        if done.is_some() {
            self.step = Step::AfterValue;
        }
        Ok(done.is_some())
    }

    fn item(&mut self, last: bool) -> Result<bool, Failure> {
        let Some(Object(wire)) = self.parse::<Object<W>>(last)? else {
            return Ok(false);
        };
        let results = self.list.results.get_or_insert_default();
        let place = Place::Result(results.len());
        let wire = wire.ok_or_else(|| {
            Failure::Unusable(GatewayError::Unreadable(
                format!("{place} is no object").into(),
            ))
        })?;
        results.push((self.become_ours)(wire, place).map_err(Failure::Unusable)?);
        self.step = Step::AfterItem;
        Ok(true)
    }

    /// One value, or nothing when it may not be whole yet.
    fn parse<V: DeserializeOwned>(&mut self, last: bool) -> Result<Option<V>, Failure> {
        let rest = self.text.get(self.at..).unwrap_or("");
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<V>();
        match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                let ends_itself = rest
                    .as_bytes()
                    .get(length.wrapping_sub(1))
                    .is_some_and(|byte| matches!(byte, b'}' | b']' | b'"'));
                // `12` at the end of a chunk may be the beginning of `123`.
                if !ends_itself && length == rest.len() && !last {
                    return Ok(None);
                }
                self.at += length;
                Ok(Some(value))
            }
            Some(Err(error)) if error.is_eof() => Ok(None),
            Some(Err(error)) => {
                let byte = byte_of(rest, &error);
                // A lone minus at the end is an error to the parser, and may be half a number.
                if !last && byte >= rest.len() {
                    return Ok(None);
                }
                Err(self.no_json(byte))
            }
            None => Ok(None),
        }
    }

    /// `column` counts from 1, from where the text is read at present.
    fn no_json(&self, column: usize) -> Failure {
        let byte = self.before + self.at + column;
        let place = match &self.list.results {
            Some(results) if matches!(self.step, Step::FirstItem | Step::Item) => {
                format!("{}: ", Place::Result(results.len()))
            }
            _ => String::new(),
        };
        Failure::garbled(format!("{place}no JSON at byte {byte}"))
    }
}

fn no_utf8() -> Failure {
    Failure::garbled("bytes that are no UTF-8")
}

impl<W, T, F> Sink for ListSink<W, T, F>
where
    W: DeserializeOwned,
    T: Send,
    F: Fn(W, Place) -> Result<T, GatewayError> + Send,
{
    type Output = WireList<T>;

    fn begin(&mut self, head: Head) -> Result<(), Failure> {
        if head.html {
            return Err(Failure::garbled("a web page instead of JSON"));
        }
        if head.is_longer_than(self.cap) {
            return Err(Failure::too_large(self.cap));
        }
        Ok(())
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.came += bytes.len();
        if self.came > self.cap {
            return Err(Failure::too_large(self.cap));
        }
        self.take_in(bytes)?;
        if self.step == Step::Start && self.before == 0 {
            // A mark of byte order says nothing in UTF-8.
            if let Some(rest) = self.text.strip_prefix('\u{feff}') {
                self.at = self.text.len() - rest.len();
            }
        }
        self.run(false)?;
        Ok(true)
    }

    fn end(mut self) -> Result<WireList<T>, Failure> {
        if !self.half.is_empty() {
            return Err(no_utf8());
        }
        self.run(true)?;
        match self.step {
            Step::End => Ok(self.list),
            Step::Start => Err(Failure::garbled("an empty body")),
            _ => Err(Failure::garbled(format!(
                "half of a JSON text, {} bytes",
                self.came
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
