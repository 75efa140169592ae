import { ApiError, codeOf, explain } from "../api/errors";
import { execute } from "../api/http";
import { ADD_MESSAGE, GET_MESSAGES, type Message } from "../api/operations";
import type { Realtime } from "../api/realtime";
import { backoffMs } from "../lib/backoff";
import { Store } from "../lib/store";
import { session } from "../session/session";
import { append, prepend } from "./messages";

export const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 500;
/** A list that is being read at its end keeps this many messages; older ones are fetched again when wanted. */
const KEEP = 300;
const TRIM_ABOVE = 400;
/** Arrivals within one frame are shown together. */
const FLUSH_MS = 16;
/** A subscription that was refused is so within this time; the sub-protocol has no word for "accepted". */
const SETTLE_MS = 250;

export type Connection = "connecting" | "live" | "reconnecting" | "offline";

export interface FeedState {
    messages: readonly Message[];
    /** Whether the first page is there, so that an empty list means an empty room. */
    isLoaded: boolean;
    hasOlder: boolean;
    older: "idle" | "loading" | "failed";
    connection: Connection;
    /** Why this room cannot be shown at all. */
    problem: string | null;
}

const START: FeedState = {
    messages: [],
    isLoaded: false,
    hasOlder: false,
    older: "idle",
    connection: "connecting",
    problem: null,
};

/**
 * A room's messages: the newest page by a query, then everything behind it by a subscription, which is resumed at the
 * last cursor for as long as the feed is open. So nothing is missed and nothing comes twice.
 */
export class RoomFeed {
    readonly state = new Store<FeedState>(START);
    private isOpen = true;
    private lastCursor: string | null = null;
    /** The room was empty when following began: what came before the newest ones since then is not known. */
    private isByNumber = false;
    private arrived: Message[] = [];
    private flushTimer: ReturnType<typeof setTimeout> | undefined;
    private unsubscribe: (() => void) | null = null;
    private wake: (() => void) | null = null;
    private endFollowing: ((error: ApiError) => void) | null = null;
    /** Changes when the list is thrown away, so that an answer meant for the old list is not put into the new one. */
    private generation = 0;

    /** Begins at once. depth: how many of the newest messages to begin with, to get back to a place in the past. */
    constructor(
        readonly room: string,
        private readonly realtime: Realtime,
        private readonly onArrival: (messages: readonly Message[]) => void,
        private readonly depth: number = PAGE_SIZE,
    ) {
        window.addEventListener("online", this.onNetwork);
        window.addEventListener("offline", this.onNetwork);
        document.addEventListener("visibilitychange", this.onVisible);
        void this.run();
    }

    close(): void {
        this.isOpen = false;
        clearTimeout(this.flushTimer);
        window.removeEventListener("online", this.onNetwork);
        window.removeEventListener("offline", this.onNetwork);
        document.removeEventListener("visibilitychange", this.onVisible);
        this.endFollowing?.(new ApiError("UNAVAILABLE", ""));
        this.wake?.();
    }

    async loadOlder(): Promise<void> {
        const { messages, older, hasOlder } = this.state.get();
        const oldest = messages[0];
        if (!oldest || !hasOlder || older === "loading") {
            return;
        }
        const generation = this.generation;
        this.update({ older: "loading" });
        try {
            const page = await this.page(PAGE_SIZE, oldest.cursor);
            if (generation === this.generation) {
                this.update({
                    messages: prepend(this.state.get().messages, page),
                    hasOlder: page.length === PAGE_SIZE,
                    older: "idle",
                });
            }
        } catch (error) {
            if (generation !== this.generation) {
                return;
            }
            this.update({ older: "failed" });
            if (codeOf(error) === "CURSOR_EXPIRED") {
                this.endFollowing?.(error as ApiError);
            }
        }
    }

    /** Lets go of old messages that nobody is looking at. For the view to call while it shows the end of the list. */
    trim(): void {
        const { messages, older } = this.state.get();
        if (messages.length > TRIM_ABOVE && older !== "loading") {
            this.update({ messages: messages.slice(-KEEP), hasOlder: true });
        }
    }

    /** Loads and follows, for ever. Only a refusal that no repetition can change ends it. */
    private async run(): Promise<void> {
        let attempt = 0;
        while (this.isOpen) {
            try {
                if (!this.state.get().isLoaded) {
                    await this.loadNewest();
                }
                await this.follow(() => (attempt = 0));
            } catch (error) {
                if (!this.isOpen || !(await this.recover(error))) {
                    return;
                }
            }
            this.update({ connection: navigator.onLine ? "reconnecting" : "offline" });
            await this.pause(backoffMs(attempt++));
        }
    }

