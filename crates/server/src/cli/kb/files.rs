//! Which files a command names: files, folders with what is in them, and patterns.
//!
//! Invariants:
//! - A file's label is its way from the folder that was named, so that the same folder gives the same
//!   labels wherever it lies; a file that was named has its name.
//! - Below a folder nothing hidden is taken and no link is followed, so that no walk leaves it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::cli::output::{Failure, NOT_FOUND, USAGE};

/// A file to take in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// What it is known as.
    pub(super) label: String,
    /// Where it is; `None` is stdin.
    pub(super) place: Option<PathBuf>,
}

/// The files that `paths` name, by label and each once; `globs` choose among those in folders. `-` is
/// stdin, known as `stdin_name`.
pub(super) fn named(
    paths: &[String],
    globs: &[String],
    stdin_name: &str,
) -> Result<Vec<Named>, Failure> {
    let only = chosen(globs)?;
    let mut found: BTreeMap<String, Option<PathBuf>> = BTreeMap::new();
    for text in paths {
        if text == "-" {
            add(&mut found, stdin_name.to_owned(), None)?;
            continue;
        }
        let path = Path::new(text);
        if path.is_dir() {
            for (label, place) in below(path, &|label| {
                only.as_ref().is_none_or(|only| only.is_match(label))
            })? {
                add(&mut found, label, Some(place))?;
            }
        } else if path.exists() {
            let name = path.file_name().unwrap_or(path.as_os_str());
            add(
                &mut found,
                name.to_string_lossy().into_owned(),
                Some(path.to_path_buf()),
            )?;
        } else {
            for (label, place) in matching(text)? {
                add(&mut found, label, Some(place))?;
            }
        }
    }
    let found = found
        .into_iter()
        .map(|(label, place)| Named { label, place });
    Ok(found.collect())
}

fn add(
    found: &mut BTreeMap<String, Option<PathBuf>>,
    label: String,
    place: Option<PathBuf>,
) -> Result<(), Failure> {
    match found.get(&label) {
        // Named twice, by a folder and by itself.
        Some(known) if *known == place => Ok(()),
        Some(_) => Err(Failure::new(
            USAGE,
            format!(
                "two files would be {label}; name the folder above both, or add them one by one"
            ),
        )),
        None => {
            found.insert(label, place);
            Ok(())
        }
    }
}

fn chosen(globs: &[String]) -> Result<Option<GlobSet>, Failure> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        // A pattern without a folder is one for names, wherever they are.
        let anywhere = if glob.contains('/') {
            glob.clone()
        } else {
            format!("**/{glob}")
        };
        set.add(pattern(&anywhere)?);
    }
    let set = set
        .build()
        .map_err(|error| Failure::new(USAGE, error.to_string()))?;
    Ok(Some(set))
}

fn pattern(text: &str) -> Result<globset::Glob, Failure> {
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    glob.map_err(|error| Failure::new(USAGE, error.to_string()))
}

/// The files below a folder by their way from it.
fn below(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<(String, PathBuf)>, Failure> {
    let visible = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(visible)
    {
        let entry = entry.map_err(|error| Failure::new(NOT_FOUND, error.to_string()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let way = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let label = slashed(way);
        if wanted(&label) {
            files.push((label, entry.into_path()));
        }
    }
    Ok(files)
}

/// A way from a folder with `/` between its parts.
fn slashed(way: &Path) -> String {
    let parts = way.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The files that a pattern names, by their way from the folder before its first star.
fn matching(text: &str) -> Result<Vec<(String, PathBuf)>, Failure> {
    let missing = || Failure::new(NOT_FOUND, format!("{text}: there is no such file"));
    let star = text.find(['*', '?', '[', '{']).ok_or_else(missing)?;
    let (folder, pattern_text) = match text.get(..star).and_then(|head| head.rfind('/')) {
        Some(slash) => text.split_at(slash + 1),
        None => (".", text),
    };
    let matcher = pattern(pattern_text)?.compile_matcher();
    let folder = Path::new(folder);
    if !folder.is_dir() {
        return Err(missing());
    }
    let files = below(folder, &|label| matcher.is_match(label))?;
    if files.is_empty() {
        Err(missing())
    } else {
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(paths: &[&str], globs: &[&str]) -> Result<Vec<String>, Failure> {
        let strings = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let named = named(&strings(paths), &strings(globs), "stdin.md")?;
        Ok(named.into_iter().map(|file| file.label).collect())
    }

    #[test]
    fn labels_are_ways_from_what_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("runbooks");
        std::fs::create_dir_all(root.join("disk/.git")).unwrap();
        for file in [
            "a.md",
            "disk/full.md",
            "disk/full.txt",
            "disk/.hidden.md",
            "disk/.git/x.md",
        ] {
            std::fs::write(root.join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
        let at = |way: &str| root.join(way).display().to_string();
        let all = labels(&[&at("")], &[]).unwrap();
        assert_eq!(all, ["a.md", "disk/full.md", "disk/full.txt"]);
        let chosen = |globs: &[&str]| labels(&[&at("")], globs).unwrap();
        assert_eq!(chosen(&["*.md"]), ["a.md", "disk/full.md"]);
        assert_eq!(chosen(&["disk/*.txt"]), ["disk/full.txt"]);
        assert_eq!(
            labels(&[&at("disk/full.md"), "-"], &[]).unwrap(),
            ["full.md", "stdin.md"]
        );
        assert_eq!(
            labels(&[&at("*/full.*")], &[]).unwrap(),
            ["disk/full.md", "disk/full.txt"]
        );
        assert_eq!(labels(&[&at("a.md"), &at("a.md")], &[]).unwrap(), ["a.md"]);
        for (paths, code) in [
            ([at("none.md"), String::new()], NOT_FOUND),
            ([at("*.pdf"), String::new()], NOT_FOUND),
            ([at("[.md"), String::new()], USAGE),
        ] {
            assert_eq!(
                labels(&[&paths[0]], &[]).unwrap_err().code,
                code,
                "{paths:?}"
            );
        }
        std::fs::write(root.join("full.md"), "y").unwrap();
        let twice = labels(&[&at("full.md"), &at("disk/full.md")], &[]).unwrap_err();
        assert!(twice.code == USAGE && twice.text.contains("full.md"));
    }
}
