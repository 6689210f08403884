//! What the files may and may not hold.

use std::collections::BTreeSet;

use resync_auth::Permission;
use resync_tws::model::JobStatus;
use sha2::{Digest, Sha256};

use super::*;

/// B6: a text from outside has no way to become markup, a style or a script.
#[test]
fn nothing_turns_text_into_markup_or_code() {
    let ways = [
        "innerhtml",
        "outerhtml",
        "insertadjacenthtml",
        "document.write",
        "domparser",
        "srcdoc",
        "eval(",
        "new function",
        "javascript:",
        "settimeout(\"",
        "createcontextualfragment",
    ];
    for (name, text) in own_files() {
        let text = text.to_lowercase();
        for way in ways {
            assert!(!text.contains(way), "{way} in {name}");
        }
    }
}

/// B6: nothing is loaded from another origin. An SVG needs its namespace, which is a name and no
/// address.
#[test]
fn nothing_comes_from_another_origin() {
    for (name, text) in own_files() {
        let text = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for far in ["http://", "https://", "\"//", "url(", "@import"] {
            assert!(!text.contains(far), "{far} in {name}");
        }
    }
}

/// The policy forbids both; the page would break silently.
#[test]
fn no_script_or_style_is_inline() {
    let page = own_files()
        .into_iter()
        .find(|(name, _)| name == PAGE)
        .unwrap()
        .1;
    assert!(!page.contains("<style") && !page.contains("style="));
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script type=\"module\" src=").count()
    );
    for (name, text) in own_scripts() {
        assert!(!text.contains(" style="), "inline style in {name}");
        assert!(!text.contains("onclick="), "inline handler in {name}");
    }
}

#[test]
fn every_file_that_the_page_names_exists() {
    let page = own_files()
        .into_iter()
        .find(|(name, _)| name == PAGE)
        .unwrap()
        .1;
    let named: Vec<_> = page
        .split("\"/assets/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(named.len() > 5);
    for name in named {
        assert!(asset(name).is_some(), "{name}");
    }
}

#[test]
fn every_import_names_a_file() {
    for (name, text) in own_scripts() {
        for from in text.split(" from \"./").skip(1) {
            let file = from.split('"').next().unwrap();
            assert!(asset(file).is_some(), "{name} imports {file}");
        }
        assert!(!text.contains(" from \"../"), "{name} climbs");
    }
}

#[test]
fn every_embedded_file_has_a_content_type() {
    for path in Files::iter() {
        assert!(content_type(&path).is_some(), "{path}");
    }
}

/// What is vendored is what was reviewed.
#[test]
fn vendored_files_match_their_digests() {
    let sums = Files::get("vendor/SHA256SUMS.txt").unwrap().data;
    let sums = String::from_utf8(sums.into_owned()).unwrap();
    let listed: BTreeSet<(String, String)> = sums
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .map(|(digest, name)| (name.to_owned(), digest.to_owned()))
        .collect();
    let present: BTreeSet<(String, String)> = Files::iter()
        .filter_map(|path| Some(path.strip_prefix("vendor/")?.to_owned()))
        .filter(|name| name != "SHA256SUMS.txt")
        .map(|name| {
            let bytes = Files::get(&format!("vendor/{name}")).unwrap().data;
            (name, hex::encode(Sha256::digest(&bytes)))
        })
        .collect();
    assert_eq!(listed, present);
    assert!(present.iter().any(|(name, _)| name == "preact.js"));
}

/// The script of that name.
fn script(name: &str) -> String {
    own_scripts()
        .into_iter()
        .find(|(path, _)| path == name)
        .unwrap()
        .1
}

/// A state that the domain learns must not show as undecided on the board.
#[test]
fn the_page_groups_the_states_as_the_domain_does() {
    let text = script("status.js");
    let table = text
        .split_once("PHASE_OF = {")
        .unwrap()
        .1
        .split_once('}')
        .unwrap()
        .0;
    let found: BTreeSet<(String, String)> = table
        .lines()
        .filter_map(|line| line.trim().split_once(": \""))
        .map(|(state, phase)| (state.to_owned(), phase.trim_end_matches("\",").to_owned()))
        .collect();
    let expected: BTreeSet<(String, String)> = JobStatus::all()
        .map(|status| {
            let phase = format!("{:?}", status.phase()).to_lowercase();
            (status.as_str().to_owned(), phase)
        })
        .collect();
    assert_eq!(found, expected);
    for (_, phase) in &expected {
        assert!(
            text.contains(&format!("\"{phase}\",\n")),
            "{phase} is not on the board"
        );
    }
}

/// A renamed permission would hide the buttons without a word.
#[test]
fn the_page_asks_for_permissions_that_exist() {
    let names: BTreeSet<String> = Permission::ALL.iter().map(ToString::to_string).collect();
    let mut asked = 0;
    for (name, text) in own_scripts() {
        for permission in after(&text, "permissions.includes(\"", '"') {
            assert!(names.contains(permission), "{name} asks for {permission}");
            asked += 1;
        }
    }
    assert!(asked >= 4);
}

/// A row of the table of texts: key, English, Portuguese.
fn strings() -> Vec<(String, String, String)> {
    let files = own_scripts();
    let text = &files
        .iter()
        .find(|(name, _)| name == "strings.js")
        .unwrap()
        .1;
    // A row may stand on several lines; joined, each begins with its key and ends with `},`.
    let body = text.split_once("STRINGS = {").unwrap().1;
    body.split("},\n")
        .filter_map(|row| {
            let (head, rest) = row.split_once(": {")?;
            let key = head.lines().last()?.trim().to_owned();
            let english = rest.split_once("en: \"")?.1.split('"').next()?.to_owned();
            let portuguese = rest.split_once("pt: \"")?.1.split('"').next()?.to_owned();
            Some((key, english, portuguese))
        })
        .collect()
}

#[test]
fn every_text_stands_in_both_languages() {
    let files = own_scripts();
    let text = &files
        .iter()
        .find(|(name, _)| name == "strings.js")
        .unwrap()
        .1;
    let rows = strings();
    assert!(rows.len() > 150, "{}", rows.len());
    assert_eq!(rows.len(), text.matches(" en: \"").count());
    assert_eq!(rows.len(), text.matches(" pt: \"").count());
    let keys: BTreeSet<_> = rows.iter().map(|(key, ..)| key).collect();
    assert_eq!(keys.len(), rows.len(), "a key stands twice");
    for (key, english, portuguese) in &rows {
        assert!(!english.is_empty() && !portuguese.is_empty(), "{key}");
        assert_eq!(holes(english), holes(portuguese), "{key}");
        let other = key.strip_suffix("_one").map(|base| format!("{base}_other"));
        if let Some(other) = other {
            assert!(keys.contains(&other), "{other}");
        }
    }
}

/// The names in braces, which a caller fills in.
fn holes(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .collect()
}

/// What a script writes after `start`, up to `end`.
fn after<'a>(text: &'a str, start: &str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(start)
        .skip(1)
        .filter_map(move |rest| rest.split(end).next())
}

