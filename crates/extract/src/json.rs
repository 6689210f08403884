//! JSON as sections, lists and tables.

use serde_json::{Map, Value};

use crate::markdown::Markdown;
use crate::openapi;
use crate::refusal::Refusal;
use crate::worker::Read;

/// Deeper levels are shown as code.
const MAX_SECTION_DEPTH: usize = 4;
/// A shorter value is shown as code at once.
const SMALL_CHARS: usize = 600;
/// The most columns of a list of records.
const MAX_COLUMNS: usize = 12;

/// Reads JSON; an `OpenAPI` document by its operations.
pub(crate) fn read(text: &str) -> Result<Read, Refusal> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Refusal::unreadable(format!("it is not valid JSON: {error}")))?;
    if openapi::is_openapi(&value) {
        return openapi::read(&value);
    }
    let mut md = Markdown::default();
    let title = value
        .get("title")
        .or_else(|| value.get("name"))
        .and_then(Value::as_str)
        .filter(|title| title.chars().count() <= 200)
        .map(str::to_owned);
    section(&mut md, 1, &value)?;
    Ok(Read::markdown("JSON", title, md.finish()))
}

/// Reads an `OpenAPI` document in YAML.
pub(crate) fn read_yaml(text: &str) -> Result<Read, Refusal> {
    let value: Value = serde_saphyr::from_str(text)
        .map_err(|error| Refusal::unreadable(format!("it is not valid YAML: {error}")))?;
    if openapi::is_openapi(&value) {
        return openapi::read(&value);
    }
    Ok(Read::text("text", text.to_owned()))
}

/// A value as text, without quotes around a string.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn section(md: &mut Markdown, level: usize, value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Object(map) => object(md, level, map),
        Value::Array(items) => array(md, level, items),
        scalar_value => md.paragraph(&scalar(scalar_value).unwrap_or_default()),
    }
}

fn object(md: &mut Markdown, level: usize, map: &Map<String, Value>) -> Result<(), Refusal> {
    for (key, value) in map {
        if let Some(text) = scalar(value) {
            md.item(0, "-", &format!("{key}: {text}"))?;
        }
    }
    for (key, value) in map {
        if scalar(value).is_none() {
            md.heading(level, key)?;
            nested(md, level + 1, value)?;
        }
    }
    Ok(())
}

fn array(md: &mut Markdown, level: usize, items: &[Value]) -> Result<(), Refusal> {
    if let Some(rows) = records(items) {
        return md.table(&rows);
    }
    for item in items {
        if let Some(text) = scalar(item) {
            md.item(0, "-", &text)?;
            continue;
        }
        let name = ["name", "title", "id", "key"]
            .iter()
            .find_map(|key| item.get(key).and_then(scalar));
        if let Some(name) = name {
            md.heading(level, &name)?;
        }
        nested(md, level + 1, item)?;
    }
    Ok(())
}

fn nested(md: &mut Markdown, level: usize, value: &Value) -> Result<(), Refusal> {
    let is_table = value
        .as_array()
        .is_some_and(|items| records(items).is_some());
    if level <= MAX_SECTION_DEPTH && (is_table || !is_small(value)) {
        return section(md, level, value);
    }
    let code = serde_json::to_string_pretty(value)
        .map_err(|error| Refusal::unreadable(error.to_string()))?;
    md.code("json", &code)
}

/// Whether its text is short, found out without writing it.
fn is_small(value: &Value) -> bool {
    let (mut open, mut chars) = (vec![value], 0_usize);
    while let Some(value) = open.pop() {
        chars += 8;
        match value {
            Value::String(text) => chars += text.len(),
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                chars += map.keys().map(String::len).sum::<usize>();
                open.extend(map.values());
            }
            _ => {}
        }
        if chars > SMALL_CHARS {
            return false;
        }
    }
    true
}

/// A list of flat objects with much the same keys, as rows below their names.
fn records(items: &[Value]) -> Option<Vec<Vec<String>>> {
    let mut names: Vec<&str> = Vec::new();
    for item in items {
        for (key, value) in item.as_object()? {
            scalar(value)?;
            if !names.contains(&key.as_str()) {
                names.push(key);
            }
            if names.len() > MAX_COLUMNS {
                return None;
            }
        }
    }
    if items.len() < 2 || names.len() < 2 {
        return None;
    }
    let row = |item: &Value| {
        let cell = |name: &&str| item.get(name).and_then(scalar).unwrap_or_default();
        names.iter().map(cell).collect()
    };
    let head = names.iter().map(|name| (*name).to_owned()).collect();
    Some(std::iter::once(head).chain(items.iter().map(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_sections_and_records_a_table() {
        let read = read(
            r#"{"title": "Contacts", "version": 2,
                "teams": [{"name": "ops", "phone": "1|2"}, {"name": "dba"}],
                "windows": {"nightly": ["22:00", "06:00"]}}"#,
        )
        .unwrap();
        assert_eq!(
            (read.format.as_str(), read.title.as_deref()),
            ("JSON", Some("Contacts"))
        );
        assert_eq!(
            read.text,
            "- title: Contacts\n- version: 2\n\n# teams\n\n| name | phone |\n|---|---|\n\
             | ops | 1\\|2 |\n| dba |  |\n\n# windows\n\n```json\n{\n  \"nightly\": [\n    \"22:00\",\n    \"06:00\"\n  ]\n}\n```\n"
        );
    }

    /// B5
    #[test]
    fn deep_json_is_refused() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(&deep), Err(Refusal::Unreadable(_))));
    }
}
