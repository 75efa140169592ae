import { execute } from "../api/http";
import { CREATE_ROOM, MY_ROOMS, type PrivateRoom } from "../api/operations";
import { Store } from "../lib/store";
import { session } from "../session/session";

/** Somebody may have invited us meanwhile: nothing tells, so it is asked. */
const ASK_AGAIN_MS = 20_000;

/** The private rooms of who is signed in. */
export class PrivateRooms {
    readonly rooms = new Store<readonly PrivateRoom[]>([]);
    private isOpen = true;
    private timer: ReturnType<typeof setTimeout> | undefined;

    constructor() {
        document.addEventListener("visibilitychange", this.onVisible);
        void this.load();
    }

    close(): void {
        this.isOpen = false;
        clearTimeout(this.timer);
        document.removeEventListener("visibilitychange", this.onVisible);
    }

    /** Asks now; what cannot be asked now is asked later. */
    readonly load = async (): Promise<void> => {
        clearTimeout(this.timer);
        try {
            const data = await session.authorized((token) => execute(MY_ROOMS, {}, token));
            if (this.isOpen && !isSame(data.myRooms, this.rooms.get())) {
                this.rooms.set(data.myRooms);
            }
        } catch {
            // The list stays as it is.
        }
        clearTimeout(this.timer);
        if (this.isOpen) {
            this.timer = setTimeout(this.onVisible, ASK_AGAIN_MS);
        }
    };

    async create(title: string): Promise<PrivateRoom> {
        const { createRoom } = await session.authorized((token) => execute(CREATE_ROOM, { title }, token));
        this.rooms.set([createRoom, ...this.rooms.get().filter((other) => other.room !== createRoom.room)]);
        return createRoom;
    }

    /** A hidden page asks when it is shown again. */
    private readonly onVisible = (): void => {
        if (document.visibilityState === "visible") {
            void this.load();
        }
    };
}

function isSame(one: readonly PrivateRoom[], other: readonly PrivateRoom[]): boolean {
    return JSON.stringify(one) === JSON.stringify(other);
}
