//! How hard a password is to guess, by `zxcvbn`, and what to say about it.
//!
//! Invariant: each warning and suggestion has a code for programs and a sentence in English and in
//! Portuguese for pages; neither holds any part of the password.

use resync_kernel::{ExposeSecret, SecretString};
use serde::Serialize;
use zxcvbn::Score;
use zxcvbn::feedback::{Feedback, Suggestion, Warning};

/// How hard a password is to guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Strength {
    /// From 0, guessed at once, to 4, beyond 10^10 guesses.
    pub score: u8,
    /// Whether the policy takes it.
    pub acceptable: bool,
    /// What is wrong with it.
    pub warning: Option<PasswordWarning>,
    /// What would be better.
    pub suggestions: Vec<PasswordSuggestion>,
}

impl Strength {
    /// The verdict on `password`, which is acceptable from `enough` on. `known` are words that a guesser
    /// knows.
    pub(super) fn of(password: &SecretString, known: &[&str], enough: u8) -> Self {
        let entropy = zxcvbn::zxcvbn(bounded(password.expose_secret()).expose_secret(), known);
        let score = match entropy.score() {
            Score::One => 1,
            Score::Two => 2,
            Score::Three => 3,
            Score::Four => 4,
            // The library may add a score; the lowest is the safe one.
            _ => 0,
        };
        let feedback = entropy.feedback();
        Self {
            score,
            acceptable: score >= enough,
            warning: feedback.and_then(Feedback::warning).map(Into::into),
            suggestions: feedback.map_or_else(Vec::new, |said| {
                said.suggestions().iter().copied().map(Into::into).collect()
            }),
        }
    }

    /// A password that was not looked at.
    pub(super) const fn unacceptable(warning: PasswordWarning) -> Self {
        Self {
            score: 0,
            acceptable: false,
            warning: Some(warning),
            suggestions: Vec::new(),
        }
    }
}

/// The most characters that are looked at: who guesses a password has guessed its beginning, so the rest
/// makes it no worse.
const LOOKED_AT: usize = 40;
/// The most different signs that are tried as letters.
const TRIED_AS_LETTERS: usize = 3;

/// What `zxcvbn` is given of a password. Its work grows with the length, and with each further sign that
/// may stand for a letter it doubles: seconds for a text that is made for it. Signs beyond the first few
/// become ones that stand for nothing, each its own. Digits stay, for rows and dates are made of them.
fn bounded(password: &str) -> SecretString {
    const STAND_FOR_LETTERS: &str = "@({[<!|$+%";
    let mut tried = Vec::with_capacity(TRIED_AS_LETTERS);
    let looked_at = password.chars().take(LOOKED_AT);
    let text: String = looked_at
        .map(|c| {
            let Some(place) = STAND_FOR_LETTERS.find(c) else {
                return c;
            };
            if !tried.contains(&c) && tried.len() < TRIED_AS_LETTERS {
                tried.push(c);
            }
            if tried.contains(&c) {
                return c;
            }
            // Box drawing: in no dictionary, on no keyboard.
            u32::try_from(place)
                .ok()
                .and_then(|place| char::from_u32(0x2500 + place * 2))
                .unwrap_or(c)
        })
        .collect();
    text.into()
}

/// An enum whose variants have a code and a sentence in each language.
macro_rules! said {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident: $code:literal, $en:literal, $pt:literal;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum $name {
            $($(#[$inner])* #[serde(rename = $code)] $variant,)*
        }

        impl $name {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// A name for programs and translations.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// A sentence in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)* }
            }

            /// A sentence in Portuguese.
            #[must_use]
            pub const fn pt(self) -> &'static str {
                match self { $(Self::$variant => $pt,)* }
            }
        }
    };
}

