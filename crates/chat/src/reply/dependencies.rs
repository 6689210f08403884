//! What a job waits for, and what comes behind it.
//!
//! Invariant: what is a step away is named with its state, what is further away is counted, and a
//! graph that was cut says so.

use resync_tws::{GraphDirection, GraphNode, GraphNodeKind, GraphView};

use super::desk::Ground;
use super::draft::Fact;
use super::{Desk, Draft, SHOWN, job, known_job};
use crate::context::KnownJob;
use crate::text;

/// How many steps are walked.
const DEPTH: u8 = 5;

pub(super) async fn answer(
    desk: &Desk<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let told = match desk.job(&target.id).await {
        Ok(told) => told,
        Err(error) => {
            job::not_read(desk, target, error, draft);
            return None;
        }
    };
    let (view, by) = (&*told.value, &told.ground);
    job::standing(&view.job, &view.state, by, draft);
    if let Some(why) = &view.why_waiting {
        let fact = Fact::new("why it waits", "por que espera", "job");
        let why = draft.sentence(by, &fact, why);
        draft.say(&why);
    }
    for direction in [GraphDirection::Predecessors, GraphDirection::Successors] {
        draft.new_line();
        match desk.graph(&target.id, direction, DEPTH).await {
            Ok(told) if direction == GraphDirection::Predecessors => {
                before(&told.value, &told.ground, draft);
            }
            Ok(told) => behind(&told.value, &told.ground, draft),
            Err(_) => {
                draft.incomplete = true;
                draft.tell(
                    "What is around it in the plan could not be read.",
                    "Não foi possível ler o que está em volta dele no plano.",
                );
                break;
            }
        }
    }
    draft.say_age(by);
    Some(known_job(&view.job))
}

/// A node next to the job, and whether the wait is met.
struct Next<'a> {
    node: &'a GraphNode,
    met: Option<bool>,
}

fn next(graph: &GraphView, back: bool) -> Vec<Next<'_>> {
    let edges = graph.edges.iter().filter_map(|edge| {
        let (here, other) = if back {
            (&edge.to, &edge.from)
        } else {
            (&edge.from, &edge.to)
        };
        let node = graph.nodes.iter().find(|node| node.id == *other)?;
        (*here == graph.root).then_some(Next {
            node,
            met: edge.satisfied,
        })
    });
    let mut found: Vec<Next<'_>> = edges.collect();
    // What is not met is what someone looks for.
    found.sort_by_key(|next| next.met == Some(true));
    found
}

fn before(graph: &GraphView, by: &Ground, draft: &mut Draft) {
    let found = next(graph, true);
    if found.is_empty() {
        draft.tell("It waits for nothing else.", "Não depende de nada mais.");
        return;
    }
    let number =
        |draft: &mut Draft, en, pt, count| draft.number(by, &Fact::new(en, pt, "graph"), count);
    let open = found.iter().filter(|next| next.met != Some(true)).count();
    let all = number(draft, "directly", "diretamente", found.len());
    let open = number(draft, "not met", "não atendidas", open);
    draft.tell(
        &format!("Before it, directly: {all}; not met: {open}."),
        &format!("Antes dele, diretamente: {all}; não atendidas: {open}."),
    );
    for next in found.iter().take(SHOWN) {
        let met = match next.met {
            Some(true) => draft.language.pick("met", "atendida"),
            Some(false) => draft.language.pick("not met", "não atendida"),
            None => draft
                .language
                .pick("met or not is not told", "sem informação se atendida"),
        };
        let line = format!("{}, {met}", described(next.node, draft));
        draft.line(&line);
    }
    rest(graph, found.len(), by, draft);
}

fn behind(graph: &GraphView, by: &Ground, draft: &mut Draft) {
    let found = next(graph, false);
    if found.is_empty() {
        draft.tell("Nothing waits for it.", "Nada espera por ele.");
        return;
    }
    let count = draft.number(
        by,
        &Fact::new("directly", "diretamente", "graph"),
        found.len(),
    );
    draft.tell(
        &format!("After it, directly: {count}."),
        &format!("Depois dele, diretamente: {count}."),
    );
    for next in found.iter().take(SHOWN) {
        let line = described(next.node, draft);
        draft.line(&line);
    }
    rest(graph, found.len(), by, draft);
}

/// What is further away, and whether the graph was cut.
fn rest(graph: &GraphView, direct: usize, by: &Ground, draft: &mut Draft) {
    let further = graph.nodes.len().saturating_sub(direct + 1);
    if further > 0 {
        let steps = draft.number(
            by,
            &Fact::new("steps walked", "passos percorridos", "graph"),
            graph.depth.into(),
        );
        let further = draft.number(
            by,
            &Fact::new("further away", "mais longe", "graph"),
            further,
        );
        draft.tell(
            &format!("Further away, within {steps} steps: {further}."),
            &format!("Mais longe, em até {steps} passos: {further}."),
        );
    }
    if graph.truncated {
        draft.tell(
            "There is more: the graph was cut at its limit.",
            "Há mais: o grafo foi cortado no limite.",
        );
    }
}

fn described(node: &GraphNode, draft: &Draft) -> String {
    let label = text::name(&node.label);
    let language = draft.language;
    match &node.kind {
        GraphNodeKind::Job { state, .. } => format!("{label} ({})", text::name(state.as_str())),
        GraphNodeKind::Stream { .. } => format!("{label} (stream)"),
        GraphNodeKind::Other { what } => {
            let what = match what.as_str() {
                "file" => language.pick("file", "arquivo"),
                "resource" => language.pick("resource", "recurso"),
                "job" => language.pick("job, not in the plan", "job fora do plano"),
                "stream" => language.pick("stream, not in the plan", "stream fora do plano"),
                other => other,
            };
            format!("{label} ({})", text::name(what))
        }
    }
}
