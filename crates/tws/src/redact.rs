//! Takes secrets out of the lines of a log before anything keeps or shows them.
//!
//! Invariants:
//! - A value that stands behind a name such as `password=`, in an `Authorization` header, in the user
//!   part of a URL, behind `-p` of a known client or between `user/` and `@` does not leave.
//! - A line without secrets comes out as it went in, so that a citation shows what was written.
//! - Redacting twice changes nothing.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "[redacted]";

/// A line without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The line.
    pub text: String,
    /// How many secrets were taken out.
    pub secrets: usize,
}

/// The secret is the group `secret`; what surrounds it stays.
const RULES: &[&str] = &[
    // -- `password=…`, `"api_key": "…"`, `DB_PWD: …`; quoted values to their quote.
    // The name may be the end of a longer one, such as `PGPASSWORD`.
    r#"(?ix)
    (?: password | passwd | passphrase | pwd | senha
      | (?: client | app | shared )? [_-]? secret (?: [_-]? (?: access )? [_-]? key )?
      | (?: api | access | auth | private | account | encryption | signing ) [_-]? key (?: [_-]? id )?
      | (?: access | auth | refresh | bearer | session | id | api | security | csrf )? [_-]? token
      | credentials? | storepass | keypass
    )
    ["']? \s* (?: = | : | := | => ) \s* (?P<secret> "[^"]+" | '[^']+' | [^\s"'&;]+ )"#,
    r#"(?ix) \b (?: pass | sas | sig ) = (?P<secret> "[^"]+" | '[^']+' | [^\s"'&;]+ )"#,
    // -- `--token …`, `-password …`: a blank parts name and value only behind a dash.
    r#"(?ix) (?: ^ | \s ) -{1,2} (?: [a-z]+ [_-] )*
    (?: password | passwd | passphrase | pwd | pass | secret | token | storepass | keypass | api-?key )
    \s+ (?P<secret> "[^"]+" | '[^']+' | [^\s"'-][^\s"']* )"#,
    // -- Headers, whole; and `Bearer …` elsewhere.
    r#"(?ix) \b authorization ["']? \s* [:=] \s* ["']? (?: [a-z]+ \s+ )? (?P<secret> [^\s"']+ )"#,
    r#"(?ix) \b bearer \s+ (?P<secret> [^\s"']{16,} )"#,
    r"(?ix) \b (?: set-cookie | cookie | x-api-key | x-auth-token ) \s* : \s* (?P<secret> \S.* )",
    // -- `scheme://user:secret@host`, also without a user.
    r#"(?ix) \b [a-z][a-z0-9+.-]* :// [^\s/:@"']* : (?P<secret> [^\s@"'][^\s"']* ) @ "#,
    // -- `jdbc:oracle:thin:user/secret@service`.
    r#"(?ix) \b jdbc : (?: [a-z0-9]+ : )+ [A-Za-z0-9_$\#.]+ / (?P<secret> [^\s@/"']+ ) @"#,
    // -- `sqlplus user/secret@service`, `curl -u user:secret`, `mysql -psecret`, `sshpass -p secret`.
    r#"(?ix) \b (?: sqlplus | sqlldr | expdp | impdp | exp | imp | rman | connect | conn ) \b [^|]*? \s [A-Za-z0-9_$\#.]+ / (?P<secret> [^\s@/"']+ ) @"#,
    r#"(?ix) \b (?: curl | wget ) \b .*? \s (?: -u | --user | --proxy-user ) [\s=]? \s* ["']? [^\s:"']+ : (?P<secret> [^\s"']+ )"#,
    r#"(?x) \b (?: mysql | mysqldump | mysqladmin | mariadb | sshpass ) \b .*? \s -p \s? (?P<secret> [^\s"'-][^\s"']* )"#,
    // -- Keys that are known by their form.
    r"\b(?P<secret>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?)",
    r"\b(?P<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b",
    r"\b(?P<secret>(?:ghp|gho|ghs|ghu|ghr|github_pat|glpat|xox[abprs]|sk|pk|rk)[_-][A-Za-z0-9_-]{16,})",
    // -- A line of a key in text form, when the lines around it are not seen.
    r"^\s*(?P<secret>[A-Za-z0-9+/]{60,}={0,2})\s*$",
];

/// Constant data, no state; `every_rule_compiles` proves that none is dropped.
static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    RULES
        .iter()
        .filter_map(|rule| Regex::new(rule).ok())
        .collect()
});

/// The lines without their secrets, and how many those were. Knows a private key over several lines.
pub(crate) fn redact_lines(lines: &[String]) -> (Vec<String>, usize) {
    let mut secrets = 0;
    let mut in_key = false;
    let clean = lines.iter().map(|line| {
        let begins = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY");
        let inside = in_key || begins;
        let ends = line.rfind("-----END ") > line.rfind("-----BEGIN ");
        in_key = inside && !ends;
        if !inside {
            let clean = redact_line(line);
            secrets += clean.secrets;
            return clean.text;
        }
        secrets += usize::from(begins);
        MASK.to_owned()
    });
    (clean.collect(), secrets)
}

/// The line without its secrets.
///
/// A mask may turn what stands around it into a secret's place, such as a URL behind `Bearer`, so the
/// rules run again until they find nothing. Each pass masks more of the line, which ends it.
#[must_use]
pub fn redact_line(line: &str) -> Redacted {
    let (mut text, mut secrets) = pass(line);
    while let Cow::Owned(masked) = &text {
        let (again, more) = pass(masked);
        let Cow::Owned(again) = again else { break };
        secrets += more;
        text = Cow::Owned(again);
    }
    Redacted {
        text: text.into_owned(),
        secrets,
    }
}