said! {
    /// What is wrong with a password.
    PasswordWarning {
        /// Straight rows of keys are easy to guess.
        StraightRow: "straight-row", "Straight rows of keys are easy to guess.", "Fileiras de teclas são fáceis de adivinhar.";
        /// Short keyboard patterns are easy to guess.
        KeyboardPattern: "keyboard-pattern", "Short keyboard patterns are easy to guess.", "Padrões curtos de teclado são fáceis de adivinhar.";
        /// Repeats like `aaa` are easy to guess.
        RepeatedCharacter: "repeated-character", "Repeats like \"aaa\" are easy to guess.", "Repetições como \"aaa\" são fáceis de adivinhar.";
        /// Repeats like `abcabc` are hardly better than `abc`.
        RepeatedPattern: "repeated-pattern", "Repeats like \"abcabc\" are hardly better than \"abc\".", "Repetições como \"abcabc\" quase não são melhores que \"abc\".";
        /// This is one of the ten most common passwords.
        Top10: "top-10", "This is one of the ten most common passwords.", "Esta é uma das dez senhas mais comuns.";
        /// This is one of the hundred most common passwords.
        Top100: "top-100", "This is one of the hundred most common passwords.", "Esta é uma das cem senhas mais comuns.";
        /// This is a very common password.
        Common: "common", "This is a very common password.", "Esta é uma senha muito comum.";
        /// This is similar to a common password.
        SimilarToCommon: "similar-to-common", "This is similar to a common password.", "Esta senha é parecida com uma senha comum.";
        /// Sequences like `abc` or `6543` are easy to guess.
        Sequence: "sequence", "Sequences like \"abc\" or \"6543\" are easy to guess.", "Sequências como \"abc\" ou \"6543\" são fáceis de adivinhar.";
        /// Recent years are easy to guess.
        RecentYear: "recent-year", "Recent years are easy to guess.", "Anos recentes são fáceis de adivinhar.";
        /// A word by itself is easy to guess.
        SingleWord: "single-word", "A word by itself is easy to guess.", "Uma palavra sozinha é fácil de adivinhar.";
        /// Dates are often easy to guess.
        Date: "date", "Dates are often easy to guess.", "Datas costumam ser fáceis de adivinhar.";
        /// Names by themselves are easy to guess.
        NameAlone: "name-alone", "Names by themselves are easy to guess.", "Nomes sozinhos são fáceis de adivinhar.";
        /// Common names are easy to guess.
        CommonName: "common-name", "Common names are easy to guess.", "Nomes comuns são fáceis de adivinhar.";
        /// This has too few characters.
        TooShort: "too-short", "This has too few characters.", "A senha tem caracteres de menos.";
        /// A password has at most 72 bytes.
        TooLong: "too-long", "A password has at most 72 bytes.", "Uma senha tem no máximo 72 bytes.";
        /// A password has no NUL character.
        Nul: "nul", "A password has no NUL character.", "Uma senha não tem o caractere NUL.";
        /// This password is in a list of leaked passwords.
        Breached: "breached", "This password is in a list of leaked passwords.", "Esta senha está em uma lista de senhas vazadas.";
    }
}

said! {
    /// What would make a better password.
    PasswordSuggestion {
        /// Use a few words, avoid common phrases.
        FewWords: "few-words", "Use a few words, avoid common phrases.", "Use algumas palavras, evite frases comuns.";
        /// There is no need for symbols, digits or capitals.
        NoNeedForSymbols: "no-need-for-symbols", "There is no need for symbols, digits or capitals.", "Não é preciso usar símbolos, números nem maiúsculas.";
        /// Add another word or two; uncommon ones are better.
        AnotherWord: "another-word", "Add another word or two; uncommon ones are better.", "Acrescente uma ou duas palavras; as incomuns são melhores.";
        /// A capital letter does not help much.
        CapitalsHelpLittle: "capitals-help-little", "A capital letter does not help much.", "Uma letra maiúscula não ajuda muito.";
        /// All capitals are almost as easy to guess.
        AllCapitalsHelpLittle: "all-capitals-help-little", "All capitals are almost as easy to guess.", "Tudo em maiúsculas é quase tão fácil de adivinhar.";
        /// Reversed words are not much harder to guess.
        ReversedHelpsLittle: "reversed-helps-little", "Reversed words are not much harder to guess.", "Palavras invertidas não são muito mais difíceis.";
        /// Replacing `a` by `@` does not help much.
        SubstitutionsHelpLittle: "substitutions-help-little", "Replacing \"a\" by \"@\" does not help much.", "Trocar \"a\" por \"@\" não ajuda muito.";
        /// Use a longer keyboard pattern with more turns.
        LongerPattern: "longer-pattern", "Use a longer keyboard pattern with more turns.", "Use um padrão de teclado mais longo e com mais voltas.";
        /// Avoid repeated words and characters.
        AvoidRepeats: "avoid-repeats", "Avoid repeated words and characters.", "Evite palavras e caracteres repetidos.";
        /// Avoid sequences.
        AvoidSequences: "avoid-sequences", "Avoid sequences.", "Evite sequências.";
        /// Avoid recent years.
        AvoidRecentYears: "avoid-recent-years", "Avoid recent years.", "Evite anos recentes.";
        /// Avoid years that have to do with you.
        AvoidYourYears: "avoid-your-years", "Avoid years that have to do with you.", "Evite anos ligados a você.";
        /// Avoid dates that have to do with you.
        AvoidYourDates: "avoid-your-dates", "Avoid dates that have to do with you.", "Evite datas ligadas a você.";
    }
}

