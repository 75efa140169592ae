import { useState, type FormEvent } from "react";
import { explain } from "../api/errors";
import type { PrivateRoom } from "../api/operations";
import type { PrivateRooms } from "../chat/privateRooms";
import { MAX_ROOM_LENGTH, hashOfRoom } from "../chat/rooms";
import type { RoomChoice } from "../chat/useRoom";
import { RoomMark } from "./RoomMark";
import { PlusIcon } from "./icons";

interface Props {
    rooms: readonly PrivateRoom[];
    privateRooms: PrivateRooms | null;
    choice: RoomChoice;
    onChosen: () => void;
}

/** The sidebar's part about private rooms. */
export function PrivateRoomList({ rooms, privateRooms, choice, onChosen }: Props) {
    return (
        <>
            <h2 className="rooms-title">Private rooms</h2>
            <ul>
                {rooms.map(({ room, title }) => (
                    <li key={room} className={room === choice.room ? "room is-current" : "room"}>
                        <a href={hashOfRoom(room)} aria-current={room === choice.room ? "page" : undefined} onClick={onChosen}>
                            <RoomMark isPrivate />
                            <span className="room-name" dir="auto">
                                {title}
                            </span>
                        </a>
                    </li>
                ))}
            </ul>
            <NewRoom privateRooms={privateRooms} choice={choice} onChosen={onChosen} />
        </>
    );
}

function NewRoom({ privateRooms, choice, onChosen }: Pick<Props, "privateRooms" | "choice" | "onChosen">) {
    const [title, setTitle] = useState("");
    const [isBusy, setIsBusy] = useState(false);
    const [problem, setProblem] = useState<string | null>(null);
    const submit = async (event: FormEvent) => {
        event.preventDefault();
        if (title.trim() === "" || !privateRooms || isBusy) {
            return;
        }
        setIsBusy(true);
        setProblem(null);
        try {
            const { room } = await privateRooms.create(title.trim());
            setTitle("");
            choice.enter(room);
            onChosen();
        } catch (error) {
            setProblem(explain(error));
        }
        setIsBusy(false);
    };
    return (
        <>
            <form className="join" onSubmit={(event) => void submit(event)}>
                <label className="visually-hidden" htmlFor="new-room">
                    Make a private room
                </label>
                <input
                    id="new-room"
                    value={title}
                    maxLength={MAX_ROOM_LENGTH}
                    placeholder="New private room…"
                    autoComplete="off"
                    enterKeyHint="done"
                    onChange={(event) => setTitle(event.target.value)}
                />
                <button
                    type="submit"
                    className="icon-button"
                    aria-label="Make it"
                    title="Make it"
                    disabled={title.trim() === "" || isBusy}
                >
                    <PlusIcon />
                </button>
            </form>
            {problem && (
                <p className="side-problem" role="alert">
                    {problem}
                </p>
            )}
        </>
    );
}
