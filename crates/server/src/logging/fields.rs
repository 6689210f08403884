//! The fields of a span as a JSON object, written once and in place.
//!
//! The library's own formatter collects them in a tree of owned values first, which was a twentieth
//! of the CPU of a cached read.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Formats fields as JSON. A field that is recorded twice stands twice; readers of JSON take the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonObject;

impl<'w> FormatFields<'w> for JsonObject {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        Object::after(writer, "{").with(|object| fields.record(object))
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        // Opened again where it was closed.
        current.fields.pop();
        let before = match current.fields.as_str() {
            "" => "{",
            "{" => "",
            _ => ",",
        };
        Object::after(current.as_writer(), before).with(|object| fields.record(object))
    }
}

/// An object that is being written.
struct Object<'w> {
    writer: Writer<'w>,
    /// What stands before the next name.
    before: &'static str,
    written: fmt::Result,
}

impl<'w> Object<'w> {
    fn after(writer: Writer<'w>, before: &'static str) -> Self {
        Self {
            writer,
            before,
            written: Ok(()),
        }
    }

    fn with(mut self, record: impl FnOnce(&mut Self)) -> fmt::Result {
        record(&mut self);
        self.written?;
        // Without a field it was not opened yet.
        self.writer
            .write_str(if self.before == "{" { "{}" } else { "}" })
    }

    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'w>) -> fmt::Result) {
        if self.written.is_ok() {
            self.written = self.try_put(field.name(), value);
        }
    }

    fn try_put(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut Writer<'w>) -> fmt::Result,
    ) -> fmt::Result {
        self.writer.write_str(self.before)?;
        self.before = ",";
        self.writer.write_char('"')?;
        Escaped(&mut self.writer).write_str(name.trim_start_matches("r#"))?;
        self.writer.write_str("\":")?;
        value(&mut self.writer)
    }
}

impl Visit for Object<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| {
            writer.write_char('"')?;
            write!(Escaped(writer), "{value:?}")?;
            writer.write_char('"')
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| {
            writer.write_char('"')?;
            Escaped(writer).write_str(value)?;
            writer.write_char('"')
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for the others.
        if value.is_finite() {
            self.put(field, |writer| write!(writer, "{value}"));
        } else {
            self.put(field, |writer| writer.write_str("null"));
        }
    }
}

/// Text within a JSON string.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        let special = |c: char| matches!(c, '"' | '\\' | '\0'..='\u{1f}');
        while let Some((plain, c, after)) = rest.find(special).and_then(|at| {
            let (plain, tail) = rest.split_at(at);
            let mut tail = tail.chars();
            Some((plain, tail.next()?, tail.as_str()))
        }) {
            self.0.write_str(plain)?;
            match c {
                '"' | '\\' => write!(self.0, "\\{c}")?,
                control => write!(self.0, "\\u{:04x}", u32::from(control))?,
            }
            rest = after;
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The object of the innermost span in the one line that `log` writes.
    fn span_of(log: impl FnOnce()) -> Value {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = super::super::json(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        line["span"].clone()
    }

    #[test]
    fn a_span_is_an_object_whatever_its_fields_hold() {
        let odd = "a \"quote\", a \\, a\nline\u{0}\u{1f} and ã";
        let span = span_of(|| {
            let span = tracing::info_span!(
                "odd",
                text = odd,
                shown = %odd,
                debug = ?Some("x"),
                yes = true,
                less = -3,
                more = 7_u64,
                half = 0.5,
                none = f64::NAN,
                r#type = 1_u8,
                late = tracing::field::Empty,
            );
            span.record("late", odd);
            span.in_scope(|| tracing::info!("one"));
        });
        let expected = json!({
            "name": "odd", "text": odd, "shown": odd, "debug": "Some(\"x\")", "yes": true, "less": -3,
            "more": 7, "half": 0.5, "none": null, "type": 1, "late": odd,
        });
        assert_eq!(span, expected);
    }

    #[test]
    fn a_span_without_fields_is_one_too_and_takes_some_later() {
        let bare = span_of(|| {
            let span = tracing::info_span!("bare");
            span.in_scope(|| tracing::info!("one"));
        });
        assert_eq!(bare, json!({ "name": "bare" }));
        let later = span_of(|| {
            let span = tracing::info_span!(
                "later",
                a = tracing::field::Empty,
                b = tracing::field::Empty
            );
            span.record("a", 1);
            span.record("b", "two");
            span.in_scope(|| tracing::info!("one"));
        });
        assert_eq!(later, json!({ "name": "later", "a": 1, "b": "two" }));
    }
}