impl From<Warning> for PasswordWarning {
    fn from(said: Warning) -> Self {
        match said {
            Warning::StraightRowsOfKeysAreEasyToGuess => Self::StraightRow,
            Warning::ShortKeyboardPatternsAreEasyToGuess => Self::KeyboardPattern,
            Warning::RepeatsLikeAaaAreEasyToGuess => Self::RepeatedCharacter,
            Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => Self::RepeatedPattern,
            Warning::ThisIsATop10Password => Self::Top10,
            Warning::ThisIsATop100Password => Self::Top100,
            Warning::ThisIsACommonPassword => Self::Common,
            Warning::ThisIsSimilarToACommonlyUsedPassword => Self::SimilarToCommon,
            Warning::SequencesLikeAbcAreEasyToGuess => Self::Sequence,
            Warning::RecentYearsAreEasyToGuess => Self::RecentYear,
            Warning::AWordByItselfIsEasyToGuess => Self::SingleWord,
            Warning::DatesAreOftenEasyToGuess => Self::Date,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => Self::NameAlone,
            Warning::CommonNamesAndSurnamesAreEasyToGuess => Self::CommonName,
        }
    }
}

impl From<Suggestion> for PasswordSuggestion {
    fn from(said: Suggestion) -> Self {
        match said {
            Suggestion::UseAFewWordsAvoidCommonPhrases => Self::FewWords,
            Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => Self::NoNeedForSymbols,
            Suggestion::AddAnotherWordOrTwo => Self::AnotherWord,
            Suggestion::CapitalizationDoesntHelpVeryMuch => Self::CapitalsHelpLittle,
            Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
                Self::AllCapitalsHelpLittle
            }
            Suggestion::ReversedWordsArentMuchHarderToGuess => Self::ReversedHelpsLittle,
            Suggestion::PredictableSubstitutionsDontHelpVeryMuch => Self::SubstitutionsHelpLittle,
            Suggestion::UseALongerKeyboardPatternWithMoreTurns => Self::LongerPattern,
            Suggestion::AvoidRepeatedWordsAndCharacters => Self::AvoidRepeats,
            Suggestion::AvoidSequences => Self::AvoidSequences,
            Suggestion::AvoidRecentYears => Self::AvoidRecentYears,
            Suggestion::AvoidYearsThatAreAssociatedWithYou => Self::AvoidYourYears,
            Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => Self::AvoidYourDates,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_stands_once_and_each_sentence_is_one() {
        let warnings = PasswordWarning::ALL
            .iter()
            .map(|one| (one.code(), one.en(), one.pt()));
        let suggestions = PasswordSuggestion::ALL
            .iter()
            .map(|one| (one.code(), one.en(), one.pt()));
        let said: Vec<_> = warnings.chain(suggestions).collect();
        let codes: BTreeSet<_> = said.iter().map(|(code, ..)| code).collect();
        assert_eq!(codes.len(), said.len());
        for (code, en, pt) in said {
            assert!(en.ends_with('.') && pt.ends_with('.') && en != pt, "{code}");
        }
        let json = serde_json::to_value(PasswordWarning::StraightRow).unwrap();
        assert_eq!(json, PasswordWarning::StraightRow.code());
    }

    #[test]
    fn a_verdict_never_holds_the_password() {
        let verdict = Strength::of(&"qwertyuiop1".into(), &["ana"], 3);
        let text = format!("{verdict:?}{}", serde_json::to_string(&verdict).unwrap());
        assert!(!text.contains("qwerty") && !verdict.acceptable);
    }

    /// A text made to keep `zxcvbn` busy costs as much as any other: without the bound this one takes a
    /// thousand times as many substitutions.
    #[test]
    fn few_characters_are_tried_as_letters_and_the_rest_is_kept_apart() {
        let text = |text: &str| bounded(text).expose_secret().to_owned();
        assert_eq!(text("4dm1n1$tr@70r"), "4dm1n1$tr@70r");
        let busy = text("4@8({[<369!1|0$5+7%2 4@8({[<369!1|0$5+7%2");
        let kept: BTreeSet<_> = busy.chars().filter(char::is_ascii_punctuation).collect();
        assert_eq!(kept, BTreeSet::from(['@', '(', '{']));
        let digits: BTreeSet<_> = busy.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits.len(), 10);
        let different: BTreeSet<_> = busy.chars().collect();
        assert_eq!(different.len(), 21, "no two become one");
        assert_eq!(text(&"ç".repeat(99)).chars().count(), LOOKED_AT);
    }

    /// What password managers make is as good as before.
    #[test]
    fn random_signs_are_strong() {
        for good in ["x7$Kp!2@mQ9(4[z", "8|Vt%3<Rn+5{Ww0&", "0gH!4)s2Lq[7@e9("] {
            assert_eq!(Strength::of(&good.into(), &[], 3).score, 4, "{good}");
        }
    }
}
