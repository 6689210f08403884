//! How a job ran before.

use super::Draft;
use crate::context::KnownJob;
use crate::text;

/// Says what was looked at: nothing, since earlier runs are told on the job's page.
pub(super) fn answer(target: &KnownJob, draft: &mut Draft) -> Option<KnownJob> {
    let label = text::name(&target.label);
    draft.tell(
        &format!("I looked at no earlier runs of {label}; its page shows them."),
        &format!("Não olhei execuções anteriores de {label}; a página dele as mostra."),
    );
    None
}
