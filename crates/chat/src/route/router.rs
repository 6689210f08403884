//! A message in, its intent and entities out.

use super::RuleError;
use super::command::Reader;
use super::decision::{self, Read};
use super::injection;
use super::intent::Intent;
use super::message::Message;
use super::names::Names;
use super::reading::tokens;
use super::routing::Routing;
use super::rules::Rules;
use super::signs::sign;
use super::statuses::{statuses, windows};
use super::time;
use crate::context::Context;
use crate::language::Language;
use crate::vocabulary::Vocabulary;

/// Routes messages. Holds the rules; build it once.
#[derive(Debug)]
pub struct Router {
    rules: Rules,
}

/// The most characters that are looked at, the bound of a message.
const LONGEST: usize = 4_000;

impl Default for Router {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "a test reads the rules that ship; they are part of the program"
        )]
        let rules = Rules::new(None).expect("the rules that ship are read");
        Self { rules }
    }
}

impl Router {
    /// The rules that ship and those of a site, in the form of `crates/chat/data/README.md`.
    ///
    /// ```
    /// use resync_chat::{Context, Intent, Router};
    ///
    /// let router = Router::with_rules("[class log]\nprotokoll").unwrap();
    /// let routing = router.route("protokoll of FIN_GL_POST", None, &Context::default());
    /// assert_eq!(routing.intent, Intent::JobLog);
    ///
    /// let error = Router::with_rules("[class log]\n\n[intent job_lag]").unwrap_err();
    /// assert_eq!(error.line(), 3);
    /// ```
    ///
    /// # Errors
    /// [`RuleError`] names the line that cannot be read.
    pub fn with_rules(text: &str) -> Result<Self, RuleError> {
        let rules = Rules::new(Some(text))?;
        Ok(Self { rules })
    }

    /// The intent and the entities of `text`, of which the first 4,000 characters are looked at.
    ///
    /// `vocabulary` is the plan's names, `None` when the plan could not be read.
    #[must_use]
    pub fn route(&self, text: &str, vocabulary: Option<&Vocabulary>, context: &Context) -> Routing {
        let rules = &self.rules;
        let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
        let text = end.and_then(|end| text.get(..end)).unwrap_or(text);
        let language = Language::detect(text, context.language);
        let (plain, disguised) = injection::plain(text);
        let mut evidence = Vec::new();
        let tokens = tokens(&plain);
        let (mut entities, kinds) = Names::new(vocabulary, rules, &tokens).read(&tokens);
        let portuguese = language == Language::Portuguese;
        let message = Message::new(&tokens, &kinds, rules, portuguese, &mut evidence);
        let spans = rules.spans(&message.words, &message.opens);
        let clauses = message.clauses(rules, &spans);
        let named = !entities.jobs.is_empty() || !entities.unknown.is_empty();
        let flags: Vec<_> = rules.flag("job").filter(|_| named).into_iter().collect();
        let commands = Reader::new(rules, &spans, &message, &clauses, &flags).read();
        if let Some(sign) = sign(rules, &plain, disguised, &message, &spans, &commands) {
            evidence.push(sign);
            return Routing {
                confidence: 0.99,
                evidence,
                ..Routing::bare(Intent::PromptInjection, language)
            };
        }
        entities.statuses = statuses(rules, &spans, &clauses, &commands);
        entities.windows = windows(rules, &spans);
        time::windows(&tokens, &mut entities.windows);
        entities.actions = commands.actions();
        let read = Read {
            rules,
            message: &message,
            spans: &spans,
            clauses: &clauses,
            commands: &commands,
            context,
            language,
        };
        decision::decide(&read, entities, evidence)
    }
}
