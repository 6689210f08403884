//! DOCX: the parts of a ZIP package that hold text, read as XML.
//!
//! Invariants:
//! - Only parts that are named here are unpacked, into memory, each within a limit; no name in the
//!   package is a path of ours.
//! - No document type is accepted, so that there are no entities but XML's own.
//! - Macros, pictures and whatever else is in the package are not looked at.

mod body;
mod package;
mod styles;
mod xml;

use self::body::Body;
use self::package::Package;
use self::styles::{Numbering, Styles};
use crate::markdown::Markdown;
use crate::refusal::Refusal;
use crate::worker::Read;

/// Reads the document of a package.
pub(crate) fn read(bytes: Vec<u8>) -> Result<Read, Refusal> {
    let mut package = Package::open(bytes)?;
    let main = package.main_part()?;
    let folder = main
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder)
        .to_owned();
    let beside = |name: &str| {
        if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        }
    };
    let mut styles = Styles::default();
    package.each_event(&beside("styles.xml"), |event| {
        styles.take(event);
        Ok(())
    })?;
    let mut numbering = Numbering::default();
    package.each_event(&beside("numbering.xml"), |event| {
        numbering.take(event);
        Ok(())
    })?;
    let title = package.title()?;

    let mut body = Body::new(&styles, &numbering);
    if !package.each_event(&main, |event| body.take(event))? {
        return Err(Refusal::unreadable("its text is missing from the package"));
    }
    let mut md = body.finish()?;
    for (part, heading) in [("footnotes.xml", "Footnotes"), ("endnotes.xml", "Endnotes")] {
        let mut notes = Body::new(&styles, &numbering);
        package.each_event(&beside(part), |event| notes.take(event))?;
        append(&mut md, heading, notes.finish()?)?;
    }
    let text = match &title {
        Some(title) if !md.has_top_heading() && !md.is_blank() => md.finish_below(title)?,
        _ => md.finish(),
    };
    Ok(Read::markdown("DOCX", title, text))
}

fn append(md: &mut Markdown, heading: &str, notes: Markdown) -> Result<(), Refusal> {
    let text = notes.finish();
    if text.trim().is_empty() {
        return Ok(());
    }
    md.heading(2, heading)?;
    text.split("\n\n").try_for_each(|note| md.paragraph(note))
}
