//! Every quirk against the strict engine: one look at both, which must differ as told.

use reqwest::Method;
use resync_simulator::Quirk;
use serde_json::{Value, json};

use crate::support::{Stage, stage, stage_with, text};

/// A test for each quirk: what a look finds on the strict engine, and what on the quirky one.
///
/// The `match` has no arm for the rest: a quirk without a line here does not compile.
macro_rules! proofs {
    ($($quirk:ident => $look:ident: $strict:tt, $quirky:tt;)+) => {
        $(
            #[tokio::test]
            async fn $look() {
                let strict = looks::$look(&stage().await).await;
                assert_eq!(strict, json!($strict), "the strict engine");
                let quirky = stage_with(|builder| builder.quirk(Quirk::$quirk)).await;
                assert_eq!(looks::$look(&quirky).await, json!($quirky), "the quirky engine");
                assert_ne!(json!($strict), json!($quirky), "nothing is proved by equal looks");
            }
        )+

        fn is_proved(quirk: Quirk) -> bool {
            match quirk {
                $(Quirk::$quirk => true,)+
            }
        }
    };
}

proofs! {
    Nulls => absent_fields_are_null_on_demand_alone: [false, false, false], [true, true, true];
    ExtraFields => plan_objects_may_carry_unknown_fields: ["none", "none"], ["all", "all"];
    UnknownEnums => some_statuses_may_be_unknown: "none", "some";
    DatesOffset => instants_may_carry_an_offset:
        ["2026-03-02T19:00:00Z", "PT18M"], ["2026-03-02T20:00:00+01:00", "PT18M"];
    DatesMillis => instants_and_durations_may_be_milliseconds:
        ["2026-03-02T19:00:00Z", "PT18M"], [1_772_478_000_000_i64, 1_080_000];
    ReleaseNoop => releasing_what_is_not_held_may_be_taken_for_granted: [400, 10], [200, 10];
    NextNull => a_page_that_is_not_there_may_be_null: {}, {"next": null, "previous": null};
    NextEmpty => a_page_that_is_not_there_may_be_an_empty_text: {}, {"next": "", "previous": ""};
    LogEmpty => a_log_before_the_start_may_be_empty: [404, false], [200, true];
    Stringly => numbers_and_flags_of_parts_may_be_texts: [2, 14, 10], ["2", "14", 10];
    Isless => flags_may_come_under_their_older_name_alone:
        [["command", "isCommand"], ["isService"], ["error", "isError"]],
        [["command"], ["service"], ["error"]];
    UnstableOrder => pages_may_repeat_and_miss_what_is_not_ordered: [300, 300], ["fewer", 300];
    NomatchNotFound => an_action_on_nothing_may_be_not_found: 200, 404;
    FirstN => an_action_on_too_much_may_reach_the_first_ones: [400, 0], [200, 3];
    ConfirmBad => confirming_where_it_changes_nothing_may_be_refused: [200, "HOLD"], [400, "HOLD"];
    IdsSurvive => ids_may_survive_the_edge_of_the_day:
        {"plan": false, "job": false, "run": false, "stream": false},
        {"plan": false, "job": true, "run": true, "stream": true};
    UnknownEnumEmpty => a_value_outside_an_enumeration_may_find_nothing: [400, null], [200, 0];
    LateHold => what_starts_too_late_may_stay_in_hold: ["SUPPR", true], ["HOLD", true];
    NoCount => lists_may_come_without_their_count: [300, true], [null, true];
    NoResults => an_empty_list_may_come_without_results: [[], 1], [null, 1];
}

