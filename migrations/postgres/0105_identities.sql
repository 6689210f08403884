-- Which user an account at an identity provider is. The pair never changes and is never reused there;
-- the link goes with the user.
CREATE TABLE identities (
    issuer  text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    user_id uuid NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
