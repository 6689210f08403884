//! The demo's own check: through the real interface, as a browser would, and then at the engine.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response};
use resync_kernel::{BoxError, ExposeSecret};
use serde_json::{Value, json};

use crate::cli::{fail, print};

use super::{DemoEngine, DemoUser, QUESTIONS, Question, Shows};

/// The job that the check reruns.
const JOB: &str = "FIN_GL_POST";

/// Goes through the demo and says what was wrong, if anything was.
pub(super) async fn check(address: &str, user: &DemoUser, engine: &DemoEngine) -> ExitCode {
    match run(address, user, engine).await {
        Ok(()) => print("the demo works"),
        Err(error) => fail(1, &format!("the demo does not work: {error}")),
    }
}

async fn run(address: &str, user: &DemoUser, engine: &DemoEngine) -> Result<(), BoxError> {
    let client = Client::builder()
        .timeout(Duration::from_secs(40))
        .no_proxy()
        .build()?;
    let ready: Value = client
        .get(format!("{address}/readyz"))
        .send()
        .await?
        .json()
        .await?;
    ensure(at(&ready, "/status") == "ready", || {
        format!("/readyz says {ready}")
    })?;
    step("the server is ready and reaches the engine");

    let page = client.get(address).send().await?.text().await?;
    ensure(page.contains("<html"), || {
        "the page is not there".to_owned()
    })?;
    let session = sign_in(&client, address, user).await?;
    step("signed in as operator, with no token in the answer");

    let mut target = None;
    for question in &QUESTIONS {
        let started = Instant::now();
        let body = json!({"message": question.text});
        let answer = session.post("/api/v1/chat", &body).await?;
        let answer: Value = expect(answer, 200).await?;
        judge(question, &answer)?;
        let took = started.elapsed().as_millis();
        step(&format!(
            "asked \"{}\": {} in {took} ms",
            question.text, question.intent
        ));
        if let Some(job) = at(&answer, "/proposal/job_id").as_str() {
            target = Some(job.to_owned());
        }
    }
    let job = target.ok_or("no answer proposed an action")?;

    let before = runs_at_the_engine(&client, engine).await?;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let proposal = session
        .post(
            &path,
            &json!({"reason": "demo check: the deadlock is gone"}),
        )
        .await?;
    let proposal: Value = expect(proposal, 202).await?;
    ensure(runs_at_the_engine(&client, engine).await? == before, || {
        "the proposal alone ran the job".to_owned()
    })?;
    step("proposed a rerun of FIN_GL_POST; nothing has happened yet");

    let token = json!({"confirmation_token": at(&proposal, "/confirmation_token")});
    let confirmed: Value = expect(session.post(&path, &token).await?, 200).await?;
    ensure(
        at(&confirmed, "/executed") == true && at(&confirmed, "/verified") == true,
        || format!("not verified: {confirmed}"),
    )?;
    let after = runs_at_the_engine(&client, engine).await?;
    ensure(after == before + 1, || {
        format!("the engine had {before} runs of {JOB} and has {after}")
    })?;
    step(&format!(
        "confirmed it; the engine shows run {after}, state {}",
        at(&confirmed, "/state")
    ));

    expect(session.post(&path, &token).await?, 409).await?;
    step("the same confirmation a second time is refused");
    Ok(())
}

/// A signed-in session, as a browser holds it.
struct Session {
    client: Client,
    address: String,
    headers: HeaderMap,
}

impl Session {
    async fn post(&self, path: &str, body: &Value) -> Result<Response, reqwest::Error> {
        let request = self
            .client
            .post(format!("{}{path}", self.address))
            .headers(self.headers.clone());
        request.json(body).send().await
    }
}

