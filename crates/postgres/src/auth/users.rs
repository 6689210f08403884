//! Users in PostgreSQL.

use async_trait::async_trait;
use resync_auth::{
    PasswordHash, Role, User, UserFilter, UserRepository, UserRepositoryError, UserUpdate, Username,
};
use resync_kernel::{Limit, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::failed::Failed;
use crate::lock::Lock;
use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// Users in the table `users`.
#[derive(Debug, Clone)]
pub struct PgUserRepository {
    database: PgDatabase,
}

impl PgUserRepository {
    /// The users of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    username: String,
    role: String,
    password_hash: String,
    session_version: i64,
    created_at_ms: i64,
}

impl TryFrom<Row> for User {
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
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
            session_version: name.number("session_version", row.session_version)?,
            created_at: name.time("created_at_ms", row.created_at_ms)?,
        })
    }
}

impl From<PgError> for UserRepositoryError {
    fn from(error: PgError) -> Self {
        if error.is_unique_violation() {
            Self::AlreadyExists
        } else {
            Self::Unavailable(error.into())
        }
    }
}

fn one(row: Option<Row>) -> Result<Option<User>, PgError> {
    row.map(User::try_from).transpose()
}

const COUNT_ADMINS: &str = "SELECT count(*) FROM users WHERE role = 'admin'";

pub(super) async fn insert(connection: &mut PgConnection, user: &User) -> Result<(), PgError> {
    sqlx::query(
        "INSERT INTO users (id, username, role, password_hash, session_version, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(user.id.0)
    .bind(user.username.as_str())
    .bind(user.role.as_str())
    .bind(user.password_hash.expose())
    .bind(i64::from(user.session_version))
    .bind(user.created_at.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses when the user is absent or the last admin. The caller holds [`Lock::Admins`].
async fn demotable(
    connection: &mut PgConnection,
    id: UserId,
) -> Result<(), Failed<UserRepositoryError>> {
    let found: Option<(String, i64)> = sqlx::query_as(
        "SELECT role, (SELECT count(*) FROM users WHERE role = 'admin') FROM users WHERE id = $1",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    let (role, admins) = found.ok_or(Failed(UserRepositoryError::NotFound))?;
    if role == Role::Admin.as_str() && admins <= 1 {
        return Err(Failed(UserRepositoryError::LastAdmin));
    }
    Ok(())
}

#[async_trait]
impl UserRepository for PgUserRepository {
    async fn find_by_username(
        &self,
        username: &Username,
    ) -> Result<Option<User>, UserRepositoryError> {
        let query =
            sqlx::query_as("SELECT * FROM users WHERE username = $1").bind(username.as_str());
        Ok(one(self.database.row(query).await?)?)
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, UserRepositoryError> {
        let query = sqlx::query_as("SELECT * FROM users WHERE id = $1").bind(id.0);
        Ok(one(self.database.row(query).await?)?)
    }

    async fn list(
        &self,
        filter: UserFilter,
        after: Option<Username>,
        limit: Limit,
    ) -> Result<Vec<User>, UserRepositoryError> {
        // No name is empty, so all names come after the empty text.
        let after = after.as_ref().map_or("", Username::as_str);
        // `strpos` takes the text as it is; `LIKE` would see wildcards in it. No name holds a NUL.
        let part = filter.name.map(|part| part.to_ascii_lowercase());
        if part.as_ref().is_some_and(|part| part.contains('\0')) {
            return Ok(Vec::new());
        }
        let query = sqlx::query_as::<_, Row>(
            "SELECT * FROM users
             WHERE username > $1 AND ($2::text IS NULL OR role = $2)
                 AND ($3::text IS NULL OR strpos(username, $3) > 0)
             ORDER BY username LIMIT $4",
        )
        .bind(after)
        .bind(filter.role.map(Role::as_str))
        .bind(part)
        .bind(i64::from(limit.get()));
        let rows = self.database.rows(query).await?;
        Ok(rows
            .into_iter()
            .map(User::try_from)
            .collect::<Result<_, _>>()?)
    }

    async fn count_admins(&self) -> Result<u64, UserRepositoryError> {
        let (admins,): (i64,) = self.database.one(sqlx::query_as(COUNT_ADMINS)).await?;
        Ok(admins.unsigned_abs())
    }

    async fn insert(&self, user: &User) -> Result<(), UserRepositoryError> {
        let user = user.clone();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { insert(tx, &user).await }));
        Ok(work.await?)
    }

    async fn insert_first_admin(&self, user: &User) -> Result<bool, UserRepositoryError> {
        let user = user.clone();
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                Lock::Admins.take(tx).await?;
                let (admins,): (i64,) = sqlx::query_as(COUNT_ADMINS).fetch_one(&mut *tx).await?;
                if admins > 0 {
                    return Ok(false);
                }
                insert(tx, &user).await?;
                Ok::<_, Failed<UserRepositoryError>>(true)
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
        let query =
            sqlx::query("UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3")
                .bind(new.expose().to_owned())
                .bind(id.0)
                .bind(old.expose().to_owned());
        Ok(self.database.change(query).await? == 1)
    }

    async fn update(&self, id: UserId, update: UserUpdate) -> Result<User, UserRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let UserUpdate {
                    role,
                    password_hash,
                } = update;
                if role.is_some_and(|role| role != Role::Admin) {
                    Lock::Admins.take(tx).await?;
                    demotable(tx, id).await?;
                }
                let row: Option<Row> = sqlx::query_as(
                    "UPDATE users SET role = coalesce($2, role),
                         password_hash = coalesce($3, password_hash),
                         session_version = session_version + 1
                     WHERE id = $1 RETURNING *",
                )
                .bind(id.0)
                .bind(role.map(Role::as_str))
                .bind(password_hash.as_ref().map(PasswordHash::expose))
                .fetch_optional(tx)
                .await?;
                one(row)?.ok_or(Failed(UserRepositoryError::NotFound))
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn delete(&self, id: UserId) -> Result<(), UserRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                Lock::Admins.take(tx).await?;
                demotable(tx, id).await?;
                for sql in [
                    "DELETE FROM api_keys WHERE user_id = $1",
                    "DELETE FROM users WHERE id = $1",
                ] {
                    sqlx::query(sql).bind(id.0).execute(&mut *tx).await?;
                }
                Ok::<_, Failed<UserRepositoryError>>(())
            })
        });
        work.await.map_err(Failed::port)
    }
}
