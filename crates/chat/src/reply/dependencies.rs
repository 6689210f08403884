//! What a job waits for, as the engine tells it.

use resync_tws::model::{Dependency, DependencyKind};

use super::draft::Fact;
use super::{Desk, Draft, Question, SHOWN, job, known_job};
use crate::context::KnownJob;
use crate::text;

pub(super) async fn answer(
    desk: &Desk<'_>,
    question: &Question<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let seen = match desk.job(&target.id).await {
        Ok(seen) => seen,
        Err(error) => {
            job::not_read(desk, target, error, draft);
            return None;
        }
    };
    let (view, meta) = (&*seen.value, &seen.meta);
    job::standing(&view.job, &view.state, meta, draft);
    let all = &view.job.dependencies;
    let fact = Fact {
        unit: Some("dependencies"),
        ..Fact::new("dependencies", "dependências", "job")
    };
    let count = draft.number(meta, &fact, all.len());
    draft.tell(
        &format!("It has {count} dependencies."),
        &format!("Ele tem {count} dependências."),
    );
    for dependency in all.iter().take(SHOWN) {
        let line = described(dependency, draft);
        let line = draft.words(meta, &Fact::new("dependency", "dependência", "job"), &line);
        draft.line(&line);
    }
    job::more(all.len(), meta, draft);
    if let Ok(snapshot) = question.snapshot {
        let after = snapshot.value.victims(&target.id);
        let fact = Fact::jobs("jobs that wait for it", "jobs que esperam por ele");
        let count = draft.number(&snapshot.meta, &fact, after.len());
        draft.new_line();
        draft.tell(
            &format!("Jobs that wait for it: {count}."),
            &format!("Jobs que esperam por ele: {count}."),
        );
        for job in after.iter().take(SHOWN) {
            draft.line(&text::name(&job.label()));
        }
        job::more(after.len(), &snapshot.meta, draft);
    }
    draft.say_age(meta);
    Some(known_job(&view.job))
}

fn described(dependency: &Dependency, draft: &Draft) -> String {
    let joined = |parts: [&Option<String>; 3]| {
        let [workstation, stream, name] = parts;
        let name = name.as_deref().unwrap_or("?");
        let stream = stream.as_deref().map(|stream| format!("{stream}."));
        let workstation = workstation.as_deref().map(|place| format!("{place}#"));
        format!(
            "{}{}{name}",
            workstation.unwrap_or_default(),
            stream.unwrap_or_default()
        )
    };
    let language = draft.language;
    let what = match &dependency.kind {
        DependencyKind::Job {
            name,
            stream,
            workstation,
            ..
        } => format!("job {}", joined([workstation, stream, name])),
        DependencyKind::Stream {
            name, workstation, ..
        } => format!("stream {}", joined([workstation, &None, name])),
        DependencyKind::File { name, .. } => {
            let name = name.as_deref().unwrap_or("?");
            format!("{} {name}", language.pick("file", "arquivo"))
        }
        DependencyKind::Resource { name, .. } => {
            let name = name.as_deref().unwrap_or("?");
            format!("{} {name}", language.pick("resource", "recurso"))
        }
        DependencyKind::Prompt { name, .. } => {
            format!("prompt {}", name.as_deref().unwrap_or("?"))
        }
        DependencyKind::Other { .. } => language
            .pick("another dependency", "outra dependência")
            .to_owned(),
    };
    let met = match dependency.satisfied {
        Some(true) => language.pick("met", "satisfeita"),
        Some(false) => language.pick("not met", "não satisfeita"),
        None => language.pick("met or not is not told", "satisfeita ou não, não se sabe"),
    };
    format!("{} ({met})", text::name(&what))
}