async fn sign_in(client: &Client, address: &str, user: &DemoUser) -> Result<Session, BoxError> {
    let body = json!({"username": user.name, "password": user.password.expose_secret()});
    let request = client
        .post(format!("{address}/api/v1/auth/login"))
        .header(ORIGIN, address);
    let answer = request.json(&body).send().await?;
    let cookies: Vec<String> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| Some(value.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    let text = answer.error_for_status()?.text().await?;
    let value = |name: &str| {
        cookies
            .iter()
            .find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
    };
    let token = value("resync_session").ok_or("no session cookie came")?;
    let csrf = value("resync_csrf").ok_or("no CSRF cookie came")?;
    ensure(!text.contains(token), || {
        "the token stands in the body".to_owned()
    })?;
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::try_from(cookies.join("; "))?);
    headers.insert("x-csrf-token", HeaderValue::try_from(csrf)?);
    headers.insert(ORIGIN, HeaderValue::try_from(address)?);
    Ok(Session {
        client: client.clone(),
        address: address.to_owned(),
        headers,
    })
}

/// Whether an answer has the intent and shows what it must.
fn judge(question: &Question, answer: &Value) -> Result<(), BoxError> {
    let wrong = |what: &str| format!("\"{}\": {what}; the answer was {answer}", question.text);
    ensure(at(answer, "/intent") == question.intent, || {
        wrong(&format!("the intent is not {}", question.intent))
    })?;
    ensure(at(answer, "/saved") == true, || wrong("it was not saved"))?;
    ensure(at(answer, "/incomplete") == false, || {
        wrong("it is incomplete")
    })?;
    let whole: resync_chat::Answer = serde_json::from_value(answer.clone())?;
    if let Err(broken) = resync_chat::recheck(&whole) {
        let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
        return Err(wrong(&format!(
            "its evidence does not hold it ({})",
            broken.join("; ")
        ))
        .into());
    }
    let citations = at(answer, "/citations")
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let shown = match question.shows {
        Shows::Figures => at(answer, "/figures").as_array().is_some_and(|figures| {
            !figures.is_empty() && figures.iter().all(|figure| at(figure, "/age_ms").is_u64())
        }),
        Shows::Name(name) => at(answer, "/answer")
            .as_str()
            .is_some_and(|text| text.contains(name)),
        Shows::LogLine(text) => citations.iter().any(|citation| {
            at(citation, "/kind") == "log"
                && at(citation, "/from_line").is_u64()
                && at(citation, "/excerpt")
                    .as_str()
                    .is_some_and(|excerpt| excerpt.contains(text))
        }),
        Shows::Document(source) => citations.iter().any(|citation| {
            at(citation, "/kind") == "document" && at(citation, "/source") == source
        }),
        Shows::Proposal(job) => at(answer, "/proposal/label")
            .as_str()
            .is_some_and(|label| label.ends_with(job)),
    };
    ensure(shown, || wrong("it does not show what it must"))
}

/// How many runs the engine itself knows of the job, asked without Resync.
async fn runs_at_the_engine(client: &Client, engine: &DemoEngine) -> Result<usize, BoxError> {
    let answer = client
        .get(format!("{}/plan/job", engine.url))
        .query(&[(
            "oql",
            format!("name = '{JOB}' AND jobStreamName = 'FIN_EOD'"),
        )])
        .basic_auth(&engine.username, Some(engine.password.expose_secret()))
        .send()
        .await?;
    let page: Value = answer.error_for_status()?.json().await?;
    let runs = at(&page, "/results/0/jobruns")
        .as_array()
        .ok_or("the engine does not know the job")?;
    Ok(runs.len())
}

async fn expect(answer: Response, status: u16) -> Result<Value, BoxError> {
    let (got, path) = (answer.status().as_u16(), answer.url().path().to_owned());
    let text = answer.text().await?;
    ensure(got == status, || {
        format!("{path} answered {got}, not {status}: {text}")
    })?;
    Ok(serde_json::from_str(&text)?)
}

/// What stands at a JSON pointer, or null.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), BoxError> {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn step(text: &str) {
    // A reader that went away does not stop the check.
    let _code = print(&format!("ok  {text}"));
}
