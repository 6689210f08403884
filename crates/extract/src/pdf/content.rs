//! What the operators of a page show, and where.

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::content::{Content as Operations, Operation};
use lopdf::{Dictionary, Document, Object, ObjectId};

use super::fonts::Font;
use super::{MAX_STREAM, too_large};
use crate::refusal::Refusal;

/// How deeply forms may stand inside each other.
const MAX_FORMS: usize = 8;
/// The operators of a whole file that are followed.
const MAX_OPERATIONS: usize = 20_000_000;
/// The runs of text of one page.
const MAX_RUNS: usize = 200_000;
/// Saved states of one page.
const MAX_SAVED: usize = 512;
/// A shift inside a string that is a blank, and one that is a gap, in parts of the font's size.
const BLANK: f32 = 0.12;
const GAP: f32 = 1.0;

/// A piece of text on a page, from the lower left corner, in points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) size: f32,
    pub(super) text: String,
    pub(super) bold: bool,
    pub(super) monospaced: bool,
}

/// Width and height of a page, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) width: f32,
    pub(super) height: f32,
}

type Matrix = [f32; 6];

const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let [a0, a1, a2, a3, a4, a5] = a;
    let [b0, b1, b2, b3, b4, b5] = b;
    [
        a0 * b0 + a1 * b2,
        a0 * b1 + a1 * b3,
        a2 * b0 + a3 * b2,
        a2 * b1 + a3 * b3,
        a4 * b0 + a5 * b2 + b4,
        a4 * b1 + a5 * b3 + b5,
    ]
}

/// Follows the pages of a document.
pub(super) struct Content<'a> {
    document: &'a Document,
    fonts: HashMap<ObjectId, Rc<Font<'a>>>,
    operations: usize,
}

impl<'a> Content<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            fonts: HashMap::new(),
            operations: 0,
        }
    }

    /// The size of a page and its text; a page that cannot be followed has none.
    pub(super) fn page(&mut self, id: ObjectId) -> Result<(Size, Vec<Run>), Refusal> {
        let (size, turned) = self.place(id);
        let content = self.document.get_page_content_with_limit(id, MAX_STREAM);
        let content = content.map_err(|_| too_large())?;
        let mut resources = Vec::new();
        if let Ok((direct, ids)) = self.document.get_page_resources(id) {
            resources.extend(direct);
            resources.extend(
                ids.iter()
                    .filter_map(|id| self.document.get_dictionary(*id).ok()),
            );
        }
        let mut painter = Painter {
            content: self,
            state: State {
                matrix: turned,
                ..State::default()
            },
            saved: Vec::new(),
            text: IDENTITY,
            line: IDENTITY,
            runs: Vec::new(),
            turned: Vec::new(),
            artifacts: Vec::new(),
        };
        painter.follow(&content, &resources, 0)?;
        let (upright, turned) = (painter.runs, painter.turned);
        Ok((size, if upright.is_empty() { turned } else { upright }))
    }

    /// The size of a page, and the matrix that sets it upright and its corner to the origin.
    fn place(&self, id: ObjectId) -> (Size, Matrix) {
        let box_ = self
            .inherited(id, b"MediaBox")
            .and_then(|object| object.as_array().ok());
        let numbers: Vec<f32> = box_
            .map(|numbers| {
                numbers
                    .iter()
                    .filter_map(|number| number.as_float().ok())
                    .collect()
            })
            .unwrap_or_default();
        let (left, bottom, right, top) = match numbers.as_slice() {
            [a, b, c, d] if (a - c).abs() > 1.0 && (b - d).abs() > 1.0 => {
                (a.min(*c), b.min(*d), a.max(*c), b.max(*d))
            }
            _ => (0.0, 0.0, 595.0, 842.0),
        };
        let (width, height) = (right - left, top - bottom);
        let turn = self
            .inherited(id, b"Rotate")
            .and_then(|object| object.as_i64().ok());
        let flat = Size { width, height };
        let upright = Size {
            width: height,
            height: width,
        };
        match turn.unwrap_or(0).rem_euclid(360) {
            90 => (upright, [0.0, -1.0, 1.0, 0.0, -bottom, right]),
            180 => (flat, [-1.0, 0.0, 0.0, -1.0, right, top]),
            270 => (upright, [0.0, 1.0, -1.0, 0.0, top, -left]),
            _ => (flat, [1.0, 0.0, 0.0, 1.0, -left, -bottom]),
        }
    }

    /// A value of the page or of what it is part of.
    fn inherited(&self, id: ObjectId, key: &[u8]) -> Option<&'a Object> {
        let mut node = self.document.get_dictionary(id).ok()?;
        for _ in 0..64 {
            if let Ok(found) = node.get_deref(key, self.document) {
                return Some(found);
            }
            node = node
                .get_deref(b"Parent", self.document)
                .and_then(Object::as_dict)
                .ok()?;
        }
        None
    }

    /// The font that `name` is in the resources.
    fn font(&mut self, resources: &[&'a Dictionary], name: &[u8]) -> Option<Rc<Font<'a>>> {
        let (id, font) = resources.iter().find_map(|resources| {
            let fonts = resources
                .get_deref(b"Font", self.document)
                .and_then(Object::as_dict)
                .ok()?;
            let (id, font) = self.document.dereference(fonts.get(name).ok()?).ok()?;
            Some((id, font.as_dict().ok()?))
        })?;
        if let Some(known) = id.and_then(|id| self.fonts.get(&id)) {
            return Some(Rc::clone(known));
        }
        let font = Rc::new(Font::new(font, self.document));
        if let Some(id) = id {
            self.fonts.insert(id, Rc::clone(&font));
        }
        Some(font)
    }
}

/// The state that `q` saves.
#[derive(Clone)]
struct State<'a> {
    matrix: Matrix,
    font: Option<Rc<Font<'a>>>,
    size: f32,
    between_chars: f32,
    between_words: f32,
    stretch: f32,
    leading: f32,
    rise: f32,
}