    /** Prepares the next attempt; false if there is no point in one. */
    private async recover(error: unknown): Promise<boolean> {
        switch (codeOf(error)) {
            case "UNAUTHENTICATED":
                await session
                    .current()
                    .then((current) => session.renew(current))
                    .catch(() => undefined);
                return true;
            case "CURSOR_EXPIRED":
                this.reset();
                return true;
            case "BAD_USER_INPUT":
            case "FORBIDDEN":
            case "NOT_FOUND":
                if (this.state.get().isLoaded) {
                    this.reset();
                    return true;
                }
                this.update({ problem: explain(error) });
                return false;
            default:
                return true;
        }
    }

    private async loadNewest(): Promise<void> {
        const last = Math.min(Math.max(this.depth, PAGE_SIZE), MAX_PAGE_SIZE);
        const messages = await this.page(last);
        if (!this.isOpen) {
            return;
        }
        this.lastCursor = messages.at(-1)?.cursor ?? null;
        this.update({ messages, isLoaded: true, hasOlder: messages.length === last, older: "idle" });
    }

    private page(last: number, before?: string): Promise<Message[]> {
        const variables = before === undefined ? { room: this.room, last } : { room: this.room, last, before };
        return session
            .authorized((token) => execute(GET_MESSAGES, variables, token))
            .then((data) => data.getMessages);
    }

    /** Subscribes behind the last message; returns by throwing the reason why the subscription ended. */
    private follow(onLive: () => void): Promise<never> {
        return new Promise((_, reject) => {
            let settled: ReturnType<typeof setTimeout> | undefined;
            const live = () => {
                clearTimeout(settled);
                onLive();
                this.update({ connection: "live" });
            };
            this.endFollowing = (error) => {
                clearTimeout(settled);
                this.endFollowing = null;
                this.unsubscribe?.();
                this.unsubscribe = null;
                this.flush();
                reject(error);
            };
            // An empty room has no cursor yet: its first messages are asked for by number.
            this.isByNumber = this.lastCursor === null;
            const from = this.lastCursor === null ? { last: PAGE_SIZE } : { after: this.lastCursor };
            this.unsubscribe = this.realtime.subscribe(
                ADD_MESSAGE,
                { room: this.room, ...from },
                {
                    connected: () => {
                        settled = setTimeout(live, SETTLE_MS);
                    },
                    next: ({ addMessage }) => {
                        if (addMessage) {
                            this.receive(addMessage);
                        }
                        if (this.state.get().connection !== "live") {
                            live();
                        }
                    },
                    ended: (error) => this.endFollowing?.(error),
                },
            );
        });
    }

    private receive(message: Message): void {
        this.lastCursor = message.cursor;
        this.arrived.push(message);
        this.flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS);
    }

    private flush(): void {
        clearTimeout(this.flushTimer);
        this.flushTimer = undefined;
        const arrived = this.arrived;
        this.arrived = [];
        if (arrived.length === 0 || !this.isOpen) {
            return;
        }
        const before = this.state.get().messages;
        const messages = append(before, arrived);
        const mayLack = this.isByNumber && before.length < PAGE_SIZE && messages.length >= PAGE_SIZE;
        this.update(mayLack ? { messages, hasOlder: true } : { messages });
        this.onArrival(messages.slice(before.length));
    }

    /** The log was replaced under us: what is shown may no longer be so, and is read again. */
    private reset(): void {
        this.generation++;
        this.lastCursor = null;
        this.arrived = [];
        this.update({ isLoaded: false, older: "idle" });
    }

    private pause(ms: number): Promise<void> {
        return new Promise((resolve) => {
            const timer = setTimeout(resolve, ms);
            this.wake = () => {
                clearTimeout(timer);
                resolve();
            };
        });
    }

    private update(change: Partial<FeedState>): void {
        if (this.isOpen) {
            this.state.set({ ...this.state.get(), ...change });
        }
    }

    /**
     * The network came, went or changed. A socket of the old network may look alive for a long time yet, and what the
     * browser calls offline may still reach a server near by: trying tells.
     */
    private readonly onNetwork = (): void => {
        this.realtime.cut();
        this.wake?.();
    };

    private readonly onVisible = (): void => {
        if (document.visibilityState === "visible") {
            this.wake?.();
        }
    };
}
