//! Users, credentials, tokens, lockout and permissions.
