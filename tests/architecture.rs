//! The shape of the workspace: which crate may name which, and what no crate may hold.
//!
//! 1. Dependencies point inwards (`a_dependency_points_inwards`); the rule itself is shown to bite on
//!    planted edges.
//! 2. Nothing global holds state (`no_static_holds_state`, P0-04, P2-05).
//! 3. No secret stands in the source (`no_secret_stands_in_the_source`).
//! 4. Every promise has a proof (`every_invariant_names_tests_that_exist`,
//!    `every_promise_of_the_security_page_names_a_test`), and the tables of `docs/security.md` say what
//!    the code says.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use regex::Regex;
use resync_auth::{Permission, Role};
use resync_server::config::Config;

/// Layer, and the layers it may name outside its tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("kernel", &["kernel"]),
    ("domain", &["kernel"]),
    ("application", &["kernel", "domain"]),
    ("adapter", &["kernel", "domain", "application"]),
    (
        "server",
        &["kernel", "domain", "application", "adapter", "apart"],
    ),
    ("apart", &[]),
    (
        "tests",
        &[
            "kernel",
            "domain",
            "application",
            "adapter",
            "server",
            "apart",
        ],
    ),
];

/// Crates that kernel, domain and application never name, not even for a type.
const OUTSIDE_ONLY: &[&str] = &[
    "axum",
    "deadpool-redis",
    "hyper",
    "redis",
    "reqwest",
    "sqlx",
    "tokio-tungstenite",
];

/// One package of the workspace, as far as the rules look at it.
struct Package {
    name: String,
    layer: String,
    uses: BTreeSet<String>,
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn packages() -> Vec<Package> {
    metadata()
        .packages
        .iter()
        .map(|package| Package {
            name: package.name.to_string(),
            layer: package.metadata["resync"]["layer"]
                .as_str()
                .unwrap_or("")
                .to_owned(),
            uses: package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.name.clone())
                .collect(),
        })
        .collect()
}

/// Every edge that breaks a rule, in words.
fn violations(packages: &[Package]) -> Vec<String> {
    let layers: BTreeMap<&str, &str> = packages
        .iter()
        .map(|p| (p.name.as_str(), p.layer.as_str()))
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut found = Vec::new();
    for package in packages {
        let Some(may_use) = allowed.get(package.layer.as_str()) else {
            found.push(format!("{} names no known layer", package.name));
            continue;
        };
        for used in &package.uses {
            if let Some(layer) = layers.get(used.as_str())
                && !may_use.contains(layer)
            {
                found.push(format!(
                    "{} ({}) names {used} ({layer})",
                    package.name, package.layer
                ));
            }
            let inner = matches!(package.layer.as_str(), "kernel" | "domain" | "application");
            if inner && OUTSIDE_ONLY.contains(&used.as_str()) {
                found.push(format!(
                    "{} ({}) names the driver {used}",
                    package.name, package.layer
                ));
            }
        }
    }
    found
}

#[test]
fn a_dependency_points_inwards() {
    let packages = packages();
    assert!(packages.len() > 10, "the workspace was not read");
    assert_eq!(violations(&packages), Vec::<String>::new());
}

#[test]
fn a_planted_edge_is_found() {
    let plant = |name: &str, layer: &str, uses: &[&str]| Package {
        name: name.to_owned(),
        layer: layer.to_owned(),
        uses: uses.iter().map(|text| (*text).to_owned()).collect(),
    };
    let planted = [
        plant("kernel", "kernel", &[]),
        plant("tws", "domain", &["rag", "kernel"]),
        plant("rag", "domain", &["sqlx"]),
        plant("hwa", "adapter", &["tws", "sqlite"]),
        plant("sqlite", "adapter", &["tws", "sqlx"]),
        plant("simulator", "apart", &["tws"]),
        plant("lost", "", &[]),
    ];
    assert_eq!(
        violations(&planted),
        [
            "tws (domain) names rag (domain)",
            "rag (domain) names the driver sqlx",
            "hwa (adapter) names sqlite (adapter)",
            "simulator (apart) names tws (domain)",
            "lost names no known layer",
        ]
    );
}

/// Files with one of the extensions below the folder, without what a build made.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// Statics that may be, each with its reason.
const STATICS: &[(&str, &str)] = &[
    (
        "crates/rag/src/search/analysis.rs",
        "stemmers, one pair a thread: they hold no state of a request",
    ),
    (
        "crates/sync/src/counters.rs",
        "numbers threads, so that each counts in a shard of its own",
    ),
];

