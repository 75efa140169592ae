import { perTab } from "../lib/storage";

/** Where somebody was reading in a room, so that a reload finds the place again. */
export interface Place {
    /** The first message in view, and how far its top is from the top of the view in CSS pixels. */
    messageId: string;
    offset: number;
    /** How many messages back from the newest it was. */
    depth: number;
}

const key = (room: string) => `parley.place.${room}`;

/** Null means at the end, where one stays when new messages come. */
export function savePlace(room: string, place: Place | null): void {
    if (place) {
        perTab.write(key(room), place);
    } else {
        perTab.remove(key(room));
    }
}

export function loadPlace(room: string): Place | null {
    const value = perTab.read(key(room)) as Partial<Place> | null;
    const isPlace =
        typeof value?.messageId === "string" && typeof value.offset === "number" && typeof value.depth === "number";
    return isPlace ? (value as Place) : null;
}
