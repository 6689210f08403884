//! Records in columns (CSV) as Markdown tables.

use csv::{ReaderBuilder, StringRecord};

use crate::markdown::Markdown;
use crate::refusal::Refusal;
use crate::worker::Read;

/// Lines that are looked at to find the delimiter.
const SAMPLE: usize = 20;
/// More columns are no table that anybody reads.
const MAX_COLUMNS: usize = 512;

const DELIMITERS: [u8; 4] = *b",;\t|";

/// The delimiter that cuts the first records into the same number of columns, at least two.
pub(crate) fn delimiter(text: &str) -> Option<u8> {
    best(text).map(|(delimiter, _, _)| delimiter)
}

/// Whether a text is records for certain: at least three of them, of at least three columns each.
pub(crate) fn is_certain(text: &str) -> bool {
    best(text).is_some_and(|(_, columns, records)| columns >= 3 && records >= 3)
}

fn best(text: &str) -> Option<(u8, usize, usize)> {
    let sample = sample(text);
    let of = |delimiter: u8| {
        let mut widths = Vec::new();
        for record in reader(delimiter, sample).records().take(SAMPLE) {
            widths.push(record.ok()?.len());
        }
        // The last record may be cut off where the sample ends.
        if sample.len() < text.len() && widths.len() > 2 {
            widths.pop();
        }
        let columns = *widths.first()?;
        let same = widths.iter().filter(|width| **width == columns).count();
        (columns >= 2 && same * 10 >= widths.len() * 9).then_some((
            delimiter,
            columns,
            widths.len(),
        ))
    };
    DELIMITERS
        .into_iter()
        .filter_map(of)
        .max_by_key(|(_, columns, _)| *columns)
}

fn sample(text: &str) -> &str {
    const BYTES: usize = 16 * 1024;
    let mut end = text.len().min(BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

fn reader(delimiter: u8, text: &str) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

/// Reads the records; the first one names the columns.
pub(crate) fn read(text: &str) -> Result<Read, Refusal> {
    let delimiter = delimiter(text).unwrap_or(b',');
    let mut reader = reader(delimiter, text);
    let mut record = StringRecord::new();
    let mut md = Markdown::default();
    let mut table = None;
    loop {
        let more = reader
            .read_record(&mut record)
            .map_err(|error| Refusal::unreadable(format!("it is not valid CSV: {error}")))?;
        if !more {
            break;
        }
        if record.len() > MAX_COLUMNS {
            return Err(Refusal::unreadable(format!(
                "it has more than {MAX_COLUMNS} columns"
            )));
        }
        let row: Vec<String> = record.iter().map(str::to_owned).collect();
        match &table {
            None => table = Some(md.begin_table(&row)?),
            Some(table) => md.table_row(table, &row)?,
        }
    }
    Ok(Read::markdown("CSV", None, md.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delimiter_is_found() {
        for mark in [",", ";", "\t", "|"] {
            let text = format!("job{mark}owner\nPAYROLL{mark}\"Ana{mark} night shift\"\n");
            let read = read(&text).unwrap();
            let cell = format!("Ana{} night shift", mark.replace('|', "\\|"));
            let cell = cell.replace('\t', " ").replace("  ", " ");
            assert_eq!(
                read.text,
                format!("| job | owner |\n|---|---|\n| PAYROLL | {cell} |\n")
            );
        }
        assert_eq!(delimiter("one word a line\nand another\n"), None);
    }

    #[test]
    fn prose_with_commas_is_no_table() {
        let prose = "First, we look.\nThen, if it is so, we act, and wait.\nDone.\n";
        assert!(!is_certain(prose));
        assert!(is_certain("a,b,c\n1,2,3\n4,5,6\n"));
    }
}
