-- Who may do what: groups, API keys, and what gateways are told of both (proto/bus.md 4.5).

-- In tokens as cognito:groups.
ALTER TABLE accounts ADD COLUMN groups text[] NOT NULL DEFAULT '{}';

-- One counter for all that gateways follow. Its row stays locked until the transaction ends, so
-- that changes become visible in the order of their numbers.
CREATE TABLE auth_changes (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    last_seq bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO auth_changes DEFAULT VALUES;

CREATE FUNCTION auth_next_seq() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ UPDATE auth_changes SET last_seq = last_seq + 1 RETURNING last_seq $$;

-- Sessions that ended while an access token of theirs may live: gateways refuse it. Whoever ends a
-- session, by whatever statement, leaves a row here.
CREATE TABLE ended_sessions (
    seq        bigint PRIMARY KEY,
    session_id uuid NOT NULL,
    until      timestamptz NOT NULL                 -- no token of the session lives longer
);
CREATE INDEX ended_sessions_by_until ON ended_sessions (until);

-- An access token lives for an hour from the session's last refresh; clocks may differ a little.
CREATE FUNCTION session_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.refreshed_at > clock_timestamp() - interval '65 minutes' THEN
        INSERT INTO ended_sessions VALUES (auth_next_seq(), OLD.id, OLD.refreshed_at + interval '65 minutes');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER session_ended AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION session_ended();
CREATE TRIGGER session_deleted AFTER DELETE ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NULL) EXECUTE FUNCTION session_ended();

-- Ends all sessions of an account; how many there were. A sign-in that is under way is waited for
-- (it holds the account's row), and one that comes later begins anew.
CREATE FUNCTION account_end_sessions(account uuid, reason text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ended bigint;
BEGIN
    PERFORM FROM accounts WHERE id = account FOR UPDATE;
    UPDATE sessions SET ended_at = clock_timestamp(), ended_by = reason
        WHERE account_id = account AND ended_at IS NULL;
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END
$$;

-- A key is shown once; its SHA-256 stays. Several may have one name, so that they can be replaced.
CREATE TABLE api_keys (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text COLLATE "C" NOT NULL,           -- the handle of what is done with it
    name_key   text COLLATE "C" NOT NULL,           -- as accounts.handle_key
    hash       bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    can_write  boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,                         -- NULL: never
    revoked_at timestamptz,
    seq        bigint NOT NULL UNIQUE
);
CREATE INDEX api_keys_by_name ON api_keys (name_key);

CREATE FUNCTION api_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seq := auth_next_seq();
    RETURN NEW;
END
$$;
CREATE TRIGGER api_key_changed BEFORE INSERT OR UPDATE ON api_keys FOR EACH ROW
    EXECUTE FUNCTION api_key_changed();

-- Nobody can sign up under the name of a key.
CREATE FUNCTION handle_is_no_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM api_keys WHERE name_key = NEW.handle_key AND revoked_at IS NULL) THEN
        RAISE EXCEPTION 'an API key has this name'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'accounts_handle_is_taken';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER handle_is_no_key BEFORE INSERT ON accounts FOR EACH ROW
    EXECUTE FUNCTION handle_is_no_key();
