//! The rows of one's own account and of the administration of users.

use axum::http::Method;
use resync_auth::{Permission, RateClass};

use super::{CURSOR, Get, LIMIT, Route};
use crate::edge::guard::Guard;
use crate::{admin, auth};

/// One's own account.
pub(super) fn own() -> Vec<Route> {
    use Guard::{Authenticated, Public, Session};
    let get = |path, guard, summary| Get(path, guard, summary);
    vec![
        Route::new(
            Method::POST,
            "/api/v1/auth/login",
            Public,
            "Sign in; a session that comes with it ends",
            auth::login::login,
        )
        .class(RateClass::Login)
        .takes::<auth::login::LoginRequest>()
        .gives::<auth::login::LoginAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/auth/setup",
            Public,
            "Make the first administrator, by the link of the first start",
            auth::setup::complete,
        )
        .class(RateClass::Login)
        .takes::<auth::setup::SetupRequest>()
        .gives::<auth::setup::SetupAnswer>(201),
        get("/api/v1/auth/verify", Authenticated, "Who is signed in")
            .by(auth::login::verify)
            .gives::<auth::login::VerifyAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/auth/logout",
            Session,
            "Sign out",
            auth::login::logout,
        )
        .leaves()
        .gives::<auth::login::LogoutAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/auth/logout-all",
            Session,
            "Sign out everywhere",
            auth::login::logout_all,
        )
        .leaves()
        .gives::<auth::login::LogoutAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/auth/password",
            Session,
            "Change one's own password; all other sessions end",
            auth::password::change,
        )
        .takes::<auth::password::PasswordRequest>()
        .gives::<auth::password::PasswordAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/auth/password/strength",
            Public,
            "How hard a password is to guess",
            auth::password::strength,
        )
        .class(RateClass::Api)
        .takes::<auth::password::StrengthRequest>()
        .gives::<auth::password::StrengthAnswer>(200),
        get("/api/v1/auth/sessions", Session, "Where one is signed in")
            .by(auth::sessions::list)
            .gives::<auth::sessions::SessionsAnswer>(200),
        Route::new(
            Method::DELETE,
            "/api/v1/auth/sessions/{id}",
            Session,
            "End a session of one's own",
            auth::sessions::revoke,
        )
        .gives::<auth::sessions::RevokedAnswer>(200),
        get("/api/v1/auth/api-keys", Session, "One's own API keys")
            .by(auth::api_keys::list)
            .gives::<auth::api_keys::KeysAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/auth/api-keys",
            Session,
            "Make an API key; its text is shown once",
            auth::api_keys::create,
        )
        .takes::<auth::api_keys::NewKeyRequest>()
        .gives::<auth::api_keys::NewKeyAnswer>(201),
        Route::new(
            Method::DELETE,
            "/api/v1/auth/api-keys/{id}",
            Session,
            "End an API key of one's own",
            auth::api_keys::revoke,
        )
        .gives::<auth::api_keys::KeyEndedAnswer>(200),
    ]
}

/// Which ways there are to sign in, and the one at the company's identity provider.
pub(super) fn ways_in() -> Vec<Route> {
    use Guard::Public;
    let get = |path, guard, summary| Get(path, guard, summary);
    vec![
        get(
            "/api/v1/auth/methods",
            Public,
            "Which ways there are to sign in",
        )
        .by(auth::oidc::methods)
        .gives::<auth::oidc::MethodsAnswer>(200),
        get(
            "/api/v1/auth/oidc/login",
            Public,
            "Sign in at the company's identity provider: sends the browser there",
        )
        .by(auth::oidc::login)
        .query(&[("return_to", "Where to go afterwards, a path of ours.")])
        .class(RateClass::Login)
        .status(302),
        get(
            "/api/v1/auth/oidc/callback",
            Public,
            "Where the identity provider sends the browser back to",
        )
        .by(auth::oidc::callback)
        .query(&[
            ("state", "What the sign-in began with."),
            ("code", "What the provider gave."),
            ("error", "Why the provider gave no code."),
        ])
        .class(RateClass::Login)
        .status(302),
    ]
}

/// The accounts, to administrators: a key may read, somebody who signed in may change.
pub(super) fn administration() -> Vec<Route> {
    let reads = Guard::Permission(Permission::ManageUsers);
    let changes = Guard::SessionWith(Permission::ManageUsers);
    let get = |path, guard, summary| Get(path, guard, summary);
    vec![
        get("/api/v1/admin/users", reads, "Users, by name")
            .by(admin::users::list)
            .query(&[("q", "Only names that hold this text."), LIMIT, CURSOR])
            .gives::<admin::users::UsersAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/admin/users",
            changes,
            "Make a user",
            admin::users::create,
        )
        .takes::<admin::users::NewUserRequest>()
        .gives::<admin::users::UserDto>(201),
        get("/api/v1/admin/users/{id}", reads, "A user")
            .by(admin::users::get)
            .gives::<admin::users::UserDto>(200),
        Route::new(
            Method::PATCH,
            "/api/v1/admin/users/{id}",
            changes,
            "Change a user's role or password; its sessions and keys end",
            admin::users::change,
        )
        .takes::<admin::users::UserChangeRequest>()
        .gives::<admin::users::UserDto>(200),
        Route::new(
            Method::DELETE,
            "/api/v1/admin/users/{id}",
            changes,
            "Delete a user",
            admin::users::delete,
        )
        .gives::<admin::users::UserDeletedAnswer>(200),
        Route::new(
            Method::POST,
            "/api/v1/admin/users/{id}/unlock",
            changes,
            "Forget the failed sign-ins of a user",
            admin::users::unlock,
        )
        .gives::<admin::users::UnlockedAnswer>(200),
        get(
            "/api/v1/admin/users/{id}/sessions",
            reads,
            "Where a user is signed in",
        )
        .by(admin::credentials::sessions)
        .gives::<auth::sessions::SessionsAnswer>(200),
        Route::new(
            Method::DELETE,
            "/api/v1/admin/users/{id}/sessions",
            changes,
            "End all sessions of a user",
            admin::credentials::revoke_all,
        )
        .gives::<auth::sessions::RevokedAnswer>(200),
        Route::new(
            Method::DELETE,
            "/api/v1/admin/users/{id}/sessions/{sid}",
            changes,
            "End a session of a user",
            admin::credentials::revoke,
        )
        .gives::<auth::sessions::RevokedAnswer>(200),
        get(
            "/api/v1/admin/users/{id}/api-keys",
            reads,
            "A user's API keys",
        )
        .by(admin::credentials::api_keys)
        .gives::<auth::api_keys::KeysAnswer>(200),
    ]
}
