-- Rooms with doors. A room whose name begins with private/ is guarded: only its members read it and post to it.
-- Outsiders are not told whether it exists, so they are refused for every name that begins so.
UPDATE rooms SET guarded = NOT guarded WHERE guarded <> starts_with(room, 'private/');
ALTER TABLE rooms ADD CONSTRAINT rooms_guarded_are_private CHECK (guarded = starts_with(room, 'private/'));

CREATE TABLE private_rooms (
    room       text COLLATE "C" PRIMARY KEY REFERENCES rooms,
    title      text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Changes only under the lock of the room's row in rooms, and together with an event: so what one statement reads
-- here and in rooms.last_seq belongs together.
CREATE TABLE room_members (
    room       text COLLATE "C" NOT NULL REFERENCES private_rooms,
    handle_key text COLLATE "C" NOT NULL,   -- account_handle_key of handle
    handle     text NOT NULL,               -- as the one who invited wrote it
    acts_as    text COLLATE "C" NOT NULL,   -- handle and …
    account    text COLLATE "C" NOT NULL,   -- … sub of the identity that gets in; '': it is not of the user pool
    role       text COLLATE "C" NOT NULL CHECK (role IN ('OWNER', 'MODERATOR', 'MEMBER')),
    joined_at  timestamptz NOT NULL,
    seq        bigint NOT NULL,             -- of the event that made him what he is
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (room, handle_key)
);
CREATE UNIQUE INDEX room_members_by_identity ON room_members (acts_as, account, room);

-- One change of a room's members: what is the mutation's field name, call_id the id of its call. Rows: the events
-- that it made (is_new), of which the last is the result; or, if that call was made before, its result; or one row
-- with refusal, and nothing was changed.
--   closed      the caller is no member, or there is no such room
--   role        his role does not allow it
--   member      the target is a member already
--   absent      the target is no member
--   last-owner  there would be members without an owner
--   full        there are too many members
-- Its statements have a snapshot each, so those behind the lock see all that was committed under it.
CREATE FUNCTION room_change(what text, in_room text, call_id uuid, caller text, caller_key text, caller_account text,
                            target text, target_key text, new_role text, new_title text, members_max bigint)
    RETURNS TABLE (refusal text, is_new boolean, seq bigint, type text, handle text, body text, created_at timestamptz)
    LANGUAGE plpgsql AS $$
DECLARE
    actor room_members;
    whom room_members;
    identity record;
    ends boolean := what IN ('removeFromRoom', 'leaveRoom');
    now_at timestamptz;
    last bigint;
    content json;
BEGIN
    -- An outsider waits for no lock: how long he waits would tell him that there is one.
    IF what <> 'createRoom'
       AND NOT EXISTS (SELECT FROM room_members m
                       WHERE m.acts_as = caller AND m.account = caller_account AND m.room = in_room)
       AND NOT EXISTS (SELECT FROM messages e WHERE e.room = in_room AND e.id = call_id AND e.handle = caller) THEN
        RETURN QUERY SELECT 'closed', false, 0::bigint, '', '', '', clock_timestamp();
        RETURN;
    END IF;
    INSERT INTO rooms AS r (room, guarded) VALUES (in_room, true)
        ON CONFLICT (room) DO UPDATE SET last_seq = r.last_seq;

    RETURN QUERY SELECT NULL::text, false, e.seq, e.type, e.handle, e.body, e.created_at FROM messages e
        WHERE e.room = in_room AND e.id = call_id AND e.handle = caller AND e.type = what;
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT * INTO actor FROM room_members m
        WHERE m.acts_as = caller AND m.account = caller_account AND m.room = in_room;
    SELECT * INTO whom FROM room_members m
        WHERE m.room = in_room AND m.handle_key = CASE what WHEN 'leaveRoom' THEN actor.handle_key ELSE target_key END;
    refusal := CASE
        WHEN what = 'createRoom' THEN NULL
        WHEN actor.room IS NULL THEN 'closed'
        WHEN what = 'inviteToRoom' THEN CASE
            WHEN actor.role = 'MEMBER' OR actor.role = 'MODERATOR' AND new_role <> 'MEMBER' THEN 'role'
            WHEN whom.room IS NOT NULL THEN 'member'
            WHEN (SELECT count(*) FROM room_members m WHERE m.room = in_room) >= members_max THEN 'full'
            END
        WHEN what = 'setRoomRole' AND actor.role <> 'OWNER' THEN 'role'
        WHEN ends AND actor.role = 'MEMBER' AND whom.handle_key IS DISTINCT FROM actor.handle_key THEN 'role'
        WHEN whom.room IS NULL THEN 'absent'
        WHEN ends AND actor.role = 'MODERATOR' AND whom.role <> 'MEMBER' AND whom.handle_key <> actor.handle_key
            THEN 'role'
        WHEN whom.role = 'OWNER' AND (ends OR new_role <> 'OWNER')
            AND NOT EXISTS (SELECT FROM room_members m WHERE m.room = in_room AND m.role = 'OWNER'
                            AND m.handle_key <> whom.handle_key)
            AND (NOT ends OR EXISTS (SELECT FROM room_members m WHERE m.room = in_room
                                     AND m.handle_key <> whom.handle_key))
            THEN 'last-owner'
        END;
    IF refusal IS NOT NULL THEN
        RETURN QUERY SELECT refusal, false, 0::bigint, '', '', '', clock_timestamp();
        RETURN;
    END IF;

    UPDATE rooms r SET last_seq = r.last_seq + CASE WHEN ends THEN 2 ELSE 1 END WHERE r.room = in_room
        RETURNING r.last_seq, clock_timestamp() INTO last, now_at;
    IF what = 'createRoom' THEN
        INSERT INTO private_rooms (room, title, created_at) VALUES (in_room, new_title, now_at);
        INSERT INTO room_members VALUES (in_room, caller_key, caller, caller, caller_account, 'OWNER', now_at, last, caller, now_at);
        content := json_build_object('handle', caller, 'role', 'OWNER', 'title', new_title);
    ELSIF what = 'inviteToRoom' THEN
        -- Whether there is such an account is told to nobody, so the row looks the same to all who may see it.
        SELECT a.handle, a.id::text AS account INTO identity FROM accounts a WHERE a.handle_key = target_key;
        INSERT INTO room_members VALUES (in_room, target_key, target, coalesce(identity.handle, target),
            coalesce(identity.account, ''), new_role, now_at, last, caller, now_at);
        content := json_build_object('handle', target, 'role', new_role);
    ELSIF what = 'setRoomRole' THEN
        UPDATE room_members m SET role = new_role, seq = last, changed_by = caller, changed_at = now_at
            WHERE m.room = in_room AND m.handle_key = whom.handle_key;
        content := json_build_object('handle', whom.handle, 'role', new_role);
    ELSE
        -- Two events: the end of his rights, which is delivered to nobody, and the news for those who stay.
        DELETE FROM room_members m WHERE m.room = in_room AND m.handle_key = whom.handle_key;
        INSERT INTO messages (room, seq, id, type, handle, body, created_at)
            VALUES (in_room, last - 1, gen_random_uuid(), 'revoke', caller,
                json_strip_nulls(json_build_object('handle', whom.acts_as, 'sub', nullif(whom.account, ''))), now_at);
        content := json_build_object('handle', whom.handle, 'role', NULL);
    END IF;
    INSERT INTO messages (room, seq, id, type, handle, body, created_at)
        VALUES (in_room, last, call_id, what, caller, content, now_at);
    RETURN QUERY SELECT NULL::text, true, e.seq, e.type, e.handle, e.body, e.created_at FROM messages e
        WHERE e.room = in_room AND e.seq > last - CASE WHEN ends THEN 2 ELSE 1 END AND e.seq <= last ORDER BY e.seq;
END
$$;
