-- The log: rooms, each with a counter, and what happened in them, numbered 1, 2, 3 … without a hole.

-- Which log this is: a new epoch begins when the data is found in another cluster (it was restored
-- from a backup), so that old cursors are refused instead of meaning something else.
CREATE TABLE store_epoch (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch text NOT NULL CHECK (epoch ~ '^[0-9a-f]{16}$'),
    system_identifier bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- first_seq: the oldest seq that is still kept. guarded: only members may post.
CREATE TABLE rooms (
    room text COLLATE "C" PRIMARY KEY,
    last_seq bigint NOT NULL DEFAULT 0,
    first_seq bigint NOT NULL DEFAULT 1,
    guarded boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- One row an event. type: the field name of the mutation that made it.
CREATE TABLE messages (
    room text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    type text COLLATE "C" NOT NULL DEFAULT 'createMessage',
    handle text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (room, seq),
    CONSTRAINT messages_room_id_key UNIQUE (room, id)
);

-- Pages of messages skip all other events.
CREATE INDEX messages_page ON messages (room, seq) WHERE type = 'createMessage';

-- Does the body contain the pattern, whatever the case, in any script? (The database's own locale may be C,
-- which folds ASCII only.)
DO $do$
DECLARE
    collation_name text := CASE WHEN EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')
                           THEN 'COLLATE "und-x-icu"' ELSE '' END;
BEGIN
    EXECUTE format('CREATE FUNCTION body_matches(body text, pattern text) RETURNS boolean
                    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS ''SELECT body %s ILIKE pattern''', collation_name);
END
$do$;
