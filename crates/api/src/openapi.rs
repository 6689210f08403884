//! `/openapi.json`, from the route table.

use axum::Json;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathItem, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, Type,
};

use crate::edge::guard::Guard;
use crate::problem::ProblemBody;
use crate::routes::{Route, SchemaOf, schema_of, table};

/// `GET /openapi.json`
pub(crate) async fn get() -> Json<OpenApi> {
    Json(document(&table()))
}

/// The document of these routes.
#[must_use]
pub fn document(routes: &[Route]) -> OpenApi {
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    let problem = schema_of::<ProblemBody>(&mut schemas);
    let mut paths = PathsBuilder::new();
    for route in routes {
        let Some(method) = method(&route.method) else {
            continue;
        };
        let operation = operation(route, &problem, &mut schemas);
        paths = paths.path(route.path, PathItem::new(method, operation));
    }
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "resync_session",
                "Set by auth/login; named __Host-resync_session over https.",
            ))),
        )
        .security_scheme(
            "api_key",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some(
                        "An API key of auth/api-keys. With one, the cookie is not looked at.",
                    ))
                    .build(),
            ),
        )
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Resync")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Ask HCL Workload Automation questions and act on it safely.",
                ))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components))
        .build()
}

fn method(method: &axum::http::Method) -> Option<HttpMethod> {
    Some(match method.as_str() {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        _ => return None,
    })
}

fn operation(
    route: &Route,
    problem: &str,
    schemas: &mut Vec<(String, RefOr<Schema>)>,
) -> utoipa::openapi::path::Operation {
    let (status, answer) = route.answer;
    let mut operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .operation_id(Some(operation_id(route)))
        .response(status.to_string(), answer_of(answer, schemas))
        .response(
            "default",
            ResponseBuilder::new()
                .description("What was wrong")
                .content("application/problem+json", content(problem))
                .build(),
        );
    for name in path_parameters(route.path) {
        operation = operation.parameter(parameter(name, "", ParameterIn::Path));
    }
    for (name, description) in route.query {
        operation = operation.parameter(parameter(name, description, ParameterIn::Query));
    }
    if let Some(body) = route.body {
        let name = body(schemas);
        operation = operation.request_body(Some(
            RequestBodyBuilder::new()
                .required(Some(Required::True))
                .content("application/json", content(&name))
                .build(),
        ));
    }
    for scheme in security(route.guard) {
        operation = operation.security(SecurityRequirement::new(*scheme, Vec::<String>::new()));
    }
    operation.build()
}

/// What proves who asks; any one of these is enough.
fn security(guard: Guard) -> &'static [&'static str] {
    match guard {
        Guard::Public => &[],
        Guard::Session | Guard::SessionWith(_) => &["session"],
        Guard::Authenticated | Guard::Permission(_) | Guard::Socket(_) => &["session", "api_key"],
    }
}

fn answer_of(
    answer: Option<SchemaOf>,
    schemas: &mut Vec<(String, RefOr<Schema>)>,
) -> utoipa::openapi::Response {
    let response = ResponseBuilder::new().description("As asked");
    match answer {
        Some(answer) => {
            let name = answer(schemas);
            response.content("application/json", content(&name)).build()
        }
        None => response.build(),
    }
}

fn content(name: &str) -> utoipa::openapi::Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(name)))
        .build()
}

fn parameter(
    name: &str,
    description: &str,
    place: ParameterIn,
) -> utoipa::openapi::path::Parameter {
    let required = if place == ParameterIn::Path {
        Required::True
    } else {
        Required::False
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description((!description.is_empty()).then_some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn operation_id(route: &Route) -> String {
    let path = route
        .path
        .trim_start_matches("/api/v1/")
        .replace(['{', '}'], "")
        .replace(['/', '-', '.'], "_");
    format!(
        "{}_{}",
        route.method.as_str().to_ascii_lowercase(),
        path.trim_matches('_')
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Every reference below `value`.
    fn references(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    into.push(target.clone());
                }
                members.values().for_each(|member| references(member, into));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn the_document_has_every_route_and_no_reference_leads_nowhere() {
        let routes = table();
        let document = serde_json::to_value(document(&routes)).unwrap();
        for route in &routes {
            let method = route.method.as_str().to_ascii_lowercase();
            let operation = &document["paths"][route.path][&method];
            assert_eq!(
                operation["summary"], route.summary,
                "{} {}",
                route.method, route.path
            );
            assert_eq!(
                operation["security"].is_array(),
                route.guard != Guard::Public
            );
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > routes.len());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let routes = table();
        let ids: std::collections::BTreeSet<_> = routes.iter().map(operation_id).collect();
        assert_eq!(ids.len(), routes.len());
    }
}
