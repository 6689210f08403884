//! What the sources of this crate must not hold.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file without its tests.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("tests") {
                // The parts of a `tests.rs`.
            } else if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut paths,
    );
    let code = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        (path, code)
    };
    paths.into_iter().map(code).collect()
}

fn files_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in sources() {
        for word in words {
            if code.contains(word) {
                found.push(format!("{} in {}", word, path.display()));
            }
        }
    }
    found
}

/// P2-05, P0-06: nothing is single but by being built once; there is no hidden state.
#[test]
fn there_are_no_statics() {
    assert!(sources().len() > 20, "the scan reads the sources");
    let words = [
        "\nstatic ",
        "pub static ",
        "pub(crate) static ",
        "    static ",
        "OnceLock",
        "OnceCell",
        "LazyLock",
        "LazyCell",
        "thread_local!",
        "lazy_static",
    ];
    assert_eq!(files_with(&words), Vec::<String>::new());
}

/// P1-05: secrets come in as arguments; none is read from the environment, none stands in the code.
#[test]
fn no_default_secret_literal() {
    let words = ["env::var", "env!(", "SecretString::from(\"", "SECRET:"];
    assert_eq!(files_with(&words), Vec::<String>::new());
}

/// P1-01: one implementation of the hasher, and one file that names bcrypt's functions.
#[test]
fn only_one_hasher_impl() {
    let hashers = files_with(&["PasswordHasher for "]);
    assert_eq!(hashers.len(), 1, "{hashers:?}");
    let callers = files_with(&["bcrypt::hash", "bcrypt::verify"]);
    assert!(
        callers
            .iter()
            .all(|caller| caller.contains("bcrypt_pool.rs")),
        "{callers:?}"
    );
}

/// P2-02, P2-09: one file signs and verifies tokens.
#[test]
fn only_one_file_names_the_jwt_library() {
    let files = files_with(&["jsonwebtoken::"]);
    assert_eq!(files.len(), 1, "{files:?}");
}
