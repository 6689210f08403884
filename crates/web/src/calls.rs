//! What the page asks of the server.
//!
//! The table stands twice: in `assets/api.js`, where the page reads it, and here, where Rust does.
//! A test keeps the two equal, and another keeps paths and `fetch` out of every other file.

/// Method and path of every request that the page can make. A path writes its parameters in braces,
/// the way routes do.
pub const API_CALLS: &[(&str, &str)] = &[
    ("POST", "/api/v1/auth/login"),
    ("GET", "/api/v1/auth/verify"),
    ("POST", "/api/v1/auth/logout"),
    ("GET", "/api/v1/auth/methods"),
    ("GET", "/api/v1/auth/oidc/login"),
    ("POST", "/api/v1/auth/setup"),
    ("POST", "/api/v1/auth/password/strength"),
    ("POST", "/api/v1/auth/password"),
    ("GET", "/api/v1/auth/sessions"),
    ("DELETE", "/api/v1/auth/sessions/{id}"),
    ("GET", "/api/v1/auth/api-keys"),
    ("POST", "/api/v1/auth/api-keys"),
    ("DELETE", "/api/v1/auth/api-keys/{id}"),
    ("GET", "/api/v1/tws/engines"),
    ("GET", "/api/v1/tws/summary"),
    ("GET", "/api/v1/tws/jobs"),
    ("GET", "/api/v1/tws/jobs/{id}"),
    ("GET", "/api/v1/tws/jobs/{id}/log"),
    ("GET", "/api/v1/tws/jobs/{id}/diagnosis"),
    ("POST", "/api/v1/tws/jobs/{id}/actions/{action}"),
    ("POST", "/api/v1/chat"),
    ("GET", "/api/v1/chat/sessions"),
    ("GET", "/api/v1/chat/history"),
    ("PATCH", "/api/v1/chat/sessions/{id}"),
    ("GET", "/api/v1/chat/sessions/{id}/export"),
    ("POST", "/api/v1/chat/feedback"),
    ("DELETE", "/api/v1/chat/history"),
    ("GET", "/api/v1/rag/documents/{id}/text"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::own_scripts;

    /// The text between the quotes that follow `key` in `line`.
    fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
        line.split_once(key)?.1.split('"').nth(1)
    }

    /// I-02: what the page can ask is what Rust compares with the routes.
    #[test]
    fn the_table_of_the_page_is_the_table_of_the_crate() {
        let scripts = own_scripts();
        let api = &scripts.iter().find(|(name, _)| name == "api.js").unwrap().1;
        let found: Vec<_> = api
            .lines()
            .filter_map(|line| Some((quoted(line, "method:")?, quoted(line, "path:")?)))
            .collect();
        assert_eq!(found, API_CALLS);
    }

    /// I-02: no request hides in another file, by whatever means.
    #[test]
    fn only_the_table_names_a_path_and_only_one_function_sends() {
        for (name, text) in own_scripts() {
            let allowed = usize::from(name == "api.js");
            assert_eq!(text.matches("fetch(").count(), allowed, "fetch in {name}");
            for means in ["XMLHttpRequest", "EventSource", "WebSocket", "sendBeacon"] {
                assert!(!text.contains(means), "{means} in {name}");
            }
            let paths = text.matches("/api/").count();
            let expected = if name == "api.js" { API_CALLS.len() } else { 0 };
            assert_eq!(paths, expected, "paths in {name}");
        }
    }

    /// I-02: a call by name is a call of the table, as is an address that the browser goes to, and no
    /// entry of the table is unused.
    #[test]
    fn every_call_by_name_stands_in_the_table_and_every_entry_is_called() {
        let scripts = own_scripts();
        let api = &scripts.iter().find(|(name, _)| name == "api.js").unwrap().1;
        let mut names: Vec<&str> = api
            .lines()
            .filter(|line| line.contains("{ method:"))
            .filter_map(|line| line.trim().split_once(':').map(|(name, _)| name))
            .collect();
        let mut called: Vec<&str> = scripts
            .iter()
            .flat_map(|(_, text)| {
                let sent = text.split(" call(\"").skip(1);
                sent.chain(text.split("addressOf(\"").skip(1))
            })
            .filter_map(|rest| rest.split('"').next())
            .collect();
        called.sort_unstable();
        called.dedup();
        names.sort_unstable();
        assert_eq!(called, names);
    }
}
