//! Prompts: bounded, truthful, and one at a time where the engine can.

use std::fmt::Write as _;

use resync_hwa::HwaClient;
use resync_simulator::{Role, Simulator, Version};
use resync_tws::model::{Prompt, PromptId};
use resync_tws::ports::{GatewayError, ObjectGateway as _};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Received, Reply, config};

/// As many as a page holds.
const PAGE: u64 = 1_000;
/// As many pages as are read.
const PAGES: u64 = 32;

fn id(text: &str) -> PromptId {
    PromptId::parse(text).unwrap()
}

fn job(number: u64, prompt: Option<&str>) -> Value {
    let needs: Vec<Value> = prompt
        .iter()
        .map(|id| {
            json!({"dependencyType": "PROMPT", "id": id, "promptStatus": "ASKED",
                   "dependencyStatus": "UNSATISFIED"})
        })
        .collect();
    json!({"id": format!("j{number}"), "name": format!("J{number}"), "workstation": "/WS",
           "jobStreamName": "S", "dependencies": needs})
}

fn offset(request: &Received) -> u64 {
    let (_, rest) = request.line.split_once("offset=").unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn counts_prompts(request: &Received) -> bool {
    request.line.contains("numberOfPromptDependencies")
}

fn is_of_streams(request: &Received) -> bool {
    request.line.contains("/plan/jobstream")
}

fn none() -> Reply {
    Reply::json(r#"{"count":0,"results":[]}"#)
}

fn missing() -> Reply {
    Reply::with(404, "text/plain", b"")
}

/// A page of 33,000 waiting jobs, one of a thousand of which waits for a prompt of its own, and all of
/// those for `shared`.
fn page_of_33_000(offset: u64) -> Reply {
    let mut body = String::from(r#"{"count":33000,"results":["#);
    for number in offset..offset + PAGE {
        if number > offset {
            body.push(',');
        }
        let mut waiting = job(number, None);
        if number % PAGE == 0 {
            let own = format!("p{}", number / PAGE);
            let needs =
                ["shared", own.as_str()].map(|id| job(number, Some(id))["dependencies"][0].clone());
            waiting["dependencies"] = needs.to_vec().into();
        }
        write!(body, "{waiting}").unwrap();
    }
    let next = offset + PAGE;
    if next < 33_000 {
        write!(body, r#"],"next":"http://h/x?offset={next}"}}"#).unwrap();
    } else {
        body.push_str("]}");
    }
    Reply::json(&body)
}

/// No list of prompts, no filter by their number, and more waiting jobs than are read.
async fn large() -> Fixture {
    Fixture::start(|request| {
        if request.line.contains("/plan/prompt") {
            missing()
        } else if counts_prompts(request) {
            Reply::with(400, "text/plain", b"OQL_FILTER_SYNTAX_ERROR")
        } else if is_of_streams(request) {
            none()
        } else {
            page_of_33_000(offset(request))
        }
    })
    .await
}

#[tokio::test]
async fn more_waiting_jobs_than_are_read_give_a_list_that_says_so() {
    let fixture = large().await;
    let client = fixture.client();
    let read = client.prompts().await.unwrap();
    assert!(read.truncated);
    // One of each page that is read, and the one that all share.
    assert_eq!(read.items.len() as u64, PAGES + 1);
    let shared = read.items.iter().find(|prompt| prompt.id == id("shared"));
    let shared = shared.unwrap();
    assert_eq!(
        (shared.waiting_count, shared.waiting.len()),
        (PAGES, usize::try_from(PAGES).unwrap())
    );
    let pages = fixture.received();
    let pages = pages
        .iter()
        .filter(|request| !counts_prompts(request) && !is_of_streams(request));
    assert_eq!(pages.count() as u64, PAGES + 1, "and the look for a list");

    // What was read is known, what was not may be there all the same.
    let seen = client.prompts().await.unwrap();
    assert_eq!(seen, read);
    let behind = client.prompt(&id("p32")).await;
    assert!(
        matches!(&behind, Err(GatewayError::Unreadable(_))),
        "{behind:?}"
    );
}

/// Where the engine filters by the number of prompts, a plan of any size is read to its end.
#[tokio::test]
async fn only_what_waits_for_a_prompt_is_read_where_the_engine_can_tell() {
    let fixture = Fixture::start(|request| {
        if request.line.contains("/plan/prompt") {
            missing()
        } else if is_of_streams(request) {
            none()
        } else if counts_prompts(request) {
            let body = json!({"count": 1, "results": [job(7, Some("deep"))]});
            Reply::json(&body.to_string())
        } else {
            page_of_33_000(offset(request))
        }
    })
    .await;
    let client = fixture.client();
    let read = client.prompts().await.unwrap();
    assert!(!read.truncated);
    assert_eq!(read.items.len(), 1);
    assert_eq!(read.items[0].waiting, ["WS#S.J7"]);
    let asked = fixture.received();
    let jobs: Vec<_> = asked
        .iter()
        .filter(|request| request.line.contains("/plan/job?"))
        .collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert!(counts_prompts(jobs[0]));
}

/// An engine may take the filter and count nothing: then none is not believed.
#[tokio::test]
async fn a_number_that_is_not_kept_hides_no_prompt() {
    let fixture = Fixture::start(|request| {
        if request.line.contains("/plan/prompt") {
            missing()
        } else if is_of_streams(request) || counts_prompts(request) {
            none()
        } else {
            let body = json!({"count": 1, "results": [job(7, Some("p"))]});
            Reply::json(&body.to_string())
        }
    })
    .await;
    let client = fixture.client();
    for _ in 0..2 {
        assert_eq!(client.prompts().await.unwrap().items.len(), 1);
    }
}

async fn simulated(version: Version) -> (Simulator, HwaClient, Prompt) {
    let simulator = Simulator::builder()
        .jobs(100)
        .version(version)
        .user("operator", "secret", Role::Operator)
        .start()
        .await
        .unwrap();
    let client = HwaClient::new(config(&simulator.base_url())).unwrap();
    let asked = |prompt: &Prompt| prompt.status.as_str() == "ASKED";
    let prompts = client.prompts().await.unwrap();
    assert!(!prompts.truncated);
    let prompt = prompts.items.into_iter().find(asked).unwrap();
    (simulator, client, prompt)
}

/// A look at a prompt is one read of it, with a list of prompts and without.
#[tokio::test]
async fn a_look_at_a_prompt_reads_that_prompt() {
    for version in [Version::V10_1, Version::V10_2_8] {
        let (simulator, client, prompt) = simulated(version).await;
        let before = simulator.control().requests().await.len();
        let seen = client.prompt(&prompt.id).await.unwrap().unwrap();
        assert_eq!((&seen.text, &seen.status), (&prompt.text, &prompt.status));
        let calls = simulator.control().requests().await.split_off(before);
        assert_eq!(calls.len(), 1, "{version:?}: {calls:?}");
        let (path, query) = (&calls[0].path, calls[0].query.as_deref().unwrap_or(""));
        if version == Version::V10_2_8 {
            assert!(
                path.ends_with("/plan/prompt") && query.contains("id"),
                "{path}?{query}"
            );
        } else {
            let one = ["/plan/job/", "/plan/jobstream/"];
            assert!(one.iter().any(|one| path.contains(one)), "{path}");
        }
        assert_eq!(client.prompt(&id("no-such")).await, Ok(None));
    }
}

/// The holder of yesterday's plan is gone, and another waits for the same prompt.
#[tokio::test]
async fn a_prompt_whose_holder_is_gone_is_looked_for_anew() {
    let fixture = Fixture::start(|request| {
        let counted = counts_prompts(request) && !is_of_streams(request);
        if counted {
            let body = json!({"count": 1, "results": [job(1, Some("p"))]});
            Reply::json(&body.to_string())
        } else if is_of_streams(request) {
            none()
        } else {
            missing()
        }
    })
    .await;
    let client = fixture.client();
    client.prompts().await.unwrap();
    let before = fixture.received().len();
    let seen = client.prompt(&id("p")).await.unwrap().unwrap();
    assert_eq!(seen.waiting, ["WS#S.J1"]);
    let calls = fixture.received().split_off(before);
    assert!(calls[0].line.contains("/plan/job/j1"), "{calls:?}");
    assert!(calls.len() > 1, "it was looked for");
}

/// A list that does not look at the filter says nothing by what its first page lacks.
#[tokio::test]
async fn a_filter_that_is_not_looked_at_hides_no_prompt() {
    let fixture = Fixture::start(|request| {
        let (own, next) = match offset(request) {
            0 => ("first", r#","next":"?offset=1""#),
            _ => ("second", ""),
        };
        let body = format!(r#"{{"count":2,"results":[{{"id":"{own}","status":"ASKED"}}]{next}}}"#);
        Reply::json(&body)
    })
    .await;
    let client = fixture.client();
    for known in ["first", "second"] {
        let seen = client.prompt(&id(known)).await.unwrap();
        assert_eq!(seen.unwrap().id, id(known));
    }
    assert_eq!(client.prompt(&id("third")).await, Ok(None));
}
