import { LockIcon } from "./icons";

/** What stands before a room's name: open to all, or not. */
export function RoomMark({ isPrivate }: { isPrivate: boolean }) {
    return (
        <span className={isPrivate ? "room-mark is-lock" : "room-mark"} aria-hidden="true">
            {isPrivate ? <LockIcon /> : "#"}
        </span>
    );
}