#[test]
fn every_quirk_is_named_in_the_readme_and_read_by_its_name() {
    let readme = include_str!("../README.md");
    for (name, quirk) in Quirk::all() {
        assert!(is_proved(quirk));
        assert_eq!(name.parse(), Ok(quirk));
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

/// What both engines are asked, by the name of the proof.
mod looks {
    use super::{Method, Stage, Value, json, text};

    fn holds_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(holds_null),
            Value::Object(fields) => fields.values().any(holds_null),
            _ => false,
        }
    }

    /// `all`, `some` or `none` of the objects.
    fn share(objects: &[Value], test: impl Fn(&Value) -> bool) -> &'static str {
        match objects.iter().filter(|object| test(object)).count() {
            0 => "none",
            n if n == objects.len() => "all",
            _ => "some",
        }
    }

    async fn results(stage: &Stage, path: &str) -> Vec<Value> {
        let page = stage.get(path).await;
        page["results"].as_array().unwrap().clone()
    }

    pub(super) async fn absent_fields_are_null_on_demand_alone(stage: &Stage) -> Value {
        let mut found = Vec::new();
        for path in ["/plan/job", "/plan/jobstream", "/plan/workstation"] {
            found.push(holds_null(&Value::from(results(stage, path).await)));
        }
        found.into()
    }

    pub(super) async fn plan_objects_may_carry_unknown_fields(stage: &Stage) -> Value {
        let unknown = |object: &Value| object.get("futureField").is_some();
        let jobs = share(&results(stage, "/plan/job").await, unknown);
        json!([
            jobs,
            share(&results(stage, "/plan/jobstream").await, unknown)
        ])
    }

    pub(super) async fn some_statuses_may_be_unknown(stage: &Stage) -> Value {
        let unknown = |job: &Value| crate::support::status(job) == "QUEUED_NEW";
        share(&results(stage, "/plan/job").await, unknown).into()
    }

    /// An instant and a duration.
    async fn times(stage: &Stage) -> Value {
        let job = stage.job("FIN_GL_POST").await;
        let estimated = &job["jobDefinition"]["estimatedDuration"];
        json!([job["schedTime"], estimated])
    }

    pub(super) async fn instants_may_carry_an_offset(stage: &Stage) -> Value {
        times(stage).await
    }

    pub(super) async fn instants_and_durations_may_be_milliseconds(stage: &Stage) -> Value {
        times(stage).await
    }

    pub(super) async fn releasing_what_is_not_held_may_be_taken_for_granted(
        stage: &Stage,
    ) -> Value {
        let job = stage.job("FIN_CLOSE_DAY").await;
        let path = format!("/plan/job/{}/action/release", text(&job, "/id"));
        let code = stage.put(&path).await.as_u16();
        stage.pass(5).await;
        json!([code, stage.job("FIN_CLOSE_DAY").await["priority"]])
    }

    /// How a list names the pages beside its only one. Those that are there are named by both.
    async fn other_pages(stage: &Stage) -> Value {
        let links = ["next", "previous"];
        let amid = stage.get("/plan/workstation?limit=1&offset=1").await;
        for name in links {
            assert!(text(&amid, &format!("/{name}")).starts_with("https://"));
        }
        let mut alone = stage.get("/plan/workstation").await;
        let fields = alone.as_object_mut().unwrap();
        fields.retain(|name, _| links.contains(&name.as_str()));
        alone
    }

    pub(super) async fn a_page_that_is_not_there_may_be_null(stage: &Stage) -> Value {
        other_pages(stage).await
    }

    pub(super) async fn a_page_that_is_not_there_may_be_an_empty_text(stage: &Stage) -> Value {
        other_pages(stage).await
    }

    pub(super) async fn a_log_before_the_start_may_be_empty(stage: &Stage) -> Value {
        let job = stage.job("FIN_CLOSE_DAY").await;
        let path = format!("/plan/job/run/{}/joblog", text(&job, "/jobruns/0/id"));
        let response = stage.send(Method::GET, &path).await;
        let code = response.status().as_u16();
        json!([code, response.text().await.unwrap().is_empty()])
    }

    pub(super) async fn numbers_and_flags_of_parts_may_be_texts(stage: &Stage) -> Value {
        let job = stage.job("FIN_CLOSE_DAY").await;
        let streams = stage.list("/plan/jobstream", "name = 'FIN_EOD'").await;
        json!([
            job["dependenciesStats"]["numberOfDependencies"],
            streams[0]["jobStreamStats"]["numberOfJob"],
            job["priority"],
        ])
    }

    pub(super) async fn flags_may_come_under_their_older_name_alone(stage: &Stage) -> Value {
        let job = stage.job("FIN_GL_POST").await;
        let streams = stage.list("/plan/jobstream", "name = 'FIN_EOD'").await;
        let (_, done) = cancel_by_filter(stage, "name = 'FIN_GL_POST'", "1").await;
        let names = |object: &Value, part: &str| -> Vec<String> {
            let names = object.as_object().unwrap().keys();
            names.filter(|name| name.ends_with(part)).cloned().collect()
        };
        json!([
            names(&job["jobDefinition"], "ommand"),
            names(&streams[0]["jsDefinitionFlags"], "ervice"),
            names(&done["failedResourceResponses"][0], "rror"),
        ])
    }

    pub(super) async fn pages_may_repeat_and_miss_what_is_not_ordered(stage: &Stage) -> Value {
        let mut found = Vec::new();
        for order in ["", "&oql=ORDER%20BY%20key.name%20ASC"] {
            let mut ids = std::collections::BTreeSet::new();
            for offset in [0, 100, 200] {
                let path = format!("/plan/job?limit=100&offset={offset}{order}");
                let page = results(stage, &path).await;
                assert_eq!(page.len(), 100);
                ids.extend(page.iter().map(|job| text(job, "/id").to_owned()));
            }
            found.push(match ids.len() {
                300 => json!(300),
                _ => json!("fewer"),
            });
        }
        found.into()
    }

    async fn cancel_by_filter(stage: &Stage, filter: &str, most: &str) -> (u16, Value) {
        let query = [("oql", filter), ("max_object_affected", most)];
        let request = stage.request(Method::PUT, "/plan/job/action/cancel");
        let response = request.query(&query).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) async fn an_action_on_nothing_may_be_not_found(stage: &Stage) -> Value {
        let (code, _) = cancel_by_filter(stage, "name = 'NONE'", "10").await;
        code.into()
    }

    pub(super) async fn an_action_on_too_much_may_reach_the_first_ones(stage: &Stage) -> Value {
        let (code, body) = cancel_by_filter(stage, "jobStreamName = 'FIN_EOD'", "3").await;
        let lists = ["successfulResourceResponses", "failedResourceResponses"];
        let reached = lists.map(|name| body[name].as_array().map_or(0, Vec::len));
        json!([code, reached.iter().sum::<usize>()])
    }

    pub(super) async fn confirming_where_it_changes_nothing_may_be_refused(stage: &Stage) -> Value {
        let job = stage.job("FIN_CLOSE_DAY").await;
        let path = format!("/plan/job/{}/action/confirm-succ", text(&job, "/id"));
        let code = stage.put(&path).await.as_u16();
        stage.pass(5).await;
        let after = stage.job("FIN_CLOSE_DAY").await;
        json!([code, crate::support::status(&after)])
    }

    pub(super) async fn ids_may_survive_the_edge_of_the_day(stage: &Stage) -> Value {
        let before = stage.job("FIN_GL_POST").await;
        stage.control.switch_plan().await;
        stage.pass(600).await;
        let persistent = format!("persistentId = '{}'", text(&before, "/persistentId"));
        let carried = stage.list("/plan/job", &persistent).await;
        assert_eq!(carried.len(), 1);
        let same = |path: &str| text(&before, path) == text(&carried[0], path);
        json!({"plan": same("/planId"), "job": same("/id"), "run": same("/jobruns/0/id"),
               "stream": same("/jobStreamId")})
    }

    pub(super) async fn a_value_outside_an_enumeration_may_find_nothing(stage: &Stage) -> Value {
        let query = [("oql", "lastRunCompositeStatus.status = 'RESTING'")];
        let request = stage.request(Method::GET, "/plan/job").query(&query);
        let response = request.send().await.unwrap();
        let code = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        json!([code, body["results"].as_array().map(Vec::len)])
    }

    /// The archives may not be purged after 23:00 in Rome; on the next evening they are held until
    /// then.
    pub(super) async fn what_starts_too_late_may_stay_in_hold(stage: &Stage) -> Value {
        stage.pass(14 * 3600).await; // the edge of the day lies between
        let find = async || {
            let filter = "name = 'HK_PURGE_ARCHIVE' AND folder = '/INF/HK/'";
            let jobs = stage.list("/plan/job", filter).await;
            assert_eq!(jobs.len(), 1);
            jobs[0].clone()
        };
        let purge = find().await;
        let path = format!("/plan/job/{}/action/hold", text(&purge, "/id"));
        assert_eq!(stage.put(&path).await, reqwest::StatusCode::OK);
        stage.pass(8 * 3600).await;
        let late = find().await;
        json!([
            crate::support::status(&late),
            late["jobStatusFlags"]["untilGone"]
        ])
    }

    pub(super) async fn lists_may_come_without_their_count(stage: &Stage) -> Value {
        let page = stage.get("/plan/job?limit=1").await;
        json!([page.get("count"), page["results"].is_array()])
    }

    pub(super) async fn an_empty_list_may_come_without_results(stage: &Stage) -> Value {
        let none = stage.get("/plan/job?oql=name%20%3D%20%27NONE%27").await;
        let one = results(stage, "/plan/job?limit=1").await;
        json!([none.get("results"), one.len()])
    }
}
