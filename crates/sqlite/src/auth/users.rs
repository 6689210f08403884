//! Users in SQLite.

use async_trait::async_trait;
use resync_auth::{
    PasswordHash, Role, User, UserFilter, UserRepository, UserRepositoryError, UserUpdate, Username,
};
use resync_kernel::{Limit, UserId};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::failed::Failed;
use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// Users in the table `users`.
#[derive(Debug, Clone)]
pub struct SqliteUserRepository {
    database: SqliteDatabase,
}

impl SqliteUserRepository {
    /// The users of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    username: String,
    role: String,
    password_hash: String,
    session_version: u32,
    created_at_ms: i64,
}

impl TryFrom<Row> for User {
    type Error = SqliteError;

    fn try_from(row: Row) -> Result<Self, SqliteError> {
        let name = RowName {
            table: "users",
            id: &row.id,
        };
        let username =
            Username::parse(&row.username).map_err(|error| name.broken("username", error))?;
        if username.as_str() != row.username {
            return Err(name.broken("username", "not in lower case"));
        }
        let role = Role::parse(&row.role).map_err(|error| name.broken("role", error))?;
        Ok(Self {
            id: UserId(row.id),
            username,
            role,
            password_hash: PasswordHash::from_stored(row.password_hash),
            session_version: row.session_version,
            created_at: name.time("created_at_ms", row.created_at_ms)?,
        })
    }
}

impl From<SqliteError> for UserRepositoryError {
    fn from(error: SqliteError) -> Self {
        if error.is_unique_violation() {
            Self::AlreadyExists
        } else {
            Self::Unavailable(error.into())
        }
    }
}

fn unavailable(error: impl Into<SqliteError>) -> UserRepositoryError {
    error.into().into()
}

fn one(row: Option<Row>) -> Result<Option<User>, UserRepositoryError> {
    row.map(User::try_from).transpose().map_err(unavailable)
}

const COUNT_ADMINS: &str = "SELECT count(*) FROM users WHERE role = 'admin'";

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    user: &User,
) -> Result<(), Failed<UserRepositoryError>> {
    sqlx::query(
        "INSERT INTO users (id, username, role, password_hash, session_version, created_at_ms)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(user.id.0)
    .bind(user.username.as_str())
    .bind(user.role.as_str())
    .bind(user.password_hash.expose())
    .bind(user.session_version)
    .bind(user.created_at.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses when the user is absent or the last admin.
async fn demotable(
    connection: &mut SqliteConnection,
    id: UserId,
) -> Result<(), Failed<UserRepositoryError>> {
    let role: Option<String> = sqlx::query_scalar("SELECT role FROM users WHERE id = ?")
        .bind(id.0)
        .fetch_optional(&mut *connection)
        .await?;
    let role = role.ok_or(Failed(UserRepositoryError::NotFound))?;
    if role == Role::Admin.as_str() {
        let admins: i64 = sqlx::query_scalar(COUNT_ADMINS)
            .fetch_one(connection)
            .await?;
        if admins <= 1 {
            return Err(Failed(UserRepositoryError::LastAdmin));
        }
    }
    Ok(())
}

#[async_trait]
impl UserRepository for SqliteUserRepository {
    async fn find_by_username(
        &self,
        username: &Username,
    ) -> Result<Option<User>, UserRepositoryError> {
        let row = sqlx::query_as("SELECT * FROM users WHERE username = ?")
            .bind(username.as_str())
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)?;
        one(row)
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, UserRepositoryError> {
        let row = sqlx::query_as("SELECT * FROM users WHERE id = ?")
            .bind(id.0)
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)?;
        one(row)
    }

    async fn list(
        &self,
        filter: UserFilter,
        after: Option<Username>,
        limit: Limit,
    ) -> Result<Vec<User>, UserRepositoryError> {
        // No name is empty, so all names come after the empty text.
        let after = after.as_ref().map_or("", Username::as_str);
        // `instr` takes the text as it is; `LIKE` would see wildcards in it.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT * FROM users
             WHERE username > ?1 AND (?2 IS NULL OR role = ?2) AND (?3 IS NULL OR instr(username, ?3))
             ORDER BY username LIMIT ?4",
        )
        .bind(after)
        .bind(filter.role.map(Role::as_str))
        .bind(filter.name.map(|part| part.to_ascii_lowercase()))
        .bind(limit.get())
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter()
            .map(User::try_from)
            .collect::<Result<_, _>>()
            .map_err(unavailable)
    }

    async fn count_admins(&self) -> Result<u64, UserRepositoryError> {
        let admins: i64 = sqlx::query_scalar(COUNT_ADMINS)
            .fetch_one(self.database.reader())
            .await
            .map_err(unavailable)?;
        Ok(admins.unsigned_abs())
    }

    async fn insert(&self, user: &User) -> Result<(), UserRepositoryError> {
        let user = user.clone();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { insert(tx, &user).await }));
        work.await.map_err(Failed::port)
    }

    async fn insert_first_admin(&self, user: &User) -> Result<bool, UserRepositoryError> {
        let user = user.clone();
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let admins: i64 = sqlx::query_scalar(COUNT_ADMINS).fetch_one(&mut *tx).await?;
                if admins > 0 {
                    return Ok(false);
                }
                insert(tx, &user).await.map(|()| true)
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn update_password_hash(
        &self,
        id: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, UserRepositoryError> {
        let (old, new) = (old.clone(), new.clone());
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?";
                let query = sqlx::query(sql)
                    .bind(new.expose())
                    .bind(id.0)
                    .bind(old.expose());
                Ok::<_, Failed<UserRepositoryError>>(query.execute(tx).await?.rows_affected() == 1)
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn update(&self, id: UserId, update: UserUpdate) -> Result<User, UserRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let UserUpdate {
                    role,
                    password_hash,
                } = update;
                if role.is_some_and(|role| role != Role::Admin) {
                    demotable(tx, id).await?;
                }
                let row: Option<Row> = sqlx::query_as(
                    "UPDATE users SET role = coalesce(?2, role),
                         password_hash = coalesce(?3, password_hash),
                         session_version = session_version + 1
                     WHERE id = ?1 RETURNING *",
                )
                .bind(id.0)
                .bind(role.map(Role::as_str))
                .bind(password_hash.as_ref().map(PasswordHash::expose))
                .fetch_optional(tx)
                .await?;
                let user = one(row).map_err(Failed)?;
                user.ok_or(Failed(UserRepositoryError::NotFound))
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn delete(&self, id: UserId) -> Result<(), UserRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                demotable(tx, id).await?;
                for sql in [
                    "DELETE FROM api_keys WHERE user_id = ?",
                    "DELETE FROM users WHERE id = ?",
                ] {
                    sqlx::query(sql).bind(id.0).execute(&mut *tx).await?;
                }
                Ok::<_, Failed<UserRepositoryError>>(())
            })
        });
        work.await.map_err(Failed::port)
    }
}
