//! From pieces of text anywhere on a page to its lines, in the order in which they are read.
//!
//! Columns of text are read one after the other; the cells of a table stay in their line. What tells them
//! apart is how much text stands in each line on both sides of the gap.

use super::content::Run;

/// Gaps in a line, in parts of the font's size: a blank, and one between cells or columns.
const BLANK: f32 = 0.12;
const GAP: f32 = 1.4;
/// A column of text has at least as many lines, with as many characters on average.
const COLUMN_LINES: usize = 4;
const COLUMN_CHARS: usize = 22;
/// How many columns are looked for.
const MAX_SPLITS: usize = 4;

/// A part of a line without a gap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) x: f32,
    pub(super) end: f32,
    pub(super) text: String,
    y: f32,
    size: f32,
    bold: bool,
    monospaced: bool,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) monospaced: bool,
    /// From left to right, at least one.
    pub(super) cells: Vec<Cell>,
}

impl Line {
    pub(super) fn text(&self) -> String {
        let cells: Vec<&str> = self.cells.iter().map(|cell| cell.text.as_str()).collect();
        cells.join(" ")
    }

    pub(super) fn x(&self) -> f32 {
        self.cells.first().map_or(0.0, |cell| cell.x)
    }

    pub(super) fn end(&self) -> f32 {
        self.cells.last().map_or(0.0, |cell| cell.end)
    }
}

/// The lines of a page.
pub(super) fn lines(runs: Vec<Run>) -> Vec<Line> {
    let mut lines = Vec::new();
    split(cells(runs), MAX_SPLITS, &mut lines);
    lines
}

/// Joins the runs of each line where there is no gap; from top to bottom, from left to right.
fn cells(mut runs: Vec<Run>) -> Vec<Cell> {
    runs.sort_by(|a, b| b.y.total_cmp(&a.y));
    let mut cells: Vec<Cell> = Vec::new();
    let mut row: Vec<Run> = Vec::new();
    for run in runs {
        let same = row
            .first()
            .is_some_and(|first| (first.y - run.y).abs() <= 0.4 * first.size.max(run.size));
        if !same {
            end_row(&mut row, &mut cells);
        }
        row.push(run);
    }
    end_row(&mut row, &mut cells);
    cells
}

fn end_row(row: &mut Vec<Run>, cells: &mut Vec<Cell>) {
    row.sort_by(|a, b| a.x.total_cmp(&b.x));
    let Some(y) = row
        .iter()
        .max_by(|a, b| a.size.total_cmp(&b.size))
        .map(|run| run.y)
    else {
        return;
    };
    let mut open: Option<Cell> = None;
    for run in row.drain(..) {
        let end = run.x + run.width;
        if let Some(cell) = &mut open {
            let gap = run.x - cell.end;
            let size = cell.size.min(run.size);
            // The same text twice at the same place is how some programs make it bold.
            if (run.x - cell.x).abs() < 0.1 * size && cell.text == run.text {
                continue;
            }
            if gap <= GAP * size {
                if gap > BLANK * size && !cell.text.ends_with(' ') && !run.text.starts_with(' ') {
                    cell.text.push(' ');
                }
                cell.text.push_str(&run.text);
                cell.end = cell.end.max(end);
                cell.size = cell.size.max(run.size);
                cell.bold &= run.bold;
                cell.monospaced &= run.monospaced;
                continue;
            }
            cells.extend(open.take());
        }
        open = Some(Cell {
            x: run.x,
            end,
            y,
            size: run.size,
            text: run.text,
            bold: run.bold,
            monospaced: run.monospaced,
        });
    }
    cells.extend(open);
}

/// Reads what is left of a gap between columns before what is right of it, between the lines that cross
/// it.
fn split(cells: Vec<Cell>, splits: usize, lines: &mut Vec<Line>) {
    let gutter = if splits > 0 { gutter(&cells) } else { None };
    let Some(gutter) = gutter else {
        return join(cells, lines);
    };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut last: Option<f32> = None;
    for cell in cells {
        if cell.end <= gutter {
            left.push(cell);
        } else if cell.x >= gutter {
            right.push(cell);
        } else {
            // It crosses: what stands above it is read first, unless it stands in the same line.
            if last.is_none_or(|y| (y - cell.y).abs() > 0.1) {
                split(std::mem::take(&mut left), splits - 1, lines);
                split(std::mem::take(&mut right), splits - 1, lines);
            }
            last = Some(cell.y);
            join(vec![cell], lines);
        }
    }
    split(left, splits - 1, lines);
    split(right, splits - 1, lines);
}

