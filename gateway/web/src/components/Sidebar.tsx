import { useState, type FormEvent } from "react";
import type { PrivateRoom } from "../api/operations";
import type { PrivateRooms } from "../chat/privateRooms";
import { DEFAULT_ROOM, MAX_ROOM_LENGTH, hashOfRoom } from "../chat/rooms";
import type { RoomChoice } from "../chat/useRoom";
import { Avatar } from "./Avatar";
import { PrivateRoomList } from "./PrivateRoomList";
import { RoomMark } from "./RoomMark";
import { CloseIcon, Logo, PlusIcon, SignOutIcon } from "./icons";

interface Props {
    handle: string;
    choice: RoomChoice;
    privateRooms: PrivateRooms | null;
    myRooms: readonly PrivateRoom[];
    /** A room was chosen; where the sidebar lies over the page, it goes away then. */
    onChosen: () => void;
    onSignOut: () => void;
}

export function Sidebar({ handle, choice, privateRooms, myRooms, onChosen, onSignOut }: Props) {
    return (
        <div className="sidebar">
            <p className="brand">
                <Logo />
                Parley
            </p>
            <nav className="rooms" aria-label="Rooms">
                <h2 className="rooms-title">Rooms</h2>
                <ul>
                    {choice.rooms.map((room) => (
                        <RoomLink key={room} room={room} choice={choice} onChosen={onChosen} />
                    ))}
                </ul>
                <JoinRoom choice={choice} onChosen={onChosen} />
                <PrivateRoomList rooms={myRooms} privateRooms={privateRooms} choice={choice} onChosen={onChosen} />
            </nav>
            <div className="account">
                <Avatar handle={handle} />
                <span className="account-name" dir="auto" title={handle}>
                    {handle}
                </span>
                <button type="button" className="icon-button" onClick={onSignOut} aria-label="Sign out" title="Sign out">
                    <SignOutIcon />
                </button>
            </div>
        </div>
    );
}

function RoomLink({ room, choice, onChosen }: { room: string; choice: RoomChoice; onChosen: () => void }) {
    const isCurrent = room === choice.room;
    return (
        <li className={isCurrent ? "room is-current" : "room"}>
            <a href={hashOfRoom(room)} aria-current={isCurrent ? "page" : undefined} onClick={onChosen}>
                <RoomMark isPrivate={false} />
                <span className="room-name" dir="auto">
                    {room}
                </span>
            </a>
            {room !== DEFAULT_ROOM && !isCurrent && (
                <button
                    type="button"
                    className="icon-button is-small"
                    onClick={() => choice.forget(room)}
                    aria-label={`Remove ${room} from the list`}
                    title="Remove from the list"
                >
                    <CloseIcon />
                </button>
            )}
        </li>
    );
}

function JoinRoom({ choice, onChosen }: { choice: RoomChoice; onChosen: () => void }) {
    const [name, setName] = useState("");
    const submit = (event: FormEvent) => {
        event.preventDefault();
        const room = name.trim();
        if (room !== "") {
            choice.enter(room);
            setName("");
            onChosen();
        }
    };
    return (
        <form className="join" onSubmit={submit}>
            <label className="visually-hidden" htmlFor="join-room">
                Go to a room by its name
            </label>
            <input
                id="join-room"
                value={name}
                maxLength={MAX_ROOM_LENGTH}
                placeholder="Go to a room…"
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                enterKeyHint="go"
                onChange={(event) => setName(event.target.value)}
            />
            <button type="submit" className="icon-button" aria-label="Go" title="Go" disabled={name.trim() === ""}>
                <PlusIcon />
            </button>
        </form>
    );
}
