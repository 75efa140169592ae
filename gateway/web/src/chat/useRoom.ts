import { useCallback, useEffect, useState } from "react";
import { hashOfRoom, rememberRoom, forgetRoom, rememberedRooms, roomOfHash } from "./rooms";

export interface RoomChoice {
    room: string;
    /** Rooms to choose from, the present one among them. */
    rooms: readonly string[];
    enter: (room: string) => void;
    forget: (room: string) => void;
}

/** The present room; it lives in the address, so that reload, links and the back button work. */
export function useRoom(): RoomChoice {
    const [room, setRoom] = useState(() => roomOfHash(location.hash));
    const [rooms, setRooms] = useState<readonly string[]>(rememberedRooms);
    useEffect(() => {
        const follow = () => setRoom(roomOfHash(location.hash));
        window.addEventListener("hashchange", follow);
        return () => window.removeEventListener("hashchange", follow);
    }, []);
    useEffect(() => {
        if (location.hash !== hashOfRoom(room)) {
            history.replaceState(null, "", hashOfRoom(room));
        }
        setRooms(rememberRoom(room));
    }, [room]);
    const enter = useCallback((next: string) => {
        location.hash = hashOfRoom(next);
    }, []);
    const forget = useCallback((gone: string) => setRooms(forgetRoom(gone)), []);
    return { room, rooms, enter, forget };
}
