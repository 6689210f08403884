//! `OpenAPI` documents, each operation a section of its own.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::json::scalar;
use crate::markdown::Markdown;
use crate::refusal::Refusal;
use crate::worker::Read;

/// The methods in the order in which they are shown.
const METHODS: [&str; 8] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace",
];
/// How far the properties of a schema are followed.
const MAX_DEPTH: usize = 4;
/// The most properties that are shown of one schema.
const MAX_PROPERTIES: usize = 200;

/// Whether `value` is a document of `OpenAPI` 3 or Swagger 2.
pub(crate) fn is_openapi(value: &Value) -> bool {
    let version = value.get("openapi").or_else(|| value.get("swagger"));
    let described = ["paths", "components", "webhooks"]
        .iter()
        .any(|key| value.get(key).is_some());
    version.is_some_and(|version| version.is_string() || version.is_number()) && described
}

/// Reads the document.
pub(crate) fn read(document: &Value) -> Result<Read, Refusal> {
    let mut md = Markdown::default();
    let info = document.get("info").unwrap_or(&Value::Null);
    let title = text(info, "title");
    let version = text(info, "version");
    let name = title.as_deref().unwrap_or("API");
    md.heading(1, &[name, version.as_deref().unwrap_or_default()].join(" "))?;
    describe(&mut md, info)?;
    for server in array(document, "servers") {
        if let Some(url) = text(server, "url") {
            md.item(0, "-", &format!("server: {url}"))?;
        }
    }
    let api = Api { document };
    for (path, item) in object(document.get("paths")) {
        let shared = array(item, "parameters");
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                api.operation(&mut md, method, path, shared, operation)?;
            }
        }
    }
    let schemas = document
        .pointer("/components/schemas")
        .or_else(|| document.get("definitions"));
    for (name, schema) in object(schemas) {
        md.heading(2, &format!("Schema {name}"))?;
        describe(&mut md, schema)?;
        properties(&mut md, schema)?;
    }
    Ok(Read::markdown("OpenAPI", title, md.finish()))
}

fn text(value: &Value, key: &str) -> Option<String> {
    value
        .get(key)
        .and_then(scalar)
        .filter(|text| !text.trim().is_empty())
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
}

/// The description, which is Markdown; its headings become paragraphs, so that the sections stay the
/// operations.
fn describe(md: &mut Markdown, value: &Value) -> Result<(), Refusal> {
    let description = text(value, "description").unwrap_or_default();
    for part in description.split("\n\n") {
        md.paragraph(part)?;
    }
    Ok(())
}

struct Api<'a> {
    document: &'a Value,
}

