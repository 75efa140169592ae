import type { Connection } from "../chat/feed";

const WORDS: Record<Connection, string> = {
    connecting: "Connecting…",
    live: "Live",
    reconnecting: "Reconnecting…",
    offline: "Offline",
};

const DETAILS: Record<Connection, string> = {
    connecting: "The connection is being made.",
    live: "New messages appear here as they are written.",
    reconnecting: "The connection was lost. Nothing will be missing when it is back.",
    offline: "This device has no network. Nothing will be missing when it is back.",
};

export function ConnectionBadge({ connection }: { connection: Connection }) {
    return (
        <p className={`connection is-${connection}`} role="status" title={DETAILS[connection]}>
            <span className="connection-dot" aria-hidden="true" />
            <span className="visually-hidden">Connection: </span>
            {WORDS[connection]}
        </p>
    );
}
