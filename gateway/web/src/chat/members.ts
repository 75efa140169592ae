import { codeOf } from "../api/errors";
import { execute } from "../api/http";
import { INVITE, LEAVE, REMOVE, ROOM_CHANGES, ROOM_MEMBERS, SET_ROLE, type RoomMember, type RoomRole } from "../api/operations";
import type { Realtime } from "../api/realtime";
import { backoffMs } from "../lib/backoff";
import { Store } from "../lib/store";
import { session } from "../session/session";

/** Changes that come together lead to one look at the list. */
const GATHER_MS = 40;

/**
 * Who is in a private room. The list is asked for, and then again whenever a change is told behind one that it knew; so
 * no change is missed, and one that is told twice does no harm.
 */
export class Members {
    readonly list = new Store<readonly RoomMember[]>([]);
    private isOpen = true;
    private unsubscribe: (() => void) | null = null;
    private timer: ReturnType<typeof setTimeout> | undefined;
    private attempt = 0;

    /** onChange: something about this room's members has changed, perhaps our own role. */
    constructor(
        readonly room: string,
        private readonly realtime: Realtime,
        private readonly onChange: () => void,
    ) {
        void this.begin();
    }

    close(): void {
        this.isOpen = false;
        clearTimeout(this.timer);
        this.unsubscribe?.();
    }

    async invite(handle: string): Promise<void> {
        await session.authorized((token) => execute(INVITE, { room: this.room, handle }, token));
        await this.reload();
    }

    async setRole(handle: string, role: RoomRole): Promise<void> {
        await session.authorized((token) => execute(SET_ROLE, { room: this.room, handle, role }, token));
        await this.reload();
    }

    async remove(handle: string): Promise<void> {
        await session.authorized((token) => execute(REMOVE, { room: this.room, handle }, token));
        await this.reload();
    }

    async leave(): Promise<void> {
        await session.authorized((token) => execute(LEAVE, { room: this.room }, token));
        this.onChange();
    }

    private async begin(): Promise<void> {
        try {
            await this.load();
            this.follow();
        } catch (error) {
            this.again(codeOf(error) === "FORBIDDEN");
        }
    }

    private async load(): Promise<void> {
        const { roomMembers } = await session.authorized((token) => execute(ROOM_MEMBERS, { room: this.room }, token));
        if (this.isOpen) {
            this.attempt = 0;
            this.list.set(roomMembers);
        }
    }

    /** After a change, which holds whether or not the list can be had now. */
    private async reload(): Promise<void> {
        try {
            await this.load();
        } catch (error) {
            this.again(codeOf(error) === "FORBIDDEN");
        }
    }

    private follow(): void {
        const after = this.list.get()[0]?.cursor;
        if (!this.isOpen || after === undefined) {
            return;
        }
        this.unsubscribe = this.realtime.subscribe(
            ROOM_CHANGES,
            { room: this.room, after },
            {
                connected: () => undefined,
                next: () => {
                    clearTimeout(this.timer);
                    this.timer = setTimeout(() => {
                        void this.reload();
                        this.onChange();
                    }, GATHER_MS);
                },
                ended: (error) => this.again(error.code === "FORBIDDEN"),
            },
        );
    }

    /** Begins anew later; not in a room that is closed to us, where the feed tells what there is to tell. */
    private again(isClosed: boolean): void {
        clearTimeout(this.timer);
        this.unsubscribe?.();
        this.unsubscribe = null;
        if (!this.isOpen) {
            return;
        }
        if (isClosed) {
            this.list.set([]);
            this.onChange();
            return;
        }
        this.timer = setTimeout(() => void this.begin(), backoffMs(this.attempt++));
    }
}
