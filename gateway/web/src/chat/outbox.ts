import { explain } from "../api/errors";
import { execute } from "../api/http";
import { CREATE_MESSAGE } from "../api/operations";
import { perTab } from "../lib/storage";
import { Store } from "../lib/store";
import { uuid } from "../lib/uuid";
import { session } from "../session/session";

const MAX_BODY_BYTES = 64 * 1024;

export interface Outgoing {
    /** Chosen here and kept over all attempts, so that a repetition cannot post twice. */
    messageId: string;
    room: string;
    body: string;
    createdAt: string;
    state: "sending" | "sent" | "failed";
    problem: string | null;
}

/** What this person has written and the feed has not shown yet. Survives a reload of the tab. */
export class Outbox {
    readonly entries: Store<readonly Outgoing[]>;
    private readonly key: string;
    private queue: Promise<void> = Promise.resolve();
    private isOpen = true;

    constructor(handle: string) {
        this.key = `parley.outbox.${handle}`;
        this.entries = new Store(restore(perTab.read(this.key)));
        for (const entry of this.entries.get()) {
            if (entry.state === "sending") {
                this.enqueue(entry);
            }
        }
    }

    close(): void {
        this.isOpen = false;
    }

    send(room: string, body: string): void {
        const entry: Outgoing = {
            messageId: uuid(),
            room,
            body,
            createdAt: new Date().toISOString(),
            state: "sending",
            problem: null,
        };
        this.set([...this.entries.get(), entry]);
        this.enqueue(entry);
    }

    retry(messageId: string): void {
        const entry = this.entries.get().find((candidate) => candidate.messageId === messageId);
        if (entry?.state === "failed") {
            this.change(messageId, { state: "sending", problem: null });
            this.enqueue(entry);
        }
    }

    /** Forgets entries: discarded by the person, or shown by the feed from now on. */
    drop(messageIds: ReadonlySet<string>): void {
        const left = this.entries.get().filter((entry) => !messageIds.has(entry.messageId));
        if (left.length !== this.entries.get().length) {
            this.set(left);
        }
    }

    /** One at a time, so that messages arrive in the order in which they were written. */
    private enqueue(entry: Outgoing): void {
        this.queue = this.queue.then(() => this.post(entry));
    }

    private async post({ messageId, room, body }: Outgoing): Promise<void> {
        if (!this.isOpen) {
            return;
        }
        try {
            await session.authorized((token) => execute(CREATE_MESSAGE, { messageId, room, body }, token));
            this.change(messageId, { state: "sent" });
        } catch (error) {
            this.change(messageId, { state: "failed", problem: explain(error) });
        }
    }

    private change(messageId: string, change: Partial<Outgoing>): void {
        if (this.isOpen) {
            const entries = this.entries.get();
            this.set(entries.map((entry) => (entry.messageId === messageId ? { ...entry, ...change } : entry)));
        }
    }

    private set(entries: readonly Outgoing[]): void {
        this.entries.set(entries);
        perTab.write(
            this.key,
            entries.filter((entry) => entry.state !== "sent"),
        );
    }
}

/** Why a body cannot be sent, or null if it can. */
export function bodyProblem(body: string): string | null {
    const size = new TextEncoder().encode(body).length;
    return size <= MAX_BODY_BYTES ? null : "That is too long: a message holds up to 64 KiB of text.";
}

function restore(value: unknown): Outgoing[] {
    if (!Array.isArray(value)) {
        return [];
    }
    return value.filter(
        (entry): entry is Outgoing =>
            typeof entry?.messageId === "string" &&
            typeof entry.room === "string" &&
            typeof entry.body === "string" &&
            (entry.state === "sending" || entry.state === "failed"),
    );
}
