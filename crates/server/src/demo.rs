//! `resync demo`: everything at once, on a simulated engine, without configuration.
//!
//! 1. The engine's data are invented, and every page and answer says so.
//! 2. Nothing is left behind: the database lives in a folder that goes with the process.
//! 3. No credential is built in: each start draws its own.

mod check;
mod runbooks;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use resync_auth::{Actor, NewUser, Origin, Role, UserService, Username};
use resync_kernel::{BoxError, ExposeSecret, SecretString, error_chain, random_token};
use resync_rag::{KnowledgeService, NewUpload};
use resync_simulator::{Simulator, Speed};

use crate::cli::{fail, print, reader};
use crate::config::{Config, LogConfig, LogFormat};
use crate::lifecycle;
use crate::logging;
use crate::wiring::{Built, DemoEngine, StartError, build};

/// The name of the simulated engine.
pub const ENGINE: &str = "demo";

/// How the demo is to run.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Address and port; 8080 on loopback, or any free port, when absent.
    pub listen: Option<SocketAddr>,
    /// Jobs in the plan.
    pub jobs: u32,
    /// Simulated seconds for each real one.
    pub speed: u32,
    /// What chance in the simulation starts from.
    pub seed: u64,
    /// Ask the questions, do one action, and end.
    pub headless_check: bool,
}

/// A question of the demo, and what its answer must show.
pub(crate) struct Question {
    pub(crate) text: &'static str,
    pub(crate) intent: &'static str,
    pub(crate) shows: Shows,
}