#[test]
fn every_key_in_use_is_in_the_table_and_every_row_is_in_use() {
    let rows = strings();
    let keys: BTreeSet<&str> = rows.iter().map(|(key, ..)| key.as_str()).collect();
    let mut scripts = own_scripts();
    scripts.retain(|(name, _)| name != "strings.js");
    let mut prefixes = BTreeSet::from(["problem_", "invalid_"]);
    for (name, text) in &scripts {
        for start in [" t(\"", "{t(\"", "(t(\"", "!t(\""] {
            for key in after(text, start, '"') {
                assert!(keys.contains(key), "{name} uses {key}");
            }
        }
        for base in after(text, "tn(\"", '"') {
            assert!(
                keys.contains(format!("{base}_one").as_str()),
                "{name} counts {base}"
            );
        }
        for prefix in after(text, "t(`", '$') {
            assert!(
                keys.iter().any(|key| key.starts_with(prefix)),
                "{name} uses {prefix}…"
            );
            prefixes.insert(prefix);
        }
    }
    let used = |key: &str| {
        let base = key
            .strip_suffix("_one")
            .or_else(|| key.strip_suffix("_other"));
        let quoted = |key: &str| {
            scripts
                .iter()
                .any(|(_, text)| text.contains(&format!("\"{key}\"")))
        };
        quoted(key)
            || base.is_some_and(quoted)
            || prefixes.iter().any(|p| key.starts_with(p))
            || key.starts_with("phase_")
    };
    for key in &keys {
        assert!(used(key), "{key} is unused");
    }
}

#[test]
fn the_page_of_the_root_is_not_an_asset_as_well() {
    assert!(page().is_some());
    assert!(asset(PAGE).is_none());
}
