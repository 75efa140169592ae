import { useCallback, useEffect, useRef, useState } from "react";
import type { Message } from "../api/operations";
import { DEFAULT_ROOM, hashOfRoom } from "../chat/rooms";
import { useChat } from "../chat/useChat";
import { useRoom } from "../chat/useRoom";
import { useMediaQuery } from "../lib/hooks";
import { session } from "../session/session";
import { Composer } from "./Composer";
import { ConnectionBadge } from "./ConnectionBadge";
import { Drawer } from "./Drawer";
import { MessageList } from "./MessageList";
import { Sidebar } from "./Sidebar";
import { MenuIcon } from "./icons";

const SPOKEN_LENGTH = 240;

export function ChatPage({ handle }: { handle: string }) {
    const choice = useRoom();
    const { room } = choice;
    const { feed, state, outbox, outgoing, heard, missed } = useChat(handle, room);
    const [isMenuOpen, setIsMenuOpen] = useState(false);
    const isWide = useMediaQuery("(min-width: 52rem)");
    const field = useRef<HTMLTextAreaElement>(null);

    useEffect(() => {
        document.title = `${missed > 0 ? `(${missed}) ` : ""}${room} · Parley`;
    }, [room, missed]);
    useEffect(() => setIsMenuOpen(false), [isWide, room]);

    const closeMenu = useCallback(() => setIsMenuOpen(false), []);
    const onRetry = useCallback(
        (messageId: string) => {
            outbox?.retry(messageId);
            field.current?.focus();
        },
        [outbox],
    );
    const onDiscard = useCallback(
        (messageId: string) => {
            outbox?.drop(new Set([messageId]));
            field.current?.focus();
        },
        [outbox],
    );

    const sidebar = (
        <Sidebar handle={handle} choice={choice} onChosen={closeMenu} onSignOut={() => void session.signOut()} />
    );
    return (
        <div className="chat">
            {isWide ? (
                <aside className="chat-side" aria-label="Rooms and account">
                    {sidebar}
                </aside>
            ) : (
                <Drawer label="Rooms and account" isOpen={isMenuOpen} onClose={closeMenu}>
                    {sidebar}
                </Drawer>
            )}
            <main className="chat-main">
                <header className="room-header">
                    {!isWide && (
                        <button
                            type="button"
                            className="icon-button"
                            onClick={() => setIsMenuOpen(true)}
                            aria-label="Rooms and account"
                            aria-haspopup="dialog"
                        >
                            <MenuIcon />
                        </button>
                    )}
                    <h1 className="room-title" dir="auto">
                        <span className="room-mark" aria-hidden="true">
                            #
                        </span>
                        {room}
                    </h1>
                    {!state?.problem && <ConnectionBadge connection={state?.connection ?? "connecting"} />}
                </header>
                {state?.problem ? (
                    <RoomProblem room={room} problem={state.problem} />
                ) : (
                    <>
                        <MessageList
                            key={room}
                            room={room}
                            handle={handle}
                            feed={feed}
                            state={state}
                            outgoing={outgoing}
                            onRetry={onRetry}
                            onDiscard={onDiscard}
                        />
                        <Composer
                            key={`composer-${room}`}
                            room={room}
                            field={field}
                            onSend={(body) => outbox?.send(room, body)}
                        />
                    </>
                )}
            </main>
            <Announcer message={heard} />
        </div>
    );
}

function RoomProblem({ room, problem }: { room: string; problem: string }) {
    return (
        <div className="room-problem" role="alert">
            <p>
                <strong>This room cannot be opened.</strong>
                {problem}
            </p>
            {room !== DEFAULT_ROOM && <a href={hashOfRoom(DEFAULT_ROOM)}>Go to the {DEFAULT_ROOM}</a>}
        </div>
    );
}

/** Reads new messages out to those who listen to the page. */
function Announcer({ message }: { message: Message | null }) {
    return (
        <p className="visually-hidden" role="status" aria-live="polite">
            {message && `${message.handle}: ${message.body.slice(0, SPOKEN_LENGTH)}`}
        </p>
    );
}