/// P0-04, P2-05: a static that can change, or that fills itself at first use with more than a
/// constant, is state that nobody handed out.
#[test]
fn no_static_holds_state() {
    let state = Regex::new(
        r"(?m)^\s*(pub(\([a-z]+\))?\s+)?static\s+(mut\s|\w+\s*:\s*[^=]*(Mutex|RwLock|Atomic|OnceCell|OnceLock|RefCell|DashMap|HashMap))|lazy_static!|thread_local!",
    )
    .unwrap();
    let found: Vec<String> = files(&root().join("crates"), &[".rs"])
        .iter()
        .filter(|path| state.is_match(&fs::read_to_string(path).unwrap()))
        .map(|path| relative(path))
        .filter(|path| !path.contains("/tests/"))
        .collect();
    let allowed: Vec<&str> = STATICS.iter().map(|(path, _)| *path).collect();
    assert_eq!(found, allowed);
    assert!(state.is_match("static CACHE: OnceLock<Cache> = OnceLock::new();"));
    assert!(state.is_match("    pub(crate) static mut COUNT: u32 = 0;"));
}

/// P2-03: a port says what it needs by types; a bare JSON value or `dyn Any` says nothing.
#[test]
fn no_port_takes_a_bare_value() {
    let bare = Regex::new(r"dyn Any\b|serde_json::Value\b|\bValue[,;>)]").unwrap();
    let ports: Vec<PathBuf> = files(&root().join("crates"), &[".rs"])
        .into_iter()
        .filter(|path| relative(path).contains("/src/ports"))
        .collect();
    assert!(ports.len() >= 8, "the ports were not found");
    for path in ports {
        assert!(
            !bare.is_match(&fs::read_to_string(&path).unwrap()),
            "{}",
            relative(&path)
        );
    }
    assert!(bare.is_match("async fn save(&self, body: serde_json::Value);"));
}

/// P3-01 to P3-04: what a submission must pass checks format, lints, documents and rules.
#[test]
fn ci_checks_that_the_tree_is_clean() {
    let script = fs::read_to_string(root().join(".ci/run")).unwrap();
    for check in [
        "cargo fmt --all --check",
        "cargo clippy --workspace --all-targets -- -D warnings",
        "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps",
        "check --hide-inclusion-graph bans licenses sources",
        "scripts/test",
    ] {
        assert!(script.contains(check), "{check}");
    }
    assert!(script.contains("set -euo pipefail"));
}

