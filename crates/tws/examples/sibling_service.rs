//! A service of one's own over the plan: which jobs hold up the most others.

use std::sync::Arc;

use resync_kernel::SystemClock;
use resync_memory::tws::ScriptedEngine;
use resync_tws::model::{EngineName, JobStatus};
use resync_tws::{CacheLimits, CachePolicy, Engine, Engines, PlanParts, PlanService};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let failed = ScriptedEngine::plain_job("fin_gl_post", JobStatus::Abend);
    let scripted = Arc::new(ScriptedEngine::with_jobs(vec![failed]));
    let plan = PlanService::new(PlanParts {
        engines: Engines::new(vec![Engine::of(EngineName::parse("prod")?, scripted)])?,
        clock: Arc::new(SystemClock::new()),
        tracker: tokio_util::task::TaskTracker::new(),
        policy: CachePolicy::default(),
        limits: CacheLimits::default(),
    });
    let summary = plan.summary(None).await?.value;
    for root in summary.failed.iter().filter(|failed| failed.root) {
        println!("{} holds up {} jobs", root.job.label(), root.victims);
    }
    Ok(())
}
