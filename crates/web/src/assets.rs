//! The files of the page, compiled in.
//!
//! A file's content type comes from its ending and from nothing else; a file with an ending that we
//! do not know is not served.

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// The page itself; it is served at `/` and not among the assets.
const PAGE: &str = "index.html";

/// A file that may be served.
pub(crate) struct Asset {
    /// Its content type.
    pub(crate) content_type: &'static str,
    /// Its strong entity tag, quotes included: the SHA-256 of its bytes.
    pub(crate) etag: String,
    /// Its bytes.
    pub(crate) file: EmbeddedFile,
}

/// The page at `/`.
pub(crate) fn page() -> Option<Asset> {
    load(PAGE)
}

/// The file at `path` below `/assets/`.
pub(crate) fn asset(path: &str) -> Option<Asset> {
    if path == PAGE { None } else { load(path) }
}

fn load(path: &str) -> Option<Asset> {
    let content_type = content_type(path)?;
    let file = Files::get(path)?;
    let etag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    Some(Asset {
        content_type,
        etag,
        file,
    })
}

fn content_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

/// The text files that we wrote, without the vendored ones; for tests of what they say.
#[cfg(test)]
pub(crate) fn own_files() -> Vec<(String, String)> {
    Files::iter()
        .filter(|path| !path.starts_with("vendor/"))
        .map(|path| {
            let bytes = Files::get(&path).unwrap().data.into_owned();
            (path.into_owned(), String::from_utf8(bytes).unwrap())
        })
        .collect()
}

/// The scripts that we wrote.
#[cfg(test)]
pub(crate) fn own_scripts() -> Vec<(String, String)> {
    let mut files = own_files();
    files.retain(|(path, _)| path.rsplit_once('.').is_some_and(|(_, end)| end == "js"));
    files
}

#[cfg(test)]
mod tests;
