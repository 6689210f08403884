//! Definitions: what the plan was made of.
//!
//! Ids are those that plan objects name (`jobDefinitionRefId`, `jobStreamModelId`). A definition has
//! an address by its id; the lists take `oql` over name, folder, workstation, type and description,
//! or a `model_filter`.

mod detail;

use serde_json::{Value, json};

use detail::whole;

use super::{
    Answer, Request, Settings, bad, count, list, missing, quirk,
    view::{Fields, folder_id},
};
use crate::{
    engine::Engine,
    model::{JobModel, Need, StreamModel},
    names::{Id, id, parse_id},
    oql::{Scalar, fields},
    table::{ModelKey, ResourceKey, StationKey},
};

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Def {
    Job(ModelKey, usize),
    Stream(ModelKey),
    Station(StationKey),
    Resource(ResourceKey),
    Prompt(&'static str, &'static str),
    Calendar(&'static str),
    Table(&'static str),
    Variable(&'static str, &'static str, &'static str),
    Folder(String),
    Domain,
}

/// Names and values.
type Variables = &'static [(&'static str, &'static str)];

const CALENDARS: &[(&str, &str)] = &[
    ("WORKDAYS", "Days on which the bank works"),
    ("MONTH_START", "The first working day of each month"),
];

/// Variable tables and what they hold; the second has no value for FINRUNDATE, as one failure tells.
const TABLES: &[(&str, bool, Variables)] = &[
    (
        "MAIN_TABLE",
        true,
        &[("RUNDATE", "%D"), ("SITE", "ROM"), ("STAGE", "PROD")],
    ),
    (
        "FIN_DEFAULT",
        false,
        &[("LEDGER", "GL01"), ("CURRENCY", "EUR")],
    ),
];

/// Sorts of definitions as paths and kinds; those of the second list hold nothing here.
const KINDS: &[(&str, &str)] = &[
    ("jobdefinition", "JobDefinition"),
    ("jobstream", "JobStream"),
    ("workstation", "Workstation"),
    ("calendar", "Calendar"),
    ("resource", "Resource"),
    ("prompt", "Prompt"),
    ("variabletable", "VariableTable"),
    ("variable", "Variable"),
    ("folder", "Folder"),
    ("domain", "Domain"),
    ("runcyclegroup", "RunCycleGroup"),
    ("workstationclass", "WorkstationClass"),
    ("credentials", "Credentials"),
    ("workloadapplicationtemplate", "WorkloadApplicationTemplate"),
];

/// What queries and names need of a definition.
struct Head {
    id: Id,
    folder: String,
    name: String,
    workstation: Option<String>,
    description: Option<String>,
    kind: Option<String>,
}

/// Answers what lies below `model`.
pub(super) fn get(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, Answer> {
    match *rest {
        ["common", "autocomplete"] => autocomplete(engine, settings, request),
        ["common", "output-conditions"] | ["service", "tags"] => Ok(Answer::ok(&json!([]))),
        [sort] => {
            let kind = kind_of(sort)?;
            let rows = select(engine, settings, request, sort)?;
            let only_header = request
                .header("only-header")
                .is_some_and(|text| text == "true");
            list::page(engine, settings, request, &rows, |row| {
                whole(engine, kind, row, only_header)
            })
        }
        [sort, id] => {
            let kind = kind_of(sort)?;
            let found =
                find(engine, sort, id).filter(|def| request.sees(&head(engine, def).folder));
            let def = found.ok_or_else(|| missing(&format!("no {sort} {id}")))?;
            let mut body = whole(engine, kind, &def, false);
            quirk::apply(settings, engine.seed(), &mut body);
            Ok(Answer::ok(&body))
        }
        _ => Err(missing("there is no such path")),
    }
}

fn kind_of(sort: &str) -> Result<&'static str, Answer> {
    let found = KINDS.iter().find(|(name, _)| *name == sort);
    found
        .map(|(_, kind)| *kind)
        .ok_or_else(|| missing("there is no such path"))
}

/// The stream definition with this id.
pub(super) fn stream(engine: &Engine, request: &Request, id: &str) -> Option<ModelKey> {
    let found = find(engine, "jobstream", id)?;
    match found {
        Def::Stream(key) => Some(key).filter(|key| {
            let folder = &engine.catalogue.streams[*key].folder;
            request.sees(folder)
        }),
        _ => None,
    }
}

/// The stream definitions that the request's filters keep.
pub(super) fn select_streams(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Vec<ModelKey>, Answer> {
    let found = select(engine, settings, request, "jobstream")?;
    let key = |def| match def {
        Def::Stream(key) => Some(key),
        _ => None,
    };
    Ok(found.into_iter().filter_map(key).collect())
}

/// The job definitions that the request's filters keep.
pub(super) fn select_jobs(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Vec<(ModelKey, usize)>, Answer> {
    let found = select(engine, settings, request, "jobdefinition")?;
    let key = |def| match def {
        Def::Job(key, place) => Some((key, place)),
        _ => None,
    };
    Ok(found.into_iter().filter_map(key).collect())
}

/// Every definition of one sort, in the order of the catalogue.
fn rows(engine: &Engine, sort: &str) -> Vec<Def> {
    let catalogue = &engine.catalogue;
    match sort {
        "jobdefinition" => {
            let streams = catalogue.streams.iter();
            let jobs = streams.flat_map(|(key, stream)| {
                (0..stream.jobs.len()).map(move |place| Def::Job(key, place))
            });
            jobs.collect()
        }
        "jobstream" => catalogue.streams.keys().map(Def::Stream).collect(),
        "workstation" => catalogue.stations.keys().map(Def::Station).collect(),
        "resource" => catalogue.resources.keys().map(Def::Resource).collect(),
        "calendar" => CALENDARS
            .iter()
            .map(|(name, _)| Def::Calendar(name))
            .collect(),
        "variabletable" => TABLES.iter().map(|(name, ..)| Def::Table(name)).collect(),
        "variable" => {
            let all = TABLES.iter().flat_map(|(table, _, variables)| {
                variables
                    .iter()
                    .map(|(name, value)| Def::Variable(table, name, value))
            });
            all.collect()
        }
        "folder" => count::folders(engine)
            .into_iter()
            .map(Def::Folder)
            .collect(),
        "domain" => vec![Def::Domain],
        "prompt" => {
            let jobs = catalogue
                .streams
                .rows()
                .iter()
                .flat_map(|stream| &stream.jobs);
            let needs = jobs.flat_map(|job| &job.needs);
            let prompts = needs.filter_map(|need| match need {
                Need::Prompt(question) => Some(**question),
                _ => None,
            });
            let prompts: std::collections::BTreeSet<_> = prompts.collect();
            prompts
                .into_iter()
                .map(|(name, text)| Def::Prompt(name, text))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn find(engine: &Engine, sort: &str, id: &str) -> Option<Def> {
    let id = parse_id(id)?;
    match sort {
        "jobdefinition" => engine
            .definition(id)
            .map(|(key, place)| Def::Job(key, place)),
        _ => rows(engine, sort)
            .into_iter()
            .find(|def| head(engine, def).id == id),
    }
}

/// The rows that the request's filters keep, in its order.
fn select(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    sort: &str,
) -> Result<Vec<Def>, Answer> {
    let all = rows(engine, sort);
    let heads: Vec<Head> = all.iter().map(|def| head(engine, def)).collect();
    let value = |row: usize, field: &str| -> Option<String> {
        let head = heads.get(row)?;
        match field {
            "id" => Some(head.id.to_string()),
            "name" => Some(head.name.clone()),
            "folder" => Some(head.folder.clone()),
            "folderId" => Some(folder_id(&head.folder).to_string()),
            "key" => Some(key(head)),
            "workstation" => head.workstation.clone(),
            "description" => head.description.clone(),
            "type" | "taskType" => head.kind.clone(),
            _ => None,
        }
    };
    let source = list::Source {
        schema: &fields::MODEL,
        values: &|row, field| value(row, field).map(Scalar::Text).into_iter().collect(),
        by_id: &|id| {
            let id = parse_id(id)?;
            heads.iter().position(|head| head.id == id)
        },
        path: &|row| heads.get(row).map(key).unwrap_or_default(),
        narrow: &|_, _| None,
        folder: &|row| {
            heads
                .get(row)
                .map(|head| head.folder.clone())
                .unwrap_or_default()
        },
    };
    let kept = list::select(settings, request, &source, 0..all.len())?;
    Ok(kept
        .into_iter()
        .filter_map(|row| all.get(row).cloned())
        .collect())
}

/// `/FINDB01#/FIN/EOD/FIN_EOD`, or `/FIN/EOD/NAME` without a workstation.
fn key(head: &Head) -> String {
    match &head.workstation {
        Some(workstation) => format!("{workstation}#{}{}", head.folder, head.name),
        None => format!("{}{}", head.folder, head.name),
    }
}

fn head(engine: &Engine, def: &Def) -> Head {
    let stations = &engine.catalogue.stations;
    let plain = |sort: &str, name: &str, description: Option<&str>| Head {
        id: id(sort, name),
        folder: "/".to_owned(),
        name: name.to_owned(),
        workstation: None,
        description: description.map(str::to_owned),
        kind: None,
    };
    match def {
        Def::Job(..) => {
            let Some((stream, job)) = job_of(engine, def) else {
                return plain("definition", "", None);
            };
            Head {
                id: job.definition_id(&stream.folder),
                folder: stream.folder.clone(),
                name: job.name.to_string(),
                workstation: Some(stations[job.station].path().to_owned()),
                description: Some(job.description()),
                kind: Some("UNIX".to_owned()),
            }
        }
        Def::Stream(key) => {
            let stream = &engine.catalogue.streams[*key];
            let workstation = stations[stream.station].path().to_owned();
            let path = format!("{workstation}#{}{}", stream.folder, stream.name);
            Head {
                id: id("stream definition", &path),
                folder: stream.folder.clone(),
                name: stream.name.clone(),
                workstation: Some(workstation),
                description: None,
                kind: None,
            }
        }
        Def::Station(key) => Head {
            id: stations[*key].id(),
            kind: Some(stations[*key].kind.to_owned()),
            ..plain("workstation", &stations[*key].name, None)
        },
        Def::Resource(key) => {
            let resource = &engine.catalogue.resources[*key];
            Head {
                workstation: Some(stations[resource.station].path().to_owned()),
                ..plain("resource", &resource.name, None)
            }
        }
        Def::Prompt(name, text) => plain("prompt definition", name, Some(text)),
        Def::Calendar(name) => {
            let text = CALENDARS.iter().find(|(known, _)| known == name);
            plain("calendar", name, text.map(|(_, text)| *text))
        }
        Def::Table(name) => plain("variable table", name, None),
        Def::Variable(table, name, _) => Head {
            id: id("variable", format_args!("{table}.{name}")),
            ..plain("variable", name, None)
        },
        Def::Folder(folder) => {
            let name = folder
                .trim_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default();
            Head {
                id: folder_id(folder),
                folder: count::parent(folder).unwrap_or("/").to_owned(),
                name: if name.is_empty() { "/" } else { name }.to_owned(),
                ..plain("folder", folder, None)
            }
        }
        Def::Domain => plain("domain", "MASTERDM", Some("The master domain")),
    }
}

fn job_of<'a>(engine: &'a Engine, def: &Def) -> Option<(&'a StreamModel, &'a JobModel)> {
    let Def::Job(key, place) = def else {
        return None;
    };
    let stream = &engine.catalogue.streams[*key];
    stream
        .jobs
        .get(*place)
        .map(|job| (stream.as_ref(), job.as_ref()))
}

/// Names that begin with `value`, whatever the case, or are equal to it with `exact_match`.
fn autocomplete(engine: &Engine, settings: &Settings, request: &Request) -> Result<Answer, Answer> {
    let wanted = request.query("value").unwrap_or_default().to_uppercase();
    let wanted = wanted.trim_end_matches('@');
    let exact = request.query("exact_match") == Some("true");
    let kind = request.query("type");
    let sorts: Vec<_> = KINDS
        .iter()
        .filter(|(sort, name)| {
            kind.is_none_or(|kind| {
                kind.eq_ignore_ascii_case(sort) || kind.eq_ignore_ascii_case(name)
            })
        })
        .collect();
    if sorts.is_empty() {
        return Err(bad("type is none that has definitions"));
    }
    let mut found = Vec::new();
    for (sort, kind) in sorts {
        for def in rows(engine, sort) {
            let head = head(engine, &def);
            let name = head.name.to_uppercase();
            let fits = if exact {
                name == wanted
            } else {
                name.starts_with(wanted)
            };
            if fits && request.sees(&head.folder) {
                found.push((*kind, head));
            }
        }
    }
    let places: Vec<usize> = (0..found.len()).collect();
    list::page(engine, settings, request, &places, |place| {
        let Some((kind, head)) = found.get(*place) else {
            return Value::Null;
        };
        let mut fields = Fields::of(json!({
            "id": head.id, "key": key(head), "kind": kind, "permissions": ["DISPLAY", "LIST", "USE"],
        }));
        fields.some("type", head.kind.clone());
        fields.some("description", head.description.clone());
        fields.value()
    })
}