impl<'a> Api<'a> {
    /// What a reference names, as far as it is in this document.
    fn resolve(&self, mut value: &'a Value) -> &'a Value {
        for _ in 0..8 {
            let Some(target) = value.get("$ref").and_then(Value::as_str) else {
                break;
            };
            let Some(found) = target
                .strip_prefix('#')
                .and_then(|at| self.document.pointer(at))
            else {
                break;
            };
            value = found;
        }
        value
    }

    fn operation(
        &self,
        md: &mut Markdown,
        method: &str,
        path: &str,
        shared: &'a [Value],
        operation: &'a Value,
    ) -> Result<(), Refusal> {
        let summary = text(operation, "summary").map(|text| format!(" — {text}"));
        let method = method.to_uppercase();
        md.heading(
            2,
            &format!("{method} {path}{}", summary.unwrap_or_default()),
        )?;
        describe(md, operation)?;
        if let Some(id) = text(operation, "operationId") {
            md.item(0, "-", &format!("operation: {id}"))?;
        }
        let tags: Vec<String> = array(operation, "tags").iter().filter_map(scalar).collect();
        if !tags.is_empty() {
            md.item(0, "-", &format!("tags: {}", tags.join(", ")))?;
        }
        if operation.get("deprecated") == Some(&Value::Bool(true)) {
            md.item(0, "-", "deprecated")?;
        }
        let all = shared.iter().chain(array(operation, "parameters"));
        parameters(md, all.map(|parameter| self.resolve(parameter)))?;
        if let Some(body) = operation.get("requestBody") {
            let body = self.resolve(body);
            content(md, "Request body", body)?;
        }
        self.responses(md, operation)
    }

    fn responses(&self, md: &mut Markdown, operation: &'a Value) -> Result<(), Refusal> {
        let mut rows = vec![names(["status", "description", "content"])];
        for (status, response) in object(operation.get("responses")) {
            let response = self.resolve(response);
            let contents: Vec<String> = object(response.get("content"))
                .map(|(media, content)| {
                    let schema = content.get("schema").unwrap_or(&Value::Null);
                    format!("{media}: {}", type_of(schema))
                })
                .chain(response.get("schema").map(type_of))
                .collect();
            let description = text(response, "description").unwrap_or_default();
            rows.push(vec![status.clone(), description, contents.join("; ")]);
        }
        if rows.len() == 1 {
            return Ok(());
        }
        md.paragraph("Responses:")?;
        md.table(&rows)
    }
}

fn parameters<'a>(
    md: &mut Markdown,
    parameters: impl Iterator<Item = &'a Value>,
) -> Result<(), Refusal> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for parameter in parameters {
        // Swagger 2 has the type beside the name, and the body among the parameters.
        let schema = parameter.get("schema").unwrap_or(parameter);
        rows.push(vec![
            text(parameter, "name").unwrap_or_default(),
            text(parameter, "in").unwrap_or_default(),
            type_of(schema),
            yes(parameter.get("required")),
            text(parameter, "description").unwrap_or_default(),
        ]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    md.paragraph("Parameters:")?;
    rows.insert(0, names(["name", "in", "type", "required", "description"]));
    md.table(&rows)
}

fn content(md: &mut Markdown, what: &str, body: &Value) -> Result<(), Refusal> {
    describe(md, body)?;
    for (media, content) in object(body.get("content")) {
        let schema = content.get("schema").unwrap_or(&Value::Null);
        md.paragraph(&format!("{what} ({media}): {}", type_of(schema)))?;
        properties(md, schema)?;
        let example = content.get("example").or_else(|| schema.get("example"));
        if let Some(example) = example {
            let pretty = serde_json::to_string_pretty(example).unwrap_or_default();
            md.code("json", &pretty)?;
        }
    }
    Ok(())
}

/// The properties of a schema, those of inner objects by their path.
fn properties(md: &mut Markdown, schema: &Value) -> Result<(), Refusal> {
    let mut rows = vec![names(["property", "type", "required", "description"])];
    collect(&mut rows, "", schema, 0);
    if rows.len() == 1 {
        return Ok(());
    }
    md.table(&rows)
}

fn collect(rows: &mut Vec<Vec<String>>, path: &str, schema: &Value, depth: usize) {
    if depth > MAX_DEPTH || schema.get("$ref").is_some() {
        // A schema with a name of its own has a section of its own.
        return;
    }
    for part in array(schema, "allOf").iter().take(20) {
        collect(rows, path, part, depth + 1);
    }
    let required: BTreeSet<&str> = array(schema, "required")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in object(schema.get("properties")) {
        if rows.len() > MAX_PROPERTIES {
            return;
        }
        let full = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        rows.push(vec![
            full.clone(),
            type_of(property),
            if required.contains(name.as_str()) {
                "yes"
            } else {
                ""
            }
            .to_owned(),
            text(property, "description").unwrap_or_default(),
        ]);
        let inner = property.get("items").unwrap_or(property);
        collect(rows, &full, inner, depth + 1);
    }
}

/// In a few words.
fn type_of(schema: &Value) -> String {
    type_within(schema, 0)
}

fn type_within(schema: &Value, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return "…".to_owned();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return target.rsplit('/').next().unwrap_or(target).to_owned();
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        let parts = array(schema, key);
        if !parts.is_empty() {
            let parts = parts.iter().take(20);
            let parts: Vec<_> = parts.map(|part| type_within(part, depth + 1)).collect();
            return parts.join(if key == "allOf" { " & " } else { " | " });
        }
    }
    let mut name = match schema.get("type") {
        Some(Value::Array(types)) => types
            .iter()
            .filter_map(scalar)
            .collect::<Vec<_>>()
            .join(" | "),
        Some(kind) => scalar(kind).unwrap_or_default(),
        None if schema.get("properties").is_some() => "object".to_owned(),
        None => String::new(),
    };
    if name == "array" {
        let items = schema.get("items").unwrap_or(&Value::Null);
        name = format!("array of {}", type_within(items, depth + 1));
    }
    if let Some(format) = text(schema, "format") {
        name = format!("{name} ({format})");
    }
    let values: Vec<String> = array(schema, "enum")
        .iter()
        .take(40)
        .filter_map(scalar)
        .collect();
    if !values.is_empty() {
        name = format!("{name}: {}", values.join(", "));
    }
    name
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn yes(value: Option<&Value>) -> String {
    if value == Some(&Value::Bool(true)) {
        "yes"
    } else {
        ""
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::json;

    const YAML: &str = "\
openapi: 3.0.3
info: {title: Workload API, version: 2.1}
paths:
  /plan/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}, description: The plan}
    get:
      summary: Read a plan
      operationId: getPlan
      tags: [plan]
      parameters:
        - $ref: '#/components/parameters/Limit'
      responses:
        200:
          description: The plan
          content:
            application/json: {schema: {$ref: '#/components/schemas/Plan'}}
        404: {description: No such plan}
    post:
      summary: Change it
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: {type: string, description: Its name}
                tags: {type: array, items: {type: string}}
      responses: {204: {description: Done}}
components:
  parameters:
    Limit: {name: limit, in: query, schema: {type: integer, format: int32}}
  schemas:
    Plan:
      type: object
      properties:
        state: {type: string, enum: [ready, late]}
";

    #[test]
    fn each_operation_is_a_section() {
        let read = json::read_yaml(YAML).unwrap();
        assert_eq!(read.title.as_deref(), Some("Workload API"));
        assert_eq!(read.format, "OpenAPI");
        for part in [
            "# Workload API 2.1\n",
            "## GET /plan/{id} — Read a plan\n\n- operation: getPlan\n- tags: plan\n\nParameters:\n\n\
             | name | in | type | required | description |\n|---|---|---|---|---|\n\
             | id | path | string | yes | The plan |\n| limit | query | integer (int32) |  |  |\n",
            "| 200 | The plan | application/json: Plan |\n| 404 | No such plan |  |\n",
            "Request body (application/json): object\n\n| property | type | required | description |\n\
             |---|---|---|---|\n| name | string | yes | Its name |\n| tags | array of string |  |  |\n",
            "## Schema Plan\n\n| property | type | required | description |\n|---|---|---|---|\n\
             | state | string: ready, late |  |  |\n",
        ] {
            assert!(read.text.contains(part), "{part}\nis not in\n{}", read.text);
        }
    }

    /// B5: aliases that multiply, and references that go round.
    #[test]
    fn aliases_and_circles_end() {
        let mut bomb =
            "openapi: 3.0.0\npaths: {}\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..30 {
            let m = n - 1;
            writeln!(
                bomb,
                "a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}]"
            )
            .unwrap();
        }
        assert!(json::read_yaml(&bomb).is_err());
        let circle = r##"{"openapi": "3.0.0", "paths": {"/a": {"get": {"parameters": [{"$ref": "#/x"}]}}},
            "x": {"$ref": "#/x"}}"##;
        assert!(json::read(circle).unwrap().text.contains("## GET /a"));
    }
}
