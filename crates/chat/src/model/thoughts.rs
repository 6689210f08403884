//! Thoughts that a model writes into its text, taken out.
//!
//! Invariant: what stands between `<think>` and `</think>` at the beginning of a text is nobody's
//! business; everything else passes, however it is cut.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[derive(Debug, Default)]
pub(super) enum Thoughts {
    /// It may still begin with a thought; what came so far.
    #[default]
    Unknown,
    Begins(String),
    /// Within a thought; its last letters.
    Thinks(String),
    /// A thought is over; blanks behind it belong to it.
    Rests,
    /// The text itself.
    Speaks,
}

impl Thoughts {
    /// What of `more` is text.
    pub(super) fn text(&mut self, more: &str) -> String {
        match std::mem::take(self) {
            Self::Speaks => {
                *self = Self::Speaks;
                more.to_owned()
            }
            Self::Rests => self.rested(more),
            Self::Thinks(tail) => self.within(&(tail + more)),
            Self::Unknown => self.beginning(more.to_owned()),
            Self::Begins(so_far) => self.beginning(so_far + more),
        }
    }

    fn beginning(&mut self, so_far: String) -> String {
        let begun = so_far.trim_start();
        if let Some(thought) = begun.strip_prefix(OPEN) {
            return self.within(thought);
        }
        if OPEN.starts_with(begun) {
            *self = Self::Begins(so_far);
            return String::new();
        }
        *self = Self::Speaks;
        so_far
    }

    fn within(&mut self, thought: &str) -> String {
        if let Some((_, text)) = thought.split_once(CLOSE) {
            return self.rested(text);
        }
        let letters = thought.chars().count().saturating_sub(CLOSE.len());
        *self = Self::Thinks(thought.chars().skip(letters).collect());
        String::new()
    }

    fn rested(&mut self, text: &str) -> String {
        let text = text.trim_start();
        *self = if text.is_empty() {
            Self::Rests
        } else {
            Self::Speaks
        };
        text.to_owned()
    }

    /// What was held back when the text is over: the beginning of a text that is no thought.
    pub(super) fn end(self) -> String {
        match self {
            Self::Begins(text) => text,
            Self::Unknown | Self::Thinks(_) | Self::Rests | Self::Speaks => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thought_at_the_beginning_is_taken_out_however_it_is_cut() {
        for (said, text) in [
            ("<think>é [e1]\n41 < 42</think>\n\nA is late.", "A is late."),
            ("  <think></think>A <b", "A <b"),
            ("A <think>b</think>", "A <think>b</think>"),
            ("<th", "<th"),
            ("<think>never ends", ""),
            ("", ""),
        ] {
            for size in 1..12 {
                let chars: Vec<char> = said.chars().collect();
                let (mut thoughts, mut found) = (Thoughts::default(), String::new());
                for part in chars.chunks(size) {
                    found += &thoughts.text(&part.iter().collect::<String>());
                }
                found += &thoughts.end();
                assert_eq!(found, text, "{said} by {size}");
            }
        }
    }
}
