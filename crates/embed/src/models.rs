//! From a text to its vector, by one model or by two.
//!
//! A text that is longer than a window is cut into windows of equal length; its vector is the mean
//! of theirs.
//!
//! Two models' vectors stand beside each other. In a passage they have equal parts; in a question
//! each is as long as the model is to be believed, so that the cosine of a question and the passages
//! orders these by the mean of the two cosines with the question's weights. The English model knows
//! nothing of other languages and would only add noise: how much it counts is read off the share
//! of the question's words that its vocabulary holds whole.

use resync_rag::{EmbeddingKind, EmbeddingModel};

use crate::files::{MINILM_PIECES, MINILM_WEIGHTS, USE_PIECES, USE_WEIGHTS};
use crate::math;
use crate::minilm::{self, MiniLm};
use crate::use_multilingual::{self, UseMultilingual};
use crate::weights::WeightsError;

/// Which of the bundled models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundledModel {
    /// USE-multilingual v3 alone: 512 dimensions, the quickest, Portuguese as good as English.
    Multilingual,
    /// The same and all-MiniLM-L6-v2 beside it, which finds more for questions in English: 896
    /// dimensions.
    MultilingualAndEnglish,
}

/// Tokens of a window, marks not counted.
const MULTILINGUAL_WINDOW: usize = 256;
const ENGLISH_WINDOW: usize = 128;
/// What USE-multilingual counts, of 1, in a question of words that the English model knows, in one
/// of others, and in one of names and codes alone. Measured: docs/decisions/0017.
const SHARE_IN_ENGLISH: f32 = 0.5;
const SHARE_OTHERWISE: f32 = 0.8;
const SHARE_OF_NAMES: f32 = 0.6;
/// Shares of unknown words between which the weight moves from the first to the second.
const STRANGE: std::ops::Range<f32> = 0.2..0.5;

impl BundledModel {
    /// Its name, and the length of its vectors.
    #[must_use]
    pub fn model(self) -> EmbeddingModel {
        let (id, dimensions) = match self {
            Self::Multilingual => ("use-multilingual-3/r1", 512),
            Self::MultilingualAndEnglish => ("use-multilingual-3+all-minilm-l6-v2/r1", 896),
        };
        EmbeddingModel {
            id: id.to_owned(),
            dimensions,
        }
    }
}

/// What was unpacked.
pub(crate) struct Models {
    multilingual: UseMultilingual<'static>,
    english: Option<MiniLm<'static>>,
}

impl Models {
    /// Unpacks the weights: some ten milliseconds for each model.
    pub(crate) fn load(model: BundledModel) -> Result<Self, WeightsError> {
        let multilingual = UseMultilingual::read(USE_WEIGHTS, USE_PIECES)?;
        let english = match model {
            BundledModel::Multilingual => None,
            BundledModel::MultilingualAndEnglish => {
                Some(MiniLm::read(MINILM_WEIGHTS, MINILM_PIECES)?)
            }
        };
        Ok(Self {
            multilingual,
            english,
        })
    }

    /// The vector of a text: length 1, or zeros when no model knows a piece of it.
    pub(crate) fn vector(&self, kind: EmbeddingKind, text: &str) -> Vec<f32> {
        let mut vector = self.multilingual(text);
        if let Some(english) = &self.english {
            let share = match kind {
                EmbeddingKind::Passage => 0.5,
                EmbeddingKind::Query => multilingual_share(english.strangeness(text)),
            };
            scale(&mut vector, share);
            let mut other = self::english(english, text);
            scale(&mut other, 1.0 - share);
            vector.append(&mut other);
            math::unit(&mut vector);
        }
        vector
    }

    fn multilingual(&self, text: &str) -> Vec<f32> {
        let model = &self.multilingual;
        let tokens = model.tokens(text);
        if UseMultilingual::knows_none(&tokens) {
            return vec![0.0; use_multilingual::DIMENSIONS];
        }
        mean(&tokens, MULTILINGUAL_WINDOW, |window| model.vector(window))
    }
}

/// What the multilingual model counts in a question that is so strange to the English one.
fn multilingual_share(strangeness: Option<f32>) -> f32 {
    let Some(strangeness) = strangeness else {
        return SHARE_OF_NAMES;
    };
    let way = (strangeness - STRANGE.start) / (STRANGE.end - STRANGE.start);
    SHARE_IN_ENGLISH + (SHARE_OTHERWISE - SHARE_IN_ENGLISH) * way.clamp(0.0, 1.0)
}

fn english(model: &MiniLm<'_>, text: &str) -> Vec<f32> {
    let pieces = model.pieces(text);
    if model.knows_none(&pieces) {
        return vec![0.0; minilm::DIMENSIONS];
    }
    mean(&pieces, ENGLISH_WINDOW, |window| {
        model.vector(&model.tokens(window))
    })
}

