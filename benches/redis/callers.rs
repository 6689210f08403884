//! Who asks the same question of the same script, and how.

use async_trait::async_trait;
use deadpool_redis::{Config, Pool, PoolConfig, Runtime};
use redis::aio::ConnectionManager;
use redis::{Client, Script};
use resync_auth::{Attempt, LockoutLimits, LockoutStore};
use resync_kernel::BoxError;
use resync_redis::RedisLockout;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// What our lockout runs.
const TEXT: &str = include_str!("../../crates/redis/src/lua/attempt.lua");

/// Asks whether the account is locked, and fails on any other answer than no.
#[async_trait]
pub(crate) trait Caller: Send + Sync {
    async fn ask(&self) -> Result<(), BoxError>;
}

/// The script with its keys and arguments, as our lockout sends them to ask without counting.
#[derive(Clone)]
pub(crate) struct Question {
    script: Script,
    keys: Vec<String>,
    args: Vec<String>,
}

pub(crate) fn script(prefix: &str, attempt: Attempt, limits: LockoutLimits) -> Question {
    let account = format!("{:032x}", u128::from_be_bytes(attempt.account.0));
    let address = attempt.address.ip().to_string();
    Question {
        script: Script::new(TEXT),
        keys: vec![
            format!("{prefix}:account:{account}"),
            format!("{prefix}:address:{address}"),
            format!("{prefix}:all"),
        ],
        args: vec![
            String::new(),
            address,
            account,
            limits.window.as_micros().to_string(),
            limits.per_account_and_address.to_string(),
            limits.per_account.to_string(),
            limits.per_address.to_string(),
            262_144.to_string(),
        ],
    }
}

impl Question {
    async fn ask(&self, connection: &mut impl redis::aio::ConnectionLike) -> Result<(), BoxError> {
        let mut call = self.script.prepare_invoke();
        for key in &self.keys {
            call.key(key);
        }
        for arg in &self.args {
            call.arg(arg);
        }
        free(call.invoke_async(connection).await?)
    }

    /// The bytes of one `EVALSHA`.
    fn bytes(&self) -> Vec<u8> {
        let count = self.keys.len().to_string();
        let mut words = vec!["EVALSHA", self.script.get_hash(), &count];
        words.extend(self.keys.iter().chain(&self.args).map(String::as_str));
        let words_in = words
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), words_in.collect::<String>()).into_bytes()
    }
}

fn free(wait: u64) -> Result<(), BoxError> {
    if wait == 0 {
        Ok(())
    } else {
        Err(format!("locked for {wait} us, and should not be").into())
    }
}

/// What the product does.
pub(crate) struct Checked(RedisLockout, Attempt);

impl Checked {
    pub(crate) fn new(lockout: RedisLockout, attempt: Attempt) -> Self {
        Self(lockout, attempt)
    }
}

#[async_trait]
impl Caller for Checked {
    async fn ask(&self) -> Result<(), BoxError> {
        match self.0.locked_for(self.1).await? {
            None => Ok(()),
            Some(wait) => Err(format!("locked for {wait:?}, and should not be").into()),
        }
    }
}

/// The connection of the library, and nothing around it.
pub(crate) struct Bare(ConnectionManager, Question);

impl Bare {
    pub(crate) async fn connect(url: &str, question: Question) -> Result<Self, BoxError> {
        let manager = ConnectionManager::new(Client::open(url)?).await?;
        Ok(Self(manager, question))
    }
}

#[async_trait]
impl Caller for Bare {
    async fn ask(&self) -> Result<(), BoxError> {
        self.1.ask(&mut self.0.clone()).await
    }
}

/// A pool, from which each question takes a connection.
pub(crate) struct Pooled(Pool, Question);

impl Pooled {
    pub(crate) fn new(url: &str, question: Question) -> Result<Self, BoxError> {
        let mut config = Config::from_url(url);
        config.pool = Some(PoolConfig::new(16));
        Ok(Self(config.create_pool(Some(Runtime::Tokio1))?, question))
    }
}

#[async_trait]
impl Caller for Pooled {
    async fn ask(&self) -> Result<(), BoxError> {
        let mut connection = self.0.get().await?;
        self.1.ask(&mut *connection).await
    }
}

/// The limit: bytes that are ready out, one line in.
pub(crate) struct Raw {
    // One caller alone, so nobody waits for it.
    stream: Mutex<BufStream<TcpStream>>,
    bytes: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(port: u16, question: &Question) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: Mutex::new(BufStream::new(stream)),
            bytes: question.bytes(),
        })
    }
}

#[async_trait]
impl Caller for Raw {
    async fn ask(&self) -> Result<(), BoxError> {
        let mut stream = self.stream.lock().await;
        stream.write_all(&self.bytes).await?;
        stream.flush().await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line == ":0\r\n" {
            Ok(())
        } else {
            Err(format!("not the answer of a free account: {line:?}").into())
        }
    }
}