/// B105 of the audit, P1-05: no key, password or token is a literal outside tests and the demo.
#[test]
fn no_secret_stands_in_the_source() {
    let secret = Regex::new(
        r#"(?i)(secret_key|password|api_key|token)\s*(:\s*&(?:'static )?str\s*)?=\s*"[^"{}<>\s]{12,}""#,
    )
    .unwrap();
    let mut found = Vec::new();
    for path in files(&root().join("crates"), &[".rs", ".toml", ".js"]) {
        let text = fs::read_to_string(&path).unwrap();
        let production = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or(&text);
        let shown = relative(&path);
        let is_test = shown.contains("/tests/") || shown.contains("/contract/");
        if !is_test && let Some(hit) = secret.find(production) {
            found.push(format!(
                "{shown}: {}",
                hit.as_str().split('=').next().unwrap_or("")
            ));
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(secret.is_match(r#"const SECRET_KEY: &str = "change-me-in-production""#));
}

/// Ids of the table in `docs/INVARIANTS.md`, each with the tests it names.
fn invariants() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("docs/INVARIANTS.md")).unwrap();
    let row = Regex::new(r"(?m)^\|\s*([A-Z]\d?(?:-\d\d)?[a-z]?)\s*\|[^|]*\|([^|]*)\|").unwrap();
    let name = Regex::new(r"`([a-z0-9_]+)`").unwrap();
    let mut rows = BTreeMap::new();
    for row in row.captures_iter(&text) {
        let tests = name
            .captures_iter(&row[2])
            .map(|name| name[1].to_owned())
            .collect();
        let twice = rows.insert(row[1].to_owned(), tests);
        assert!(twice.is_none(), "{} has two rows", &row[1]);
    }
    rows
}

/// Every Rust file, one after the other.
fn sources() -> String {
    ["crates", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), &[".rs"]))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn every_invariant_names_tests_that_exist() {
    let sources = sources();
    let invariants = invariants();
    let waiting = later();
    let mut missing = Vec::new();
    for id in promised() {
        if !invariants.contains_key(&id) {
            missing.push(format!("{id} has no row"));
        }
    }
    for (id, tests) in &invariants {
        if tests.is_empty() && !waiting.contains(id) {
            missing.push(format!("{id} names no test"));
        }
        for test in tests {
            if !sources.contains(&format!("fn {test}(")) {
                missing.push(format!("{id}: no test `{test}`"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Every id that must have a row.
fn promised() -> Vec<String> {
    let ids =
        |prefix: &str, last: u32| (1..=last).map(move |n| format!("{prefix}{n:02}")).collect();
    let groups: [Vec<String>; 5] = [
        ids("P0-", 6),
        ids("P1-", 9),
        ids("P2-", 10),
        ids("P3-", 4),
        ids("I-", 18),
    ];
    groups
        .into_iter()
        .flatten()
        .chain(["P1-03b".to_owned()])
        .collect()
}

/// Ids whose subject does not exist yet; the table says which work brings it.
fn later() -> BTreeSet<String> {
    ["I-14", "I-16"].into_iter().map(str::to_owned).collect()
}

fn security_page() -> String {
    fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// Sections of the security page whose list items promise nothing.
const PROMISE_NOTHING: &[&str] = &["What is not promised", "How to report"];

/// A list item is a promise and names a test; whatever is named is there.
#[test]
fn every_promise_of_the_security_page_names_a_test() {
    let (page, sources) = (security_page(), sources());
    let name = Regex::new("`([a-z0-9]+(?:_[a-z0-9]+)+)`").unwrap();
    // Words of the page that look like the name of a test.
    let words = ["insecure_tls"];
    let (mut missing, mut promises) = (Vec::new(), 0);
    for section in page.split("\n## ") {
        let (title, text) = section.split_once('\n').unwrap();
        for line in text.lines() {
            let tests: Vec<&str> = name
                .captures_iter(line)
                .map(|name| name.get(1).unwrap().as_str())
                .filter(|name| !words.contains(name))
                .collect();
            for test in &tests {
                if !sources.contains(&format!("fn {test}(")) {
                    missing.push(format!("{title}: no test `{test}`"));
                }
            }
            if line.starts_with("- ") && !PROMISE_NOTHING.contains(&title) {
                promises += 1;
                if tests.is_empty() {
                    missing.push(format!("{title}: no proof of: {line}"));
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(promises >= 40, "the promises were not found");
}

/// The cells of the table whose header begins with this text, without the header.
fn cells(page: &str, header: &str) -> Vec<Vec<String>> {
    let from = page.find(header).unwrap_or_else(|| panic!("{header}"));
    let rows = page[from..].lines().skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        })
        .collect()
}

#[test]
fn the_permissions_of_the_security_page_are_those_of_the_code() {
    let table = cells(
        &security_page(),
        "| permission | viewer | operator | admin | service |",
    );
    let roles = [Role::Viewer, Role::Operator, Role::Admin, Role::Service];
    assert_eq!(roles.len(), Role::ALL.len());
    let expected = Permission::ALL.map(|permission| {
        let of = |role: Role| if role.can(permission) { "yes" } else { "-" };
        let name = permission.as_str();
        [name]
            .into_iter()
            .chain(roles.map(of))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    assert_eq!(table, expected);
}

#[test]
fn the_limits_of_the_security_page_are_the_defaults() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let table = cells(&security_page(), "| key | default | over it |");
    assert!(table.len() >= 20, "the table was not found");
    for row in table {
        let value = defaults.pointer(&format!("/{}", row[0].replace('.', "/")));
        let value = value.map(ToString::to_string);
        assert_eq!(value.as_deref(), Some(row[1].as_str()), "{}", row[0]);
    }
    // A limit that is added later stands in the table, too.
    let page = security_page();
    for key in defaults["limits"].as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("| `limits.{key}` |")),
            "limits.{key}"
        );
    }
}

/// Codes of problems that no call of the page can bring, so it needs no words for them.
const NOT_ON_THE_PAGE: &[&str] = &[
    "ambiguous-job",
    "audit-broken",
    "bad-request",
    "engine-configured",
    "engine-exists",
    "method-not-allowed",
    "no-room",
    "no-single-sign-on",
    "no-such-route",
    "not-ready",
    "request-done",
    "too-many-streams",
    "unknown-section",
    "unknown-stream",
    "unknown-threshold",
    "unknown-user",
    "unsupported-media-type",
];

#[test]
fn the_page_has_words_for_every_problem_that_it_may_meet() {
    let code = Regex::new(
        r#"(?:not_found|forbidden)\(\s*"([a-z-]+)"|(?:StatusCode::[A-Z_]+|status),\s*"([a-z]+(?:-[a-z]+)*)""#,
    )
    .unwrap();
    let mut codes = BTreeSet::new();
    for path in files(&root().join("crates/api/src"), &[".rs"]) {
        let text = fs::read_to_string(path).unwrap();
        let production = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for found in code.captures_iter(production) {
            let found = found.get(1).or(found.get(2)).unwrap();
            codes.insert(found.as_str().to_owned());
        }
    }
    for known in [
        "last-administrator",
        "locked-out",
        "bad-credentials",
        "overloaded",
    ] {
        assert!(codes.contains(known), "{known} was not found");
    }
    let strings = fs::read_to_string(root().join("crates/web/assets/strings.js")).unwrap();
    let has = |code: &str| strings.contains(&format!("  problem_{}: ", code.replace('-', "_")));
    let (worded, bare): (Vec<_>, Vec<_>) = codes.iter().partition(|code| has(code));
    assert_eq!(bare, NOT_ON_THE_PAGE);
    assert!(worded.len() > 30, "{worded:?}");
}
