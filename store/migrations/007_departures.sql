-- Whoever deletes his account leaves his private rooms, and a room is never without an owner who can act as long as it
-- has members: it gets another one when the account of its only one is deleted or disabled. By whatever statement.

-- An account that is gone or disabled cannot; others than accounts are not known here, and are believed.
CREATE FUNCTION room_member_can_act(m room_members) RETURNS boolean LANGUAGE sql STABLE
    AS $$ SELECT m.account = '' OR EXISTS (SELECT FROM accounts a WHERE a.handle_key = m.handle_key
                                           AND a.id::text = m.account AND a.disabled_at IS NULL) $$;

-- That member is out, or cannot act for now. Under the room's lock, and with the events that the mutations would make:
-- first somebody becomes owner, then the member leaves. Who that is: the moderator who is there longest, else the
-- member; one with an account before others. Stores are told of the room (migration 006), for nobody publishes these.
CREATE FUNCTION room_member_departs(in_room text, member_key text, leaves boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    member room_members;
    heir room_members;
    head bigint;
    last bigint;
    now_at timestamptz;
BEGIN
    SELECT r.last_seq, clock_timestamp() INTO head, now_at FROM rooms r WHERE r.room = in_room FOR NO KEY UPDATE;
    SELECT * INTO member FROM room_members m WHERE m.room = in_room AND m.handle_key = member_key;
    last := head;
    IF member.role = 'OWNER' AND NOT EXISTS (SELECT FROM room_members m WHERE m.room = in_room AND m.role = 'OWNER'
                                             AND m.handle_key <> member_key AND room_member_can_act(m)) THEN
        SELECT * INTO heir FROM room_members m WHERE m.room = in_room AND m.role <> 'OWNER'
            AND (room_member_can_act(m) OR leaves AND NOT EXISTS (
                SELECT FROM room_members o WHERE o.room = in_room AND o.role = 'OWNER' AND o.handle_key <> member_key))
            ORDER BY room_member_can_act(m) DESC, m.role = 'MODERATOR' DESC, m.account <> '' DESC, m.joined_at,
                m.handle_key LIMIT 1;
    END IF;
    IF heir.room IS NOT NULL THEN
        last := last + 1;
        UPDATE room_members m SET role = 'OWNER', seq = last, changed_by = member.acts_as, changed_at = now_at
            WHERE m.room = in_room AND m.handle_key = heir.handle_key;
        INSERT INTO messages (room, seq, id, type, handle, body, created_at)
            VALUES (in_room, last, gen_random_uuid(), 'setRoomRole', member.acts_as,
                json_build_object('handle', heir.handle, 'role', 'OWNER'), now_at);
    END IF;
    IF leaves AND member.room IS NOT NULL THEN
        last := last + 2;
        DELETE FROM room_members m WHERE m.room = in_room AND m.handle_key = member_key;
        INSERT INTO messages (room, seq, id, type, handle, body, created_at)
            VALUES (in_room, last - 1, gen_random_uuid(), 'revoke', member.acts_as,
                json_strip_nulls(json_build_object('handle', member.acts_as, 'sub', nullif(member.account, ''))), now_at),
                (in_room, last, gen_random_uuid(), 'leaveRoom', member.acts_as,
                json_build_object('handle', member.handle, 'role', NULL), now_at);
    END IF;
    IF last > head THEN
        UPDATE rooms r SET last_seq = last WHERE r.room = in_room;
        PERFORM pg_notify('parley_changes', 'room/' || in_room);
    END IF;
END
$$;

-- Before the row changes: rooms are locked in their order, and ahead of auth_changes.
CREATE FUNCTION account_departs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM room_member_departs(m.room, m.handle_key, TG_OP = 'DELETE') FROM (
        SELECT b.room, b.handle_key FROM room_members b
        WHERE b.acts_as = OLD.handle AND b.account = OLD.id::text ORDER BY b.room) m;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER account_deleted BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION account_departs();
CREATE TRIGGER account_disabled BEFORE UPDATE OF disabled_at ON accounts FOR EACH ROW
    WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION account_departs();

-- Those who were deleted before there was this.
SELECT room_member_departs(m.room, m.handle_key, true) FROM (
    SELECT b.room, b.handle_key FROM room_members b
    WHERE b.account <> '' AND NOT EXISTS (SELECT FROM accounts a WHERE a.id::text = b.account) ORDER BY b.room) m;
