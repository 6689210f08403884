//! Workstations and resources as JSON.

use serde_json::{Value, json};

use super::{
    Role,
    view::{Actions, Fields, engine_id, folder_id},
};
use crate::{
    engine::Engine,
    model::{Answer, Waiter},
    names::{Id, ZONE, id, iso},
    table::{PromptKey, ResourceKey, StationKey},
};

pub(super) fn active_states(engine: &Engine, key: StationKey) -> Vec<&'static str> {
    let station = &engine.catalogue.stations[key];
    let mut states = Vec::new();
    if station.is_master() {
        states.extend(["MASTER", "MANAGER", "FULLY_LINKED", "EVT_PROC_RUNNING"]);
    }
    if station.linked {
        states.push("LINKED");
    }
    if station.running {
        states.push("JOBMAN_UP");
    }
    if station.linked && station.kind == "FTA" {
        states.extend(["WRITER_UP", "IS_INITED"]);
    }
    states
}

pub(super) fn station(engine: &Engine, key: StationKey, role: Role) -> Value {
    let station = &engine.catalogue.stations[key];
    let path = station.path();
    let mut fields = Fields::of(json!({
        "engineId": engine_id(),
        "id": station.id(),
        "persistentId": station.id(),
        "planId": engine.plan.id,
        "folderId": folder_id("/"),
        "folder": "/",
        "name": station.name,
        "key": path,
        "runNumber": engine.plan.run_number,
        "activeStates": active_states(engine, key),
        "activeFlags": ["AUTO_LINK"],
        "type": station.kind,
        "os": station.os,
        "timeZone": ZONE.name(),
        "nodeName": format!("{}.bank.example", station.name.to_lowercase()),
        "tcpPort": if station.kind == "AGENT" { 31114 } else { 31111 },
        "domainName": "MASTERDM",
        "limit": station.limit,
        "fence": station.fence,
        "version": "10.1.0.01",
        "timeStarted": iso(engine.plan.start),
        "securityLevel": "HTTPS",
        "ignore": false,
        "archived": false,
    }));
    if station.kind == "AGENT" {
        fields.put(
            "agentId",
            id("agent", &station.name)
                .simple()
                .to_string()
                .to_uppercase(),
        );
        fields.put("hostWorkstation", "/MDM_DWB");
    }
    let link = if station.linked { "unlink" } else { "link" };
    let keys = [link, "start", "stop", "update-limit", "update-fence"];
    fields.put("actions", Actions::offered(role, keys));
    fields.value()
}

pub(super) fn resource_id(engine: &Engine, key: ResourceKey) -> Id {
    id("resource", &engine.catalogue.resources[key].name)
}

pub(super) fn resource(engine: &Engine, key: ResourceKey, role: Role) -> Value {
    let resource = &engine.catalogue.resources[key];
    let station = &engine.catalogue.stations[resource.station];
    let holders = resource.holders.iter().map(|(job, quantity)| {
        let job = &engine.plan.jobs[*job];
        let stream = &engine.plan.streams[job.stream];
        json!({
            "jobStreamId": stream.id,
            "jobStream": *stream.path,
            "jobId": job.id,
            "job": job.model.name,
            "jobKey": job.path(),
            "quantity": quantity,
            "shared": false,
        })
    });
    json!({
        "engineId": engine_id(),
        "id": resource_id(engine, key),
        "persistentId": resource_id(engine, key),
        "folderId": folder_id("/"),
        "folder": "/",
        "name": resource.name,
        "key": format!("{}#/{}", station.path(), resource.name),
        "workstationId": station.id(),
        "workstation": station.path(),
        "quantity": resource.quantity,
        "quantityInUse": resource.used,
        "quantityAvailable": resource.available(),
        "holders": holders.collect::<Vec<_>>(),
        "status": if resource.available() > 0 { "AVAILABLE" } else { "NOT_AVAILABLE" },
        "archived": false,
        "actions": Actions::offered(role, ["update-quantity"]),
    })
}

/// A prompt, as 10.2.8 lists them.
pub(super) fn prompt(engine: &Engine, key: PromptKey, role: Role) -> Value {
    let prompt = &engine.plan.prompts[key];
    let stream = &engine.plan.streams[engine.stream_of(prompt.owner)];
    let station = &engine.catalogue.stations[stream.model.station];
    let reply = (prompt.state == Answer::Asked).then_some("reply");
    let mut fields = Fields::of(json!({
        "engineId": engine_id(),
        "id": prompt.id,
        "planId": engine.plan.id,
        "name": prompt.name,
        "folder": "/",
        "folderId": folder_id("/"),
        "key": format!("/{}", prompt.name),
        "text": prompt.text,
        "status": prompt.state.text(),
        "type": prompt.kind.text(),
        "number": prompt.number,
        "workstation": station.path(),
        "workstationId": station.id(),
        "jobStreamId": stream.id,
        "jobStreamKey": *stream.path,
        "archived": false,
        "actions": Actions::offered(role, reply),
    }));
    if let Waiter::Job(job) = prompt.owner {
        let job = &engine.plan.jobs[job];
        fields.put("jobId", job.id.to_string());
        fields.put("jobKey", job.path().to_string());
    }
    fields.some("timeAsked", prompt.asked.map(iso));
    fields.some("timeRespond", prompt.replied.map(iso));
    fields.value()
}
