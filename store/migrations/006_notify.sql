-- Stores are told what they would have to ask for again and again: channel parley_changes, payload the table's name.
-- That is a hint and no more: what changed is read from the table.
CREATE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('parley_changes', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
CREATE TRIGGER notify_change AFTER UPDATE ON auth_changes FOR EACH STATEMENT EXECUTE FUNCTION notify_change();
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE OR DELETE ON signing_keys FOR EACH STATEMENT
    EXECUTE FUNCTION notify_change();