/// The direction between the vectors of the windows, of which there are as few as possible and
/// none is much longer than another.
fn mean(tokens: &[u32], window: usize, vector: impl Fn(&[u32]) -> Vec<f32>) -> Vec<f32> {
    let count = tokens.len().div_ceil(window).max(1);
    let mut windows = tokens.chunks(tokens.len().div_ceil(count).max(1));
    let mut sum = windows.next().map(&vector).unwrap_or_default();
    for window in windows {
        math::add(&mut sum, &vector(window));
    }
    if count > 1 {
        math::unit(&mut sum);
    }
    sum
}

fn scale(vector: &mut [f32], factor: f32) {
    for x in vector {
        *x *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::cosine;

    fn models() -> Models {
        Models::load(BundledModel::MultilingualAndEnglish).unwrap()
    }

    fn length(vector: &[f32]) -> f32 {
        vector.iter().map(|x| x * x).sum::<f32>().sqrt()
    }

    /// The question's weights order the passages, whatever the length of its vector.
    #[test]
    fn a_cosine_of_both_models_is_the_mean_of_their_cosines_by_the_questions_weights() {
        let models = models();
        let text = "where are the messages of the kernel";
        let question = models.vector(EmbeddingKind::Query, text);
        let share = multilingual_share(models.english.as_ref().unwrap().strangeness(text));
        let ratios = ["kernel messages: dmesg", "o disco está cheio"].map(|text| {
            let passage = models.vector(EmbeddingKind::Passage, text);
            let (left, right) = question.split_at(use_multilingual::DIMENSIONS);
            let (other_left, other_right) = passage.split_at(use_multilingual::DIMENSIONS);
            let mean =
                share * cosine(left, other_left) + (1.0 - share) * cosine(right, other_right);
            cosine(&question, &passage) / mean
        });
        assert!((ratios[0] - ratios[1]).abs() < 1e-4, "{ratios:?}");
        assert_eq!(question.len(), 896);
    }

    #[test]
    fn the_english_model_counts_for_questions_in_its_words() {
        let models = models();
        let english = models.english.as_ref().unwrap();
        let share = |text| multilingual_share(english.strangeness(text));
        for text in [
            "Why did FIN_EOD_BAL abend?",
            "who is on call",
            "disk full on FINAPP01",
        ] {
            assert!(share(text) < 0.6, "{text}: {}", share(text));
        }
        for text in [
            "Por que o job FIN_EOD_BAL terminou em ABEND?",
            "quem está de plantão",
            "disco cheio",
            "El disco está lleno",
            "作业失败",
        ] {
            assert!(share(text) > 0.7, "{text}: {}", share(text));
        }
        assert!((share("ORA-01653 FIN_EOD_BAL") - SHARE_OF_NAMES).abs() < 1e-6);
    }

    #[test]
    fn a_text_without_a_known_piece_is_zeros_and_any_other_has_length_one() {
        let models = models();
        for nothing in ["", " \n\t", "\u{200b}"] {
            assert!(
                models
                    .vector(EmbeddingKind::Query, nothing)
                    .iter()
                    .all(|x| x.abs() < f32::MIN_POSITIVE),
                "{nothing:?}"
            );
        }
        for text in ["a", "disco cheio", "作业失败", &"ABEND RC 12. ".repeat(500)] {
            assert!(
                (length(&models.vector(EmbeddingKind::Passage, text)) - 1.0).abs() < 1e-4,
                "{text:.20}"
            );
        }
    }

    /// Every part of a long text counts, its end like its begin.
    #[test]
    fn the_end_of_a_long_text_counts() {
        let models = models();
        let [disk, payroll] = ["The file system is full. ", "The payroll is late tonight. "];
        let vector = |text: &str| models.vector(EmbeddingKind::Passage, text);
        let changed = vector(&(disk.repeat(100) + &payroll.repeat(100)));
        let unchanged = vector(&disk.repeat(200));
        let payroll = vector(payroll);
        let (with, without) = (cosine(&changed, &payroll), cosine(&unchanged, &payroll));
        assert!(with > without + 0.1, "{with} {without}");
    }

    #[test]
    fn windows_cover_the_text_and_have_one_length() {
        let tokens: Vec<u32> = (0..257).collect();
        let lengths = std::cell::RefCell::new(Vec::new());
        mean(&tokens, 128, |window| {
            lengths.borrow_mut().push(window.len());
            vec![1.0]
        });
        assert_eq!(lengths.into_inner(), [86, 86, 85]);
    }
}
