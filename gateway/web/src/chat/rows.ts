import type { Message } from "../api/operations";
import { formatDay, isSameDay } from "../lib/format";

const GROUP_GAP_MS = 5 * 60_000;

export type Row =
    | { kind: "day"; key: string; label: string }
    | { kind: "message"; key: string; message: Message; opensGroup: boolean };

/** The list as it is shown: a heading for each day, and messages of one sender in close succession as one group. */
export function rowsOf(messages: readonly Message[], today: Date = new Date()): Row[] {
    const rows: Row[] = [];
    let previous: { at: Date; handle: string } | null = null;
    for (const message of messages) {
        const at = new Date(message.createdAt);
        const isNewDay = !previous || !isSameDay(previous.at, at);
        if (isNewDay) {
            rows.push({ kind: "day", key: `day-${message.messageId}`, label: formatDay(at, today) });
        }
        const opensGroup =
            isNewDay || previous?.handle !== message.handle || at.getTime() - previous.at.getTime() > GROUP_GAP_MS;
        rows.push({ kind: "message", key: message.messageId, message, opensGroup });
        previous = { at, handle: message.handle };
    }
    return rows;
}
