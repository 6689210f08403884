//! English or Portuguese: the language of a question is the language of its answer.
//!
//! Invariant: words of the trade that both languages use (`job`, `log`, `status`) do not vote.

use resync_tws::Text;
use serde::{Deserialize, Serialize};

use crate::text::{Token, tokens};

/// A language that Resync answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Brazilian Portuguese.
    #[serde(rename = "pt")]
    Portuguese,
}

/// Words of English that are no words of Portuguese.
const ENGLISH: &str = "the is are was were what why how which who when where did does doing dont \
doesnt didnt and or of for with from this that these those its it to my your you we they there \
please show list give tell can could should would will not any all failed fail fails failing late \
waiting running stuck hold release cancel restart finished hello hi hey thanks about happened \
happens have has had be been on in by now today yesterday last night why's whats rerun run again \
everything overview going wrong successful successfully done next steps fix solve help";

/// Words of Portuguese that are no words of English.
const PORTUGUESE: &str = "o os um uma que qual quais quem quando onde porque por como esta estao \
estava foi foram nao sim de da das dos na nas ao aos em com para pra pelo pela seu sua meu minha \
ele ela eles esse essa este isso isto aquele falhou falharam falha falhas abendou abendaram erro \
erros atrasado atrasados atrasada atrasadas travado travados parado parados esperando rodando fila \
execucao concluido concluidos cancele cancelar segure segurar libere liberar rode rodar reexecute \
reexecutar novo novamente mostre mostra liste lista quantos quantas tem ha hoje ontem agora noite \
ola oi bom dia boa tarde obrigado obrigada ajuda fazer faco tudo resumo geral situacao deu dele \
dela estacao estacoes agente agentes maquina servidor fora proximo passo resolver procedimento e \
mais voce voces ate ja ainda depois antes deste desse rodou rodaram terminou terminaram caiu";

impl Language {
    /// One of two, by language.
    #[must_use]
    pub const fn pick<'a>(self, en: &'a str, pt: &'a str) -> &'a str {
        match self {
            Self::English => en,
            Self::Portuguese => pt,
        }
    }

    /// The sentence of `text` in this language.
    #[must_use]
    pub fn of(self, text: &Text) -> &str {
        self.pick(&text.en, &text.pt)
    }

    /// The language of `text`; `last`, the session's language, when its words do not tell, else
    /// English.
    ///
    /// ```
    /// use resync_chat::Language;
    /// assert_eq!(Language::detect("por que o PAYROLL falhou?", None), Language::Portuguese);
    /// assert_eq!(Language::detect("status PAYROLL", Some(Language::Portuguese)), Language::Portuguese);
    /// ```
    #[must_use]
    pub fn detect(text: &str, last: Option<Self>) -> Self {
        let (mut english, mut portuguese) = (0_u32, 0_u32);
        let tokens = tokens(text);
        let shouted = !text.chars().any(char::is_lowercase);
        // A name of the plan is no word: `DE_LOAD` speaks no Portuguese, and RUNNING may be a job.
        let is_name = |token: &Token| {
            let capitals = token.raw.chars().count() > 1
                && token.raw.chars().any(char::is_uppercase)
                && !token.raw.chars().any(char::is_lowercase);
            token.raw.contains(['_', '#']) || (capitals && !shouted)
        };
        for (at, token) in tokens.iter().enumerate() {
            if is_name(token) {
                continue;
            }
            // "status do PAYROLL"; in English nobody does a name.
            let of_a_name = token.word == "do" && tokens.get(at + 1).is_some_and(is_name);
            portuguese += u32::from(of_a_name);
            let is = |list: &str| list.split_whitespace().any(|word| word == token.word);
            english += u32::from(is(ENGLISH));
            portuguese += u32::from(is(PORTUGUESE));
            let accented = |c: char| "áâãàéêíóôõúüç".contains(c);
            portuguese += 2 * u32::from(token.raw.to_lowercase().contains(accented));
        }
        match english.cmp(&portuguese) {
            std::cmp::Ordering::Greater => Self::English,
            std::cmp::Ordering::Less => Self::Portuguese,
            std::cmp::Ordering::Equal => last.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_and_accents_vote() {
        for (text, language) in [
            ("why did PAYROLL abend?", Language::English),
            ("o que está atrasado na LX_PRD01?", Language::Portuguese),
            ("por que o PAYROLL abendou", Language::Portuguese),
            ("quais jobs falharam hoje", Language::Portuguese),
            ("list failed jobs", Language::English),
            ("situação", Language::Portuguese),
            ("rerun it", Language::English),
            ("status do PAYROLL", Language::Portuguese),
            ("mata o RUNNING", Language::Portuguese),
            ("what do I do about PAYROLL?", Language::English),
            ("WHY DID THE JOB FAIL", Language::English),
        ] {
            assert_eq!(Language::detect(text, None), language, "{text}");
        }
    }

    #[test]
    fn a_tie_is_the_sessions_language_else_english() {
        assert_eq!(
            Language::detect("status FIN_GL_POST", None),
            Language::English
        );
        let last = Some(Language::Portuguese);
        assert_eq!(
            Language::detect("status FIN_GL_POST", last),
            Language::Portuguese
        );
    }

    #[test]
    fn the_name_of_a_job_does_not_vote() {
        assert_eq!(
            Language::detect("log DE_O_QUE_NAO", None),
            Language::English
        );
    }
}
