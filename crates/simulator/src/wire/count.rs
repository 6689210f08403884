//! How many there are, by what they have in common.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Answer, Request, Settings, bad, list, places, read,
    status::{common_status, stream_common},
    view::folder_id,
};
use crate::{
    engine::Engine,
    oql::{Scalar, fields},
};

/// Jobs of the plan, in groups if asked for.
pub(super) fn jobs(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Value, Answer> {
    required(request, "plan_filter")?;
    let rows = read::select_jobs(engine, settings, request)?;
    grouped(request, &rows, |key, part| {
        let job = &engine.plan.jobs[key];
        match part {
            "workstation" => engine.catalogue.stations[job.model.station]
                .path()
                .to_owned(),
            "folder" => engine.plan.streams[job.stream].model.folder.clone(),
            _ => common_status(job.status(), job.priority == 0, job.canceled).to_owned(),
        }
    })
}

/// Job streams of the plan, in groups if asked for.
pub(super) fn streams(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Value, Answer> {
    required(request, "plan_filter")?;
    let rows = read::select_streams(engine, settings, request)?;
    grouped(request, &rows, |key, part| {
        let stream = &engine.plan.streams[key];
        match part {
            "workstation" => engine.catalogue.stations[stream.model.station]
                .path()
                .to_owned(),
            "folder" => stream.model.folder.clone(),
            _ => stream_common(stream).to_owned(),
        }
    })
}

fn required<'a>(request: &'a Request, name: &str) -> Result<&'a str, Answer> {
    request
        .query(name)
        .ok_or_else(|| bad(&format!("{name} is required")))
}

fn grouped<K: Copy>(
    request: &Request,
    rows: &[K],
    part: impl Fn(K, &str) -> String,
) -> Result<Value, Answer> {
    let groupings: Vec<&str> = request
        .query("grouping_filters")
        .map(|text| text.split(',').map(str::trim).collect())
        .unwrap_or_default();
    let known = |name: &&&str| !matches!(**name, "workstation" | "status" | "folder");
    if let Some(other) = groupings.iter().find(known) {
        return Err(bad(&format!("{other} is no grouping")));
    }
    let mut groups = BTreeMap::<String, u64>::new();
    if !groupings.is_empty() {
        for key in rows {
            let names = groupings.iter().map(|name| part(*key, name));
            let group = names.collect::<Vec<_>>().join(",");
            *groups.entry(group).or_default() += 1;
        }
    }
    Ok(json!({"count": rows.len(), "groupedCount": groups}))
}

/// Every folder that holds something, and those above them, in order.
pub(super) fn folders(engine: &Engine) -> Vec<String> {
    let mut folders = BTreeSet::from(["/".to_owned()]);
    for model in engine.catalogue.streams.rows() {
        let mut end = model.folder.len();
        while let Some(at) = model.folder.get(..end).and_then(|part| part.rfind('/')) {
            folders.extend(model.folder.get(..=at).map(str::to_owned));
            end = at;
        }
    }
    folders.into_iter().collect()
}

/// The folder above; the root has none.
pub(super) fn parent(folder: &str) -> Option<&str> {
    let inner = folder.strip_suffix('/').filter(|inner| !inner.is_empty())?;
    inner.rfind('/').and_then(|at| inner.get(..=at))
}

/// Objects of one sort in each folder that the query finds; what lies below is not counted.
pub(super) fn folder_objects(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Value, Answer> {
    let sort = required(request, "object_type")?;
    required(request, "oql")?;
    let folders = folders(engine);
    let name = |row: usize| folders.get(row).map_or("/", String::as_str);
    let source = list::Source {
        schema: &fields::FOLDER,
        values: &|row, field| {
            let folder = name(row);
            let text = match field {
                "folder" => Some(folder.to_owned()),
                "folderId" => Some(folder_id(folder).to_string()),
                "parent" => parent(folder).map(str::to_owned),
                "parentId" => parent(folder).map(|parent| folder_id(parent).to_string()),
                _ => None,
            };
            text.map(Scalar::Text).into_iter().collect()
        },
        by_id: &|_| None,
        path: &|row| name(row).to_owned(),
        narrow: &|_, _| None,
        folder: &|row| name(row).to_owned(),
    };
    let rows = list::select(settings, request, &source, 0..folders.len())?;
    let mut counts: BTreeMap<&str, (u64, BTreeMap<&str, u64>)> = BTreeMap::new();
    let mut add = |folder, state: Vec<&'static str>| {
        let count = counts.entry(folder).or_default();
        count.0 += 1;
        for state in state {
            *count.1.entry(state).or_default() += 1;
        }
    };
    let states = match sort {
        "JOB_IN_PLAN" => {
            for job in engine.plan.jobs.rows() {
                let folder = &engine.plan.streams[job.stream].model.folder;
                let status = common_status(job.status(), job.priority == 0, job.canceled);
                add(folder, vec![status]);
            }
            "commonStatus"
        }
        "JOBSTREAM_IN_PLAN" => {
            for stream in engine.plan.streams.rows() {
                add(&stream.model.folder, vec![stream_common(stream)]);
            }
            "commonStatus"
        }
        "WORKSTATION_IN_PLAN" => {
            for key in engine.catalogue.stations.keys() {
                add("/", places::active_states(engine, key));
            }
            "activeStates"
        }
        "RESOURCE_IN_PLAN" => {
            (0..engine.catalogue.resources.len()).for_each(|_| add("/", Vec::new()));
            "commonStatus"
        }
        "PROMPT_IN_PLAN" => {
            (0..engine.plan.prompts.len()).for_each(|_| add("/", Vec::new()));
            "commonStatus"
        }
        other => return Err(bad(&format!("{other} is no object_type"))),
    };
    let row = |row: usize| {
        let folder = name(row);
        let (total, by_state) = counts.get(folder).cloned().unwrap_or_default();
        json!({"folder": folder, "folderId": folder_id(folder), "totalCount": total,
               states: by_state})
    };
    Ok(rows.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_no_parent() {
        assert_eq!(parent("/FIN/EOD/"), Some("/FIN/"));
        assert_eq!(parent("/FIN/"), Some("/"));
        assert_eq!(parent("/"), None);
    }
}
