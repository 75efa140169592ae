import type { Message } from "../api/operations";

/** Messages in the order of the room's log, each once. Pure functions; the feed owns the list. */

/** Adds messages behind the list. What is in it already, by id or cursor, is left out. */
export function append(list: readonly Message[], more: readonly Message[]): readonly Message[] {
    const fresh = without(more, list);
    return fresh.length === 0 ? list : [...list, ...fresh];
}

/** Adds an older page before the list. */
export function prepend(list: readonly Message[], older: readonly Message[]): readonly Message[] {
    const fresh = without(older, list);
    return fresh.length === 0 ? list : [...fresh, ...list];
}

function without(messages: readonly Message[], known: readonly Message[]): Message[] {
    const ids = new Set<string>();
    const cursors = new Set<string>();
    for (const message of known) {
        ids.add(message.messageId);
        cursors.add(message.cursor);
    }
    return messages.filter((message) => {
        const isNew = !ids.has(message.messageId) && !cursors.has(message.cursor);
        ids.add(message.messageId);
        cursors.add(message.cursor);
        return isNew;
    });
}
