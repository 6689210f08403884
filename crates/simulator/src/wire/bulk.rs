//! The same action on all that a filter finds, up to `max_object_affected`.
//!
//! Each id appears once, under what went well or under what did not. Nothing is done when more match
//! than may be touched, unless a quirk takes the first ones.

use serde_json::json;

use super::{Answer, Quirk, Request, Settings, bad, missing, write::url};
use crate::{
    engine::{Command, Engine},
    names::Id,
};

/// Acts on each of `rows`; `command` makes the command of one and tells its id.
pub(super) fn act<K: Copy>(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
    kind: &str,
    rows: &[K],
    command: impl Fn(&Engine, K) -> Result<(Command, Id), Answer>,
) -> Result<Answer, Answer> {
    let most = request.number("max_object_affected")?.unwrap_or(1);
    let most = usize::try_from(most).unwrap_or(0);
    if rows.is_empty() && settings.has(Quirk::NomatchNotFound) {
        return Err(missing("the filter matches nothing"));
    }
    if rows.len() > most && !settings.has(Quirk::FirstN) {
        return Err(bad(&format!(
            "the filter matches {} objects, more than max_object_affected {most}",
            rows.len()
        )));
    }
    // A body that is wrong for one is wrong for all, and nothing is done.
    let touched = rows.iter().take(most);
    let commands = touched.map(|row| command(engine, *row));
    let commands = commands.collect::<Result<Vec<_>, _>>()?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (command, id) in commands {
        let url = url(settings, kind, id);
        match engine.accept(command, request.by()) {
            Ok(()) => done.push(json!({"id": id, "url": url, "isError": false, "error": false})),
            Err(refusal) => failed.push(json!({
                "id": id, "url": url, "message": format!("AWSJCO901E {}", refusal.0),
                "isError": true, "error": true,
            })),
        }
    }
    let mut body = json!({
        "successfulResourceResponses": done,
        "failedResourceResponses": failed,
    });
    super::quirk::apply(settings, engine.seed(), &mut body);
    Ok(Answer::ok(&body))
}
