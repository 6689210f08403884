//! A simulator and a client for it.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use resync_simulator::{Builder, Control, Role, Simulator};
use serde_json::Value;

pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) control: Control,
    pub(crate) client: Client,
}

/// The default night, frozen, with one user of each role.
pub(crate) async fn stage() -> Stage {
    stage_with(|builder| builder).await
}

pub(crate) async fn stage_with(change: impl FnOnce(Builder) -> Builder) -> Stage {
    let builder = Simulator::builder()
        .jobs(300)
        .user("operator", "secret", Role::Operator)
        .user("viewer", "secret", Role::Viewer);
    let simulator = change(builder).start().await.unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    Stage {
        control: simulator.control(),
        simulator,
        client,
    }
}

impl Stage {
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.simulator.base_url());
        self.client
            .request(method, url)
            .basic_auth("operator", Some("secret"))
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// A list kept by a query.
    pub(crate) async fn list(&self, path: &str, oql: &str) -> Vec<Value> {
        let response = self
            .request(Method::GET, path)
            .query(&[("oql", oql)])
            .send()
            .await;
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{oql}");
        let body: Value = response.json().await.unwrap();
        body["results"].as_array().unwrap().clone()
    }

    pub(crate) async fn job(&self, name: &str) -> Value {
        let jobs = self.list("/plan/job", &format!("name = '{name}'")).await;
        assert_eq!(jobs.len(), 1, "{name}");
        jobs[0].clone()
    }

    pub(crate) async fn put(&self, path: &str) -> StatusCode {
        self.send(Method::PUT, path).await.status()
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        self.control.advance(Duration::from_secs(seconds)).await;
    }
}

/// The text of a field of an object.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {path} in {value}"))
}

pub(crate) fn status(job: &Value) -> &str {
    text(job, "/lastRunCompositeStatus/status")
}
