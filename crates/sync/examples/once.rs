//! A service of one's own: a model that is loaded once, however many ask for it at the same time.

use std::sync::atomic::{AtomicU32, Ordering};

use resync_sync::OnceInit;

static LOADS: AtomicU32 = AtomicU32::new(0);

async fn load() -> Result<String, &'static str> {
    // The first attempt fails, which is not kept.
    match LOADS.fetch_add(1, Ordering::Relaxed) {
        0 => Err("the file is not there yet"),
        _ => Ok("the model".to_owned()),
    }
}

#[tokio::main]
async fn main() -> Result<(), &'static str> {
    let model: OnceInit<String, &'static str> = OnceInit::new();
    println!("first: {:?}", model.get_or_try_init(load).await);
    let (one, other) = tokio::try_join!(model.get_or_try_init(load), model.get_or_try_init(load))?;
    println!("then: {one}, {other}, after {LOADS:?} loads");
    Ok(())
}
