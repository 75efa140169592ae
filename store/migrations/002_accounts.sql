-- Accounts, their sessions, and the keys that sign access tokens.

-- What makes two handles the same: the store folds the case (from tables of its own, so that no
-- collation has a say), this unifies the ways to write a character (NFKC) and folds the ASCII
-- letters that come out of that. The result of both must never change for a handle that exists.
CREATE FUNCTION account_handle_key(folded text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT lower(normalize(folded, NFKC) COLLATE "C") $$;

CREATE TABLE accounts (
    id             uuid PRIMARY KEY,                -- claim sub
    handle         text COLLATE "C" NOT NULL,       -- as its owner wrote it
    handle_key     text COLLATE "C" NOT NULL,       -- account_handle_key of the case-folded handle
    email          text,
    email_verified boolean NOT NULL DEFAULT false,
    password_hash  text NOT NULL,                   -- Argon2id, with its parameters
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at    timestamptz,                     -- set: no sign-in and no refresh
    CONSTRAINT accounts_handle_is_taken UNIQUE (handle_key)
);

-- A session is a family of refresh tokens: each use replaces the token (if it rotates). Of the
-- tokens only hashes are kept; the successor also sealed under a key that only the holder of the
-- previous token can bring, so that asking again within a minute gives the same answer.
CREATE TABLE sessions (
    id             uuid PRIMARY KEY,                -- claim session
    account_id     uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    client_id      text NOT NULL,
    rotates        boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),  -- claim auth_time
    refreshed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at     timestamptz NOT NULL,            -- of the refresh token
    token_hash     bytea NOT NULL,
    previous_hash  bytea,
    previous_until timestamptz,                     -- so long the previous token still works
    successor      bytea,
    ended_at       timestamptz,
    ended_by       text                             -- 'sign-out' or 'reuse'
);
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- The newest generation that is due signs; all that are not past verifies_until verify.
CREATE TABLE signing_keys (
    generation     integer PRIMARY KEY CHECK (generation > 0),
    kid            text COLLATE "C" NOT NULL UNIQUE, -- RFC 7638 thumbprint
    alg            text NOT NULL,
    sealed         bytea NOT NULL,                  -- nonce and secretbox of the private key (PEM)
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    signs_from     timestamptz NOT NULL DEFAULT clock_timestamp(),
    verifies_until timestamptz
);
