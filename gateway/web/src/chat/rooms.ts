import { shared } from "../lib/storage";

export const DEFAULT_ROOM = "lobby";
export const MAX_ROOM_LENGTH = 128;
const KEY = "parley.rooms";
const REMEMBERED = 12;
const PRIVATE = "private/";

/** Only members get into such a room; the server says which ones those are, so the browser need not remember. */
export function isPrivate(room: string): boolean {
    return room.startsWith(PRIVATE);
}

/** The room named in the address, as in #/room/lobby. */
export function roomOfHash(hash: string): string {
    const match = /^#\/room\/(.+)$/.exec(hash);
    if (!match) {
        return DEFAULT_ROOM;
    }
    try {
        return decodeURIComponent(match[1]!);
    } catch {
        return DEFAULT_ROOM;
    }
}

export function hashOfRoom(room: string): string {
    return `#/room/${encodeURIComponent(room)}`;
}

/** Rooms visited in this browser, the default one first and the others in the order of their first visit. */
export function rememberedRooms(): string[] {
    const value = shared.read(KEY);
    const rooms = Array.isArray(value) ? value.filter((room): room is string => typeof room === "string") : [];
    return [DEFAULT_ROOM, ...rooms.filter((room) => room !== DEFAULT_ROOM && !isPrivate(room))];
}

export function rememberRoom(room: string): string[] {
    const rooms = rememberedRooms();
    if (rooms.includes(room) || isPrivate(room)) {
        return rooms;
    }
    const others = [...rooms.slice(1), room].slice(-REMEMBERED);
    shared.write(KEY, others);
    return [DEFAULT_ROOM, ...others];
}

export function forgetRoom(room: string): string[] {
    shared.write(
        KEY,
        rememberedRooms().filter((other) => other !== room && other !== DEFAULT_ROOM),
    );
    return rememberedRooms();
}
