//! A service of one's own: a model that is loaded once, however many ask for it at the same time.

use resync_sync::OnceInit;

async fn fail() -> Result<String, &'static str> {
    Err("the file is not there yet")
}

async fn load() -> Result<String, &'static str> {
    println!("loaded");
    Ok("the model".to_owned())
}

#[tokio::main]
async fn main() -> Result<(), &'static str> {
    let model: OnceInit<String, &'static str> = OnceInit::new();
    // A failure is told and not kept.
    println!("{:?}", model.get_or_try_init(fail).await);
    let (one, other) = tokio::try_join!(model.get_or_try_init(load), model.get_or_try_init(load))?;
    println!("{one}, {other}");
    Ok(())
}