/// Every rule once; borrowed when none found anything.
fn pass(line: &str) -> (Cow<'_, str>, usize) {
    let mut text = Cow::Borrowed(line);
    let mut secrets = 0;
    for rule in COMPILED.iter() {
        let mut taken = 0;
        let replaced = rule.replace_all(&text, |found: &Captures<'_>| {
            let (whole, secret) = match (found.get(0), found.name("secret")) {
                (Some(whole), Some(secret)) if !is_masked(secret.as_str()) => (whole, secret),
                _ => return found.get(0).map_or("", |found| found.as_str()).to_owned(),
            };
            taken += 1;
            let before = text.get(whole.start()..secret.start()).unwrap_or("");
            let after = text.get(secret.end()..whole.end()).unwrap_or("");
            format!("{before}{MASK}{after}")
        });
        if taken > 0 {
            text = Cow::Owned(replaced.into_owned());
            secrets += taken;
        }
    }
    (text, secrets)
}

/// Nothing to take out: it was taken out, or is the mark of a masked or unset value.
fn is_masked(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    value.starts_with("[redacted") || value.chars().all(|c| c == '*' || c == 'x' || c == 'X')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACES: &[(&str, &str)] = &[
        ("export DB_PASSWORD=", ""),
        ("password: ", " more"),
        ("{\"password\": \"", "\"}"),
        ("Authorization: Bearer ", ""),
        ("curl -H 'Authorization: Basic ", "' https://x.example"),
        ("https://batch:", "@gateway.example/v1"),
        ("jdbc:postgresql://app:", "@db:5432/dwh"),
        ("connect jdbc:oracle:thin:fin/", "@//db:1521/FINP"),
        ("sqlplus fin/", "@FINP"),
        ("connect dwh/", "@DWHP ..."),
        ("curl -u svc:", " https://x.example"),
        ("mysql -h db -p", " dwh"),
        ("sshpass -p ", " sftp x"),
        ("api_key=", "&x=1"),
        ("--token ", " --verbose"),
        ("X-Api-Key: ", ""),
        ("https://x.example/f?sig=1&access_token=", "&y=2"),
        ("client_secret=", ";"),
        ("senha=", ""),
        ("AWS_SECRET_ACCESS_KEY=", ""),
        ("set PGPASSWORD=", ""),
    ];

    #[test]
    fn every_rule_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn a_line_without_secrets_comes_out_as_it_went_in() {
        for line in [
            "22:45:18.311 gl_post ERROR ORA-00060: deadlock detected while waiting for resource",
            "ORA-28000: the account is locked",
            "offered SHA256:9p1W...  expected SHA256:Q7ke...",
            "= JOB       : FINDB01#FIN_EOD[(2000 03/02/26),(0AAAAAAAAAAAAB5K)].FIN_GL_POST",
            "upstream says: no healthy backend; Retry-After 600",
            "connect pay_batch@HRP ...",
            "pass 3 of 4: token expired, password is wrong for user fin",
            "basic configuration loaded; bearer of bad news",
            "--dry-run --verbose",
            "cp /opt/fin/in/a@b /mft/out",
            "",
        ] {
            assert_eq!(
                redact_line(line),
                Redacted {
                    text: line.to_owned(),
                    secrets: 0
                }
            );
        }
    }

    #[test]
    fn the_count_is_of_secrets() {
        let clean = redact_line("user=fin password=geheim7 token=abcdef123456 host=db");
        assert_eq!(
            clean.text,
            "user=fin password=[redacted] token=[redacted] host=db"
        );
        assert_eq!(clean.secrets, 2);
    }

    #[test]
    fn a_private_key_goes_with_all_its_lines() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let log = lines(
            "before\n-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n+short==\n-----END RSA PRIVATE KEY-----\nafter",
        );
        let (clean, secrets) = redact_lines(&log);
        assert_eq!(
            clean,
            lines("before\n[redacted]\n[redacted]\n[redacted]\n[redacted]\nafter")
        );
        assert_eq!(secrets, 1);
        // A range that begins inside the key.
        let middle = vec!["A".repeat(64), "after".to_owned()];
        assert_eq!(redact_lines(&middle).0, ["[redacted]", "after"]);
    }

    #[test]
    fn keys_are_known_by_their_form() {
        for secret in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "AKIAABCDEFGHIJKLMNOP",
            "ghp_abcdefghijklmnopqrstuvwx",
        ] {
            let clean = redact_line(&format!("got {secret} from vault"));
            assert!(!clean.text.contains(secret), "{}", clean.text);
        }
    }

    proptest! {
        /// A planted secret never appears, wherever it is planted.
        #[test]
        fn a_planted_secret_never_appears(
            secret in "[A-Za-z0-9][A-Za-z0-9_.!%+-]{11,30}",
            place in 0..PLACES.len(),
            before in "[a-z ]{0,20}",
            after in "( [a-z]{1,10}){0,3}",
        ) {
            prop_assume!(!is_masked(&secret));
            let (head, tail) = PLACES[place];
            let line = format!("{before} {head}{secret}{tail}{after}");
            let clean = redact_line(&line);
            prop_assert!(!clean.text.contains(&secret), "{line} -> {}", clean.text);
            prop_assert!(clean.secrets >= 1);
        }

        #[test]
        fn a_masked_url_behind_bearer_goes_as_a_whole(user in "[a-z]{1,3}") {
            let once = redact_line(&format!("Bearer https://{user}:x1@h/")).text;
            prop_assert_eq!(once, "Bearer [redacted]");
        }

        #[test]
        fn redacting_twice_changes_nothing(line in ".{0,200}") {
            let once = redact_line(&line).text;
            prop_assert_eq!(redact_line(&once).text, once);
        }
    }
}
