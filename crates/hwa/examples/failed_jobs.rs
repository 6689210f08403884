//! A sibling service in a few lines: which jobs failed, and the end of the first one's log.
//!
//! `cargo run -p resync-hwa --example failed_jobs -- https://master:31116/twsd/api/v2 API_KEY`

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::BoxError;
use resync_tws::model::{EngineName, JobQuery, JobStatus, LineRange};
use resync_tws::ports::{LogGateway, PlanGateway};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let (url, key) = (arguments.next(), arguments.next());
    let (url, key) = url.zip(key).ok_or("usage: failed_jobs URL API_KEY")?;
    let name = EngineName::parse("PROD")?;
    let engine = HwaClient::new(HwaConfig::new(name, url, Credentials::ApiKey(key.into())))?;
    let status = vec![JobStatus::Abend, JobStatus::Fail];
    let failed = engine
        .jobs(&JobQuery {
            status,
            limit: 20,
            ..JobQuery::default()
        })
        .await?;
    for job in &failed.items {
        println!("{} {} {:?}", job.label(), job.state(), job.return_code());
    }
    if let Some(run) = failed.items.first().and_then(|job| job.latest_run()) {
        let log = engine.job_log(&run.id, LineRange::clamped(1, 40)).await?;
        println!(
            "{}",
            log.map_or_else(String::new, |log| log.lines.join("\n"))
        );
    }
    println!("{:?}", engine.health());
    Ok(())
}