/// A place between two columns of text.
fn gutter(cells: &[Cell]) -> Option<f32> {
    let left = cells.iter().map(|cell| cell.x).min_by(f32::total_cmp)?;
    let right = cells.iter().map(|cell| cell.end).max_by(f32::total_cmp)?;
    let mut narrow: Vec<&Cell> = cells
        .iter()
        .filter(|cell| cell.end - cell.x < 0.6 * (right - left))
        .collect();
    narrow.sort_by(|a, b| a.x.total_cmp(&b.x));
    let is_text = |side: &[&Cell]| {
        let chars: usize = side.iter().map(|cell| cell.text.chars().count()).sum();
        side.len() >= COLUMN_LINES && chars >= side.len() * COLUMN_CHARS
    };
    let mut reach = left;
    let mut best: Option<(f32, f32)> = None;
    for (at, cell) in narrow.iter().enumerate() {
        let gap = cell.x - reach;
        if gap > 0.8 * cell.size && best.is_none_or(|(widest, _)| gap > widest) {
            let (before, after) = narrow.split_at(at);
            if is_text(before) && is_text(after) {
                best = Some((gap, reach + gap / 2.0));
            }
        }
        reach = reach.max(cell.end);
    }
    best.map(|(_, place)| place)
}

/// Puts the cells of the same height into lines.
fn join(cells: Vec<Cell>, lines: &mut Vec<Line>) {
    let first = lines.len();
    for cell in cells {
        match lines.get_mut(first..).and_then(<[Line]>::last_mut) {
            Some(line) if (line.y - cell.y).abs() < 0.01 => {
                line.size = line.size.max(cell.size);
                line.bold &= cell.bold;
                line.monospaced &= cell.monospaced;
                line.cells.push(cell);
            }
            _ => lines.push(Line {
                y: cell.y,
                size: cell.size,
                bold: cell.bold,
                monospaced: cell.monospaced,
                cells: vec![cell],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(x: f32, y: f32, text: &str) -> Run {
        Run {
            x,
            y,
            width: 5.0 * f32::from(u16::try_from(text.len()).unwrap()),
            size: 10.0,
            text: text.to_owned(),
            bold: false,
            monospaced: false,
        }
    }

    fn texts(runs: Vec<Run>) -> Vec<String> {
        lines(runs).iter().map(Line::text).collect()
    }

    #[test]
    fn columns_are_read_one_after_the_other_below_their_heading() {
        let mut runs = vec![run(50.0, 700.0, &"a heading across ".repeat(5))];
        for n in 0_u16..6 {
            let y = 680.0 - 12.0 * f32::from(n);
            runs.push(run(300.0, y, &format!("right column, line {n} of text")));
            runs.push(run(50.0, y, &format!("left column, line {n} of text")));
        }
        let texts = texts(runs);
        assert!(texts[0].starts_with("a heading"));
        assert!(
            texts[1..7].iter().all(|text| text.starts_with("left")),
            "{texts:?}"
        );
        assert!(
            texts[7..].iter().all(|text| text.starts_with("right")),
            "{texts:?}"
        );
    }

    #[test]
    fn the_cells_of_a_table_stay_in_their_line() {
        let mut runs = Vec::new();
        for n in 0_u16..6 {
            let y = 680.0 - 12.0 * f32::from(n);
            runs.push(run(50.0, y, &format!("JOB{n}")));
            runs.push(run(300.0, y, &format!("the owner of job number {n}")));
        }
        assert_eq!(texts(runs)[2], "JOB2 the owner of job number 2");
    }

    #[test]
    fn pieces_of_a_line_are_joined_with_the_blanks_that_are_seen() {
        let runs = vec![
            run(50.0, 100.0, "conti"),
            run(75.0, 100.5, "nued"),
            run(98.0, 100.0, "word"),
        ];
        assert_eq!(texts(runs), ["continued word"]);
    }
}
