//! Names that people write, as conditions: wildcards, folders, workstations.
//!
//! Engines write a workstation as `/NAME` or `/FOLDER/NAME` and a folder with a slash at its end or
//! without; people write either. A condition here finds all of these.

use resync_tws::model::NamePattern;

use super::{Oql, OqlError};

impl Oql {
    /// A name of the engine by a user's pattern: `*` becomes `@`, and without a wildcard it is `=`.
    ///
    /// # Errors
    /// [`OqlError`] never for a [`NamePattern`] of today, whose alphabet holds nothing that is
    /// refused; the check does not lean on that.
    pub fn name(field: &'static str, pattern: &NamePattern) -> Result<Self, OqlError> {
        Self::texts(field, &[pattern.as_str().to_owned()])
    }

    /// A workstation: the engine writes `/NAME` or `/FOLDER/NAME`, people write `NAME`.
    ///
    /// # Errors
    /// As [`Oql::name`].
    pub fn workstation(field: &'static str, pattern: &NamePattern) -> Result<Self, OqlError> {
        let text = pattern.as_str();
        if text.starts_with('/') {
            return Self::name(field, pattern);
        }
        let here = Self::texts(field, &[format!("/{text}"), text.to_owned()])?;
        let anywhere = Self::like(field, &format!("/@/{}", text.replace('*', "@")))?;
        Self::any([here, anywhere])
    }

    /// A folder, which engines write with or without a slash at its end.
    ///
    /// # Errors
    /// As [`Oql::name`].
    pub fn folder(field: &'static str, pattern: &NamePattern) -> Result<Self, OqlError> {
        let bare = pattern.as_str().trim_end_matches('/');
        if bare.is_empty() {
            return Self::is(field, "/");
        }
        let lead = if bare.starts_with(['/', '*']) {
            ""
        } else {
            "/"
        };
        Self::texts(field, &[format!("{lead}{bare}/"), format!("{lead}{bare}")])
    }

    fn texts(field: &'static str, texts: &[String]) -> Result<Self, OqlError> {
        if texts.iter().any(|text| text.contains(['*', '?'])) {
            return Self::any(
                texts
                    .iter()
                    .map(|text| Self::like(field, &text.replace('*', "@")))
                    .collect::<Result<Vec<_>, _>>()?,
            );
        }
        Self::any_of(field, texts.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern::parse(text).unwrap()
    }

    #[test]
    fn a_wildcard_becomes_like_and_a_plain_name_becomes_equals() {
        let plain = Oql::name("name", &pattern("FIN_GL_POST")).unwrap();
        assert_eq!(plain.to_string(), "name = 'FIN_GL_POST'");
        let wild = Oql::name("name", &pattern("FIN_*_P?ST")).unwrap();
        assert_eq!(wild.to_string(), "name LIKE 'FIN_@_P?ST'");
    }

    #[test]
    fn a_workstation_is_found_in_whatever_folder() {
        let plain = Oql::workstation("workstation", &pattern("FINDB01")).unwrap();
        assert_eq!(
            plain.to_string(),
            "workstation IN ['/FINDB01','FINDB01'] OR workstation LIKE '/@/FINDB01'"
        );
        let absolute = Oql::workstation("workstation", &pattern("/FIN*")).unwrap();
        assert_eq!(absolute.to_string(), "workstation LIKE '/FIN@'");
    }

    #[test]
    fn a_folder_is_found_with_and_without_its_last_slash() {
        for text in ["/FIN/EOD", "/FIN/EOD/", "FIN/EOD"] {
            let folder = Oql::folder("folder", &pattern(text)).unwrap();
            assert_eq!(folder.to_string(), "folder IN ['/FIN/EOD/','/FIN/EOD']");
        }
        let root = Oql::folder("folder", &pattern("/")).unwrap();
        assert_eq!(root.to_string(), "folder = '/'");
        let wild = Oql::folder("folder", &pattern("*EOD")).unwrap();
        assert_eq!(
            wild.to_string(),
            "folder LIKE '@EOD/' OR folder LIKE '@EOD'"
        );
    }

    proptest! {
        /// Whatever a user may write as a pattern can be sent.
        #[test]
        fn every_pattern_can_be_sent(text in "[A-Za-z0-9_./*?-]{1,120}") {
            let pattern = NamePattern::parse(&text).unwrap();
            for built in [
                Oql::name("name", &pattern),
                Oql::workstation("workstation", &pattern),
                Oql::folder("folder", &pattern),
            ] {
                prop_assert_eq!(built.unwrap().to_string().matches('\'').count() % 2, 0);
            }
        }
    }
}
