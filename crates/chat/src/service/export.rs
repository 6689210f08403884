//! A conversation as a Markdown file, for a ticket or a handover.
//!
//! Invariants:
//! - Words from elsewhere (questions, excerpts) stand in quotes or fences that they cannot leave.
//! - The file is bounded: after [`MAX_MESSAGES`] messages it says that there are more.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use resync_kernel::UserId;

use super::{ChatError, ChatService};
use crate::answer::{Answer, SessionId};
use crate::links::PageLinks;
use crate::ports::{Message, Role, SessionSummary, Verdict};
use crate::text;

/// Messages of one file at most.
const MAX_MESSAGES: usize = 5_000;
/// Messages that are read at once.
const PAGE: u32 = 500;

/// A conversation as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name: letters, digits, `-` and `.` alone.
    pub file_name: String,
    /// The Markdown.
    pub markdown: String,
}

impl ChatService {
    /// The owner's session as Markdown: each question, its answer, the citations with links into the
    /// page, and when it was said.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ChatError::UnknownSession`] when the user has no such session, [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.export", skip_all, fields(user.id = %owner))]
    pub async fn export(
        &self,
        owner: UserId,
        session: SessionId,
        links: &PageLinks,
    ) -> Result<Export, ChatError> {
        let conversations = &self.parts.conversations;
        let summary = conversations.session(owner, session).await?;
        let summary = summary.ok_or(ChatError::UnknownSession)?;
        let mut markdown = head(&summary);
        let (mut after, mut written) = (None, 0);
        loop {
            let page = conversations.messages(owner, session, after, PAGE).await?;
            let page = page.ok_or(ChatError::UnknownSession)?;
            let Some(last) = page.last() else { break };
            after = Some(last.place);
            for placed in &page {
                write_message(&mut markdown, &placed.message, links);
            }
            written += page.len();
            if written >= MAX_MESSAGES {
                markdown.push_str("\n---\n\nThe conversation goes on; a file ends here.\n");
                break;
            }
        }
        Ok(Export {
            file_name: file_name(&summary),
            markdown,
        })
    }
}

fn head(summary: &SessionSummary) -> String {
    format!(
        "# {}\n\nConversation {}, {} messages, last {}.\n",
        escaped(&text::name(&summary.title)),
        summary.id,
        summary.messages,
        time(summary.updated_at)
    )
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Writing into a `String` does not fail, so nothing is made of its results here.
fn write_message(into: &mut String, message: &Message, links: &PageLinks) {
    let at = time(message.at);
    match message.role {
        Role::User => {
            let _ok = write!(into, "\n## {at}\n\n");
            for line in text::excerpt(&message.text, usize::MAX).lines() {
                let _ok = writeln!(into, "> {}", escaped(line));
            }
        }
        Role::Assistant => {
            let _ok = write!(into, "\n**Resync**, {at}\n\n{}\n", message.text.trim());
            if let Some(answer) = &message.answer {
                write_evidence(into, answer, links);
            }
            if let Some(feedback) = &message.feedback {
                let verdict = match feedback.verdict {
                    Verdict::Up => "helpful",
                    Verdict::Down => "not helpful",
                };
                let reason = feedback.reason.as_deref().map(text::name);
                let reason =
                    reason.map_or_else(String::new, |text| format!(": {}", escaped(&text)));
                let _ok = write!(
                    into,
                    "\nFeedback, {}: {verdict}{reason}\n",
                    time(feedback.at)
                );
            }
        }
    }
}

fn write_evidence(into: &mut String, answer: &Answer, links: &PageLinks) {
    for citation in &answer.citations {
        let title = escaped(&text::name(&citation.title));
        let link = links.of(&citation.place);
        let _ok = write!(into, "\n- [{}] [{title}]({link})\n", citation.id);
        if !citation.excerpt.is_empty() {
            let fence = fence(&citation.excerpt);
            let _ok = writeln!(into, "\n  {fence}text");
            for line in citation.excerpt.lines() {
                let _ok = writeln!(into, "  {line}");
            }
            let _ok = writeln!(into, "  {fence}");
        }
    }
    let mut looks: Vec<(&str, DateTime<Utc>, bool)> = Vec::new();
    for figure in &answer.figures {
        let look = (
            figure.source.engine.as_str(),
            figure.fetched_at,
            figure.stale,
        );
        if !looks.contains(&look) {
            looks.push(look);
        }
    }
    for (engine, at, stale) in looks {
        let stale = if stale { ", stale" } else { "" };
        let _ok = write!(into, "\nFigures: {engine}, as of {}{stale}\n", time(at));
    }
}

/// One line of foreign text in which Markdown reads no mark.
fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '!' | '|' | '~' | '&'
        ) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// A fence longer than any run of backticks within.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

fn file_name(summary: &SessionSummary) -> String {
    let mut slug = String::new();
    for c in text::fold(&summary.title).chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 48 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() {
        "conversation"
    } else {
        slug
    };
    format!("resync-{}-{slug}.md", summary.updated_at.format("%Y-%m-%d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("plain"), "```");
        assert_eq!(fence("a ```` b"), "`````");
    }

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(escaped("[x](y) <b>"), r"\[x\](y) \<b\>");
    }

    #[test]
    fn a_file_is_named_in_plain_letters() {
        let named = |title: &str| {
            file_name(&SessionSummary {
                id: SessionId(uuid::Uuid::from_u128(1)),
                title: title.to_owned(),
                updated_at: DateTime::UNIX_EPOCH,
                messages: 2,
            })
        };
        assert_eq!(
            named("Por quê o \"PAY\"?\r\n"),
            "resync-1970-01-01-por-que-o-pay.md"
        );
        assert_eq!(named("«»"), "resync-1970-01-01-conversation.md");
    }
}
