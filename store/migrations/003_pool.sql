-- The user pool: what Cognito's operations keep beside an account.

-- confirmed: by the code of Cognito's SignUp; an account of Mutation.signUp needs none.
-- attributes: all but email, as a map of strings ("name", "phone_number", "custom:team").
-- srp_verifier: sealed with a key that is not in the database; NULL until the password is known
-- (an account of before), or always (--no-srp).
ALTER TABLE accounts
    ADD COLUMN confirmed boolean NOT NULL DEFAULT true,
    ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN srp_verifier bytea;

-- The newest code that was sent for each purpose. No reference to accounts: names that have no
-- account write rows too (under one of a few invented ids), so that they take as long.
CREATE TABLE account_codes (
    account_id  uuid NOT NULL,
    purpose     text COLLATE "C" NOT NULL,          -- 'sign-up', 'password' or 'email'
    code_hash   bytea,                              -- keyed with what is not in the database
    tries_left  integer NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_count  integer NOT NULL DEFAULT 0,         -- since sent_from
    sent_from   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, purpose)
);
CREATE INDEX account_codes_by_expiry ON account_codes (expires_at);
