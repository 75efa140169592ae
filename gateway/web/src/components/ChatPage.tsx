import { useCallback, useEffect, useRef, useState } from "react";
import type { Message } from "../api/operations";
import { DEFAULT_ROOM, hashOfRoom, isPrivate } from "../chat/rooms";
import { useChat } from "../chat/useChat";
import { useRoom } from "../chat/useRoom";
import { useMediaQuery } from "../lib/hooks";
import { session } from "../session/session";
import { Composer } from "./Composer";
import { ConnectionBadge } from "./ConnectionBadge";
import { Drawer } from "./Drawer";
import { MembersPanel } from "./MembersPanel";
import { MessageList } from "./MessageList";
import { RoomMark } from "./RoomMark";
import { Sidebar } from "./Sidebar";
import { MenuIcon, PeopleIcon } from "./icons";

const SPOKEN_LENGTH = 240;

export function ChatPage({ handle }: { handle: string }) {
    const choice = useRoom();
    const { room } = choice;
    const chat = useChat(handle, room);
    const { feed, state, outbox, outgoing, heard, missed, members } = chat;
    const mine = chat.myRooms.find((one) => one.room === room) ?? null;
    const name = mine?.title ?? (isPrivate(room) ? "Private room" : room);
    const [isMenuOpen, setIsMenuOpen] = useState(false);
    const [areMembersOpen, setAreMembersOpen] = useState(false);
    const isWide = useMediaQuery("(min-width: 52rem)");
    const field = useRef<HTMLTextAreaElement>(null);

    useEffect(() => {
        document.title = `${missed > 0 ? `(${missed}) ` : ""}${name} · Parley`;
    }, [name, missed]);
    useEffect(() => setIsMenuOpen(false), [isWide, room]);
    useEffect(() => setAreMembersOpen(false), [room, mine === null]);

    const closeMenu = useCallback(() => setIsMenuOpen(false), []);
    const closeMembers = useCallback(() => setAreMembersOpen(false), []);
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
        <Sidebar
            handle={handle}
            choice={choice}
            privateRooms={chat.privateRooms}
            myRooms={chat.myRooms}
            onChosen={closeMenu}
            onSignOut={() => void session.signOut()}
        />
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
                        <RoomMark isPrivate={isPrivate(room)} />
                        {name}
                    </h1>
                    {mine && !state?.problem && (
                        <button
                            type="button"
                            className="members-button"
                            onClick={() => setAreMembersOpen(true)}
                            aria-label="Members"
                            aria-haspopup="dialog"
                            title="Members"
                        >
                            <PeopleIcon />
                            {chat.memberList.length > 0 && chat.memberList.length}
                        </button>
                    )}
                    {!state?.problem && <ConnectionBadge connection={state?.connection ?? "connecting"} />}
                </header>
                {state?.problem ? (
                    <RoomProblem room={room} problem={state.problem} />
                ) : (
                    <>
                        <MessageList
                            key={room}
                            room={room}
                            name={name}
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
                            name={name}
                            field={field}
                            onSend={(body) => outbox?.send(room, body)}
                        />
                    </>
                )}
            </main>
            {mine && members && (
                <Drawer label="Members" side="right" isOpen={areMembersOpen} onClose={closeMembers}>
                    <MembersPanel
                        key={room}
                        handle={handle}
                        role={mine.role}
                        members={members}
                        list={chat.memberList}
                        onClose={closeMembers}
                        onLeft={() => choice.enter(DEFAULT_ROOM)}
                    />
                </Drawer>
            )}
            <Announcer message={heard} />
        </div>
    );
}

function RoomProblem({ room, problem }: { room: string; problem: string }) {
    return (
        <div className="room-problem" role="alert">
            <p>
                <strong>{isPrivate(room) ? "This room is closed to you." : "This room cannot be opened."}</strong>
                {isPrivate(room) ? "You are not a member of it, or there is no such room." : problem}
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