/// What an answer must show besides its intent.
pub(crate) enum Shows {
    /// At least one figure with its age.
    Figures,
    /// A job's name in the answer.
    Name(&'static str),
    /// A log line with this text.
    LogLine(&'static str),
    /// A section of this document.
    Document(&'static str),
    /// A prepared action on this job.
    Proposal(&'static str),
}

/// The five questions that the demo suggests, and that the check asks.
pub(crate) const QUESTIONS: [Question; 5] = [
    Question {
        text: "How is the plan doing?",
        intent: "plan_summary",
        shows: Shows::Figures,
    },
    Question {
        text: "Why did FIN_GL_POST fail?",
        intent: "job_diagnose",
        shows: Shows::LogLine("ORA-00060"),
    },
    Question {
        text: "Quais jobs falharam?",
        intent: "job_list",
        shows: Shows::Name("FIN_GL_POST"),
    },
    Question {
        text: "O que fazer quando a conta do lote da folha está bloqueada?",
        intent: "knowledge",
        shows: Shows::Document("pay-monthly-conta-bloqueada.md"),
    },
    Question {
        text: "Rerun FIN_GL_POST",
        intent: "action_rerun",
        shows: Shows::Proposal("FIN_GL_POST"),
    },
];

/// A user that the demo made.
pub(crate) struct DemoUser {
    pub(crate) name: &'static str,
    pub(crate) password: SecretString,
}

/// Runs the demo until a signal, or until the check is through.
pub async fn run(options: DemoOptions) -> ExitCode {
    match start(&options).await {
        Ok(code) => code,
        Err(error) => fail(
            1,
            &format!("the demo did not start: {}", error_chain(error.as_ref())),
        ),
    }
}

async fn start(options: &DemoOptions) -> Result<ExitCode, BoxError> {
    logging::start(&LogConfig {
        level: "warn".to_owned(),
        format: Some(LogFormat::Text),
    })?;
    let folder = tempfile::tempdir()?;
    let engine_password = SecretString::from(random_token(24)?);
    let simulator = Simulator::builder()
        .seed(options.seed)
        .jobs(options.jobs as usize)
        .speed(Speed::Times(options.speed))
        .user(
            "resync",
            engine_password.expose_secret(),
            resync_simulator::Role::Operator,
        )
        .start()
        .await?;
    let engine = DemoEngine {
        name: ENGINE.to_owned(),
        url: simulator.base_url(),
        username: "resync".to_owned(),
        password: engine_password,
    };

    let mut config = Config::default();
    config.server.data_dir = folder.path().to_path_buf();
    config.rag.reader = reader();
    config.server.shutdown_seconds = 5;
    config.auth.secret_key = Some(random_token(48)?.into());
    let (config, listener) = listen(config, options).await?;
    let built = build(&config, Some(engine.clone())).await?;
    let users = [
        user(&built.users, "admin", Role::Admin).await?,
        user(&built.users, "operator", Role::Operator).await?,
    ];
    load_runbooks(&built.app.knowledge).await?;

    let address = format!("http://{}", config.server.listen);
    let code = if options.headless_check {
        let shutdown = built.shutdown.clone();
        let serving = lifecycle::run(built, listener, &config);
        let checking = async {
            let result = check::check(&address, &users[1], &engine).await;
            shutdown.cancel();
            result
        };
        let ((), result) = tokio::join!(serving, checking);
        result
    } else {
        let signals = lifecycle::Signals::listen()?;
        // The demo runs on where nobody reads what it says.
        let _code = print(&announcement(&address, &users, options));
        until_signal(signals, built, listener, &config).await;
        ExitCode::SUCCESS
    };
    simulator.stop().await;
    Ok(code)
}

/// Port 8080 is the friendly one; where it is taken, any other will do, unless one was asked for.
async fn listen(
    mut config: Config,
    options: &DemoOptions,
) -> Result<(Config, tokio::net::TcpListener), StartError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    if let Some(address) = options.listen {
        config.server.listen = address;
        return lifecycle::bind(config).await;
    }
    if !options.headless_check
        && let Ok(bound) = lifecycle::bind(config.clone()).await
    {
        return Ok(bound);
    }
    config.server.listen = any;
    lifecycle::bind(config).await
}

async fn user(users: &UserService, name: &'static str, role: Role) -> Result<DemoUser, BoxError> {
    let password = SecretString::from(random_token(12)?);
    let new = NewUser {
        username: Username::parse(name)?,
        password: password.clone(),
        role,
    };
    let by = Origin::of(Actor::Configuration);
    users.create(new, by).await?;
    Ok(DemoUser { name, password })
}

async fn load_runbooks(knowledge: &KnowledgeService) -> Result<(), BoxError> {
    for (name, text) in runbooks::RUNBOOKS {
        let document = knowledge
            .upload(NewUpload {
                file_name: (*name).to_owned(),
                bytes: text.as_bytes().to_vec(),
                collection: Some("runbooks".to_owned()),
                tags: vec!["demo".to_owned()],
                path: Some((*name).to_owned()),
                language: None,
                by: resync_kernel::UserId(uuid::Uuid::nil()),
            })
            .await?;
        knowledge.settled(document.id).await;
    }
    Ok(())
}

async fn until_signal(
    mut signals: lifecycle::Signals,
    built: Built,
    listener: tokio::net::TcpListener,
    config: &Config,
) {
    let shutdown = built.shutdown.clone();
    let serving = lifecycle::run(built, listener, config);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        () = serving.as_mut() => return,
        () = signals.next() => shutdown.cancel(),
    }
    // A second signal ends it at once; nothing of a demo is worth waiting for.
    tokio::select! {
        () = serving => {}
        () = signals.next() => {}
    }
}

fn announcement(address: &str, users: &[DemoUser], options: &DemoOptions) -> String {
    let users: Vec<String> = users
        .iter()
        .map(|user| {
            let password = user.password.expose_secret();
            format!("  user      {:<10} password  {password}", user.name)
        })
        .collect();
    let questions = QUESTIONS.map(|question| format!("  {}", question.text));
    let (users, questions) = (users.join("\n"), questions.join("\n"));
    format!(
        "Resync demo: {} invented jobs on a simulated engine, {} times as fast as life.\n\n  \
         ready at  {address}\n\n{users}\n\nSign in as operator and ask:\n\n{questions}\n\n\
         Ctrl-C ends it; nothing is kept.",
        options.jobs, options.speed
    )
}
