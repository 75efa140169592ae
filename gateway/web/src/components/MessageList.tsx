import { useCallback, useEffect, useMemo, useRef } from "react";
import type { Message } from "../api/operations";
import type { FeedState, RoomFeed } from "../chat/feed";
import type { Outgoing } from "../chat/outbox";
import { rowsOf } from "../chat/rows";
import { useScrollKeeper } from "../chat/useScrollKeeper";
import { MessageItem } from "./MessageItem";
import { OutgoingItem } from "./OutgoingItem";
import { DownIcon } from "./icons";

interface Props {
    room: string;
    /** What people call it. */
    name: string;
    handle: string;
    feed: RoomFeed | null;
    state: FeedState | null;
    outgoing: readonly Outgoing[];
    onRetry: (messageId: string) => void;
    onDiscard: (messageId: string) => void;
}

const NONE: readonly Message[] = [];

export function MessageList({ room, name, handle, feed, state, outgoing, onRetry, onDiscard }: Props) {
    const messages = state?.messages ?? NONE;
    const isLoaded = state?.isLoaded ?? false;
    const rows = useMemo(() => rowsOf(messages), [messages]);
    const ids = useMemo(() => messages.map((message) => message.messageId), [messages]);
    const onNearTop = useCallback(() => {
        if (feed?.state.get().older === "idle") {
            void feed.loadOlder();
        }
    }, [feed]);
    const onEnd = useCallback(() => feed?.trim(), [feed]);
    const contents = useMemo(() => [rows, outgoing.length, state?.older], [rows, outgoing.length, state?.older]);
    const keeper = useScrollKeeper({ room, isLoaded, ids, contents, onNearTop, onEnd });
    const unseen = useUnseen(messages, keeper.isAtEnd);

    // One's own new message is always worth seeing.
    const newest = outgoing.at(-1)?.messageId;
    const { toEnd } = keeper;
    const isFirst = useRef(true);
    useEffect(() => {
        if (newest !== undefined && !isFirst.current) {
            toEnd();
        }
        isFirst.current = false;
    }, [newest, toEnd]);

    return (
        <div className="list-frame">
            <div
                className="scroller"
                ref={keeper.scroller}
                onScroll={keeper.onScroll}
                tabIndex={0}
                role="region"
                aria-label={`Messages in ${name}`}
                aria-busy={!isLoaded}
            >
                <div className="list-inner">
                    <OlderStatus state={state} onRetry={() => void feed?.loadOlder()} />
                    <ol className="messages">
                        {rows.map((row) =>
                            row.kind === "day" ? (
                                <li className="day" key={row.key}>
                                    <span>{row.label}</span>
                                </li>
                            ) : (
                                <MessageItem
                                    key={row.key}
                                    message={row.message}
                                    isOwn={row.message.handle === handle}
                                    opensGroup={row.opensGroup}
                                />
                            ),
                        )}
                        {outgoing.map((entry, index) => (
                            <OutgoingItem
                                key={entry.messageId}
                                entry={entry}
                                opensGroup={index === 0 && messages.at(-1)?.handle !== handle}
                                onRetry={onRetry}
                                onDiscard={onDiscard}
                            />
                        ))}
                    </ol>
                    {isLoaded && messages.length === 0 && outgoing.length === 0 && (
                        <p className="empty">
                            <strong>It is quiet here.</strong>
                            Write the first message of this room.
                        </p>
                    )}
                </div>
            </div>
            {!keeper.isAtEnd && (
                <button type="button" className="to-end" onClick={keeper.toEnd}>
                    <DownIcon />
                    {unseen === 0 ? "Newest" : unseen === 1 ? "1 new message" : `${unseen} new messages`}
                </button>
            )}
        </div>
    );
}

function OlderStatus({ state, onRetry }: { state: FeedState | null; onRetry: () => void }) {
    if (!state || (!state.isLoaded && state.messages.length === 0)) {
        return <p className="older is-loading">Loading messages…</p>;
    }
    if (state.older === "failed") {
        return (
            <p className="older">
                Older messages could not be loaded.{" "}
                <button type="button" className="link" onClick={onRetry}>
                    Try again
                </button>
            </p>
        );
    }
    if (state.older === "loading" || state.hasOlder) {
        return <p className="older is-loading">Loading older messages…</p>;
    }
    return state.messages.length > 0 ? <p className="older">This is where the room begins.</p> : null;
}

/** How many messages came below while the reader was further up. */
function useUnseen(messages: readonly Message[], isAtEnd: boolean): number {
    const seen = useRef<string | null>(null);
    if (isAtEnd || seen.current === null) {
        seen.current = messages.at(-1)?.cursor ?? null;
    }
    const index = messages.findLastIndex((message) => message.cursor === seen.current);
    return index < 0 ? 0 : messages.length - 1 - index;
}