impl Default for State<'_> {
    fn default() -> Self {
        Self {
            matrix: IDENTITY,
            font: None,
            size: 0.0,
            between_chars: 0.0,
            between_words: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        }
    }
}

struct Painter<'a, 'b> {
    content: &'b mut Content<'a>,
    state: State<'a>,
    saved: Vec<State<'a>>,
    text: Matrix,
    line: Matrix,
    runs: Vec<Run>,
    /// Text that is not upright: read where there is no other.
    turned: Vec<Run>,
    /// For each open mark of content, whether it or one around it is no content of the page.
    artifacts: Vec<bool>,
}

impl<'a> Painter<'a, '_> {
    fn follow(
        &mut self,
        content: &[u8],
        resources: &[&'a Dictionary],
        depth: usize,
    ) -> Result<(), Refusal> {
        for operation in Operations::decode_iter(content) {
            // What follows a broken operator cannot be told apart.
            let Ok(operation) = operation else { break };
            self.content.operations += 1;
            if self.content.operations > MAX_OPERATIONS || self.runs.len() > MAX_RUNS {
                return Err(Refusal::unreadable(
                    "it draws more than any document does; split it",
                ));
            }
            if operation.operator == "Do" {
                self.form(&operation, resources, depth)?;
            } else {
                self.operation(&operation, resources);
            }
        }
        Ok(())
    }

    fn form(
        &mut self,
        operation: &Operation,
        resources: &[&'a Dictionary],
        depth: usize,
    ) -> Result<(), Refusal> {
        let document = self.content.document;
        let name = operation
            .operands
            .first()
            .and_then(|name| name.as_name().ok());
        let form = name.and_then(|name| {
            resources.iter().find_map(|resources| {
                let forms = resources
                    .get_deref(b"XObject", document)
                    .and_then(Object::as_dict)
                    .ok()?;
                forms
                    .get_deref(name, document)
                    .and_then(Object::as_stream)
                    .ok()
            })
        });
        let Some(form) = form.filter(|_| depth < MAX_FORMS) else {
            return Ok(());
        };
        if form.dict.get(b"Subtype").and_then(Object::as_name).ok() != Some(b"Form") {
            return Ok(());
        }
        let content = form
            .get_plain_content_with_limit(MAX_STREAM)
            .map_err(|_| too_large())?;
        let own = form
            .dict
            .get_deref(b"Resources", document)
            .and_then(Object::as_dict)
            .ok();
        let resources: Vec<&Dictionary> =
            own.into_iter().chain(resources.iter().copied()).collect();
        let (state, text, line, saved) =
            (self.state.clone(), self.text, self.line, self.saved.len());
        let matrix = form
            .dict
            .get_deref(b"Matrix", document)
            .and_then(Object::as_array);
        if let Some(matrix) = matrix.ok().and_then(|matrix| matrix_of(matrix)) {
            self.state.matrix = product(&matrix, &self.state.matrix);
        }
        let marks = self.artifacts.len();
        self.follow(&content, &resources, depth + 1)?;
        self.artifacts.truncate(marks);
        self.saved.truncate(saved);
        (self.state, self.text, self.line) = (state, text, line);
        Ok(())
    }

    fn operation(&mut self, operation: &Operation, resources: &[&'a Dictionary]) {
        let operands = &operation.operands;
        let number = |at: usize| {
            operands
                .get(at)
                .and_then(|number| number.as_float().ok())
                .unwrap_or(0.0)
        };
        match operation.operator.as_str() {
            "q" if self.saved.len() < MAX_SAVED => self.saved.push(self.state.clone()),
            "Q" => {
                if let Some(state) = self.saved.pop() {
                    self.state = state;
                }
            }
            "cm" => {
                if let Some(matrix) = matrix_of(operands) {
                    self.state.matrix = product(&matrix, &self.state.matrix);
                }
            }
            "BT" => (self.text, self.line) = (IDENTITY, IDENTITY),
            "Tf" => {
                let name = operands.first().and_then(|name| name.as_name().ok());
                self.state.font = name.and_then(|name| self.content.font(resources, name));
                self.state.size = number(1);
            }
            "Tc" => self.state.between_chars = number(0),
            "Tw" => self.state.between_words = number(0),
            "Tz" => self.state.stretch = number(0) / 100.0,
            "TL" => self.state.leading = number(0),
            "Ts" => self.state.rise = number(0),
            "Td" => self.next_line(number(0), number(1)),
            "TD" => {
                self.state.leading = -number(1);
                self.next_line(number(0), number(1));
            }
            "Tm" => {
                if let Some(matrix) = matrix_of(operands) {
                    (self.text, self.line) = (matrix, matrix);
                }
            }
            "T*" => self.next_line(0.0, -self.state.leading),
            "Tj" => self.show(operands),
            "TJ" => {
                if let Some(parts) = operands.first().and_then(|parts| parts.as_array().ok()) {
                    self.show(parts);
                }
            }
            "'" => {
                self.next_line(0.0, -self.state.leading);
                self.show(operands);
            }
            "\"" => {
                self.state.between_words = number(0);
                self.state.between_chars = number(1);
                self.next_line(0.0, -self.state.leading);
                self.show(operands.get(2..).unwrap_or_default());
            }
            "BMC" | "BDC" => {
                let tag = operands.first().and_then(|tag| tag.as_name().ok());
                let around = self.artifacts.last().copied().unwrap_or(false);
                if self.artifacts.len() < MAX_SAVED {
                    self.artifacts.push(around || tag == Some(b"Artifact"));
                }
            }
            "EMC" => {
                self.artifacts.pop();
            }
            _ => {}
        }
    }

    fn next_line(&mut self, x: f32, y: f32) {
        self.line = product(&[1.0, 0.0, 0.0, 1.0, x, y], &self.line);
        self.text = self.line;
    }

    fn advance(&mut self, x: f32) {
        self.text = product(&[1.0, 0.0, 0.0, 1.0, x, 0.0], &self.text);
    }

    /// Shows strings, with the shifts between them; a wide shift ends a run.
    fn show(&mut self, parts: &[Object]) {
        let Some(font) = self.state.font.clone() else {
            return;
        };
        let mut run: Option<(Matrix, String)> = None;
        for part in parts {
            if let Ok(bytes) = part.as_str() {
                let (_, text) = run.get_or_insert_with(|| (self.text, String::new()));
                text.push_str(&font.text(bytes));
                let mut shift = 0.0;
                for (width, is_blank) in font.advances(bytes) {
                    let word = if is_blank {
                        self.state.between_words
                    } else {
                        0.0
                    };
                    shift += (width * self.state.size + self.state.between_chars + word)
                        * self.state.stretch;
                }
                self.advance(shift);
            } else if let Ok(back) = part.as_float() {
                let ahead = -back / 1000.0;
                if !(-GAP..=GAP).contains(&ahead) {
                    self.end_run(run.take(), &font);
                } else if ahead > BLANK
                    && let Some((_, text)) = &mut run
                    && !text.ends_with(' ')
                {
                    text.push(' ');
                }
                self.advance(ahead * self.state.size * self.state.stretch);
            }
        }
        self.end_run(run, &font);
    }

    fn end_run(&mut self, run: Option<(Matrix, String)>, font: &Font<'_>) {
        let Some((start, text)) = run else { return };
        if text.trim().is_empty() || self.artifacts.last() == Some(&true) {
            return;
        }
        let raised = [1.0, 0.0, 0.0, 1.0, 0.0, self.state.rise];
        let from = product(&product(&raised, &start), &self.state.matrix);
        let to = product(&product(&raised, &self.text), &self.state.matrix);
        let [across, slant, up_x, up_y, x, y] = from;
        let size = self.state.size.abs() * up_x.hypot(up_y);
        let all = [x, y, size, to[4]];
        if all
            .iter()
            .any(|number| !number.is_finite() || number.abs() > 1e6)
            || size < 0.1
        {
            return;
        }
        let upright = across > 0.0 && slant.abs() <= across * 0.5;
        let run = Run {
            x,
            y,
            width: (to[4] - x).max(0.0),
            size,
            text,
            bold: font.bold,
            monospaced: font.monospaced,
        };
        if upright {
            self.runs.push(run);
        } else {
            self.turned.push(run);
        }
    }
}

fn matrix_of(numbers: &[Object]) -> Option<Matrix> {
    let mut matrix = IDENTITY;
    if numbers.len() != matrix.len() {
        return None;
    }
    for (place, number) in matrix.iter_mut().zip(numbers) {
        *place = number.as_float().ok()?;
    }
    Some(matrix)
}
