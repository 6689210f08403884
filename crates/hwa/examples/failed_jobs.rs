//! A sibling service: which jobs failed. `cargo run -p resync-hwa --example failed_jobs -- URL API_KEY`

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::BoxError;
use resync_tws::model::{EngineName, JobQuery, JobStatus};
use resync_tws::ports::PlanGateway;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let (url, key) = (arguments.next(), arguments.next());
    let (url, key) = url.zip(key).ok_or("usage: failed_jobs URL API_KEY")?;
    let credentials = Credentials::ApiKey(key.into());
    let engine = HwaClient::new(HwaConfig::new(EngineName::parse("PROD")?, url, credentials))?;
    let failed = JobQuery {
        status: vec![JobStatus::Abend, JobStatus::Fail],
        limit: 20,
        ..JobQuery::default()
    };
    for job in engine.jobs(&failed).await?.items {
        println!("{} {} {:?}", job.label(), job.state(), job.return_code());
    }
    println!("{:?}", engine.health());
    Ok(())
}
