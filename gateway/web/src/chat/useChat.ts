import { useEffect, useState } from "react";
import { Realtime } from "../api/realtime";
import type { Message, PrivateRoom, RoomMember } from "../api/operations";
import { useResource, useStore } from "../lib/hooks";
import { Store } from "../lib/store";
import { session } from "../session/session";
import { RoomFeed, type FeedState, PAGE_SIZE } from "./feed";
import { Members } from "./members";
import { Outbox, type Outgoing } from "./outbox";
import { loadPlace } from "./place";
import { PrivateRooms } from "./privateRooms";
import { isPrivate } from "./rooms";

const NO_FEED = new Store<FeedState | null>(null);
const NO_ENTRIES = new Store<readonly Outgoing[]>([]);
const NO_ROOMS = new Store<readonly PrivateRoom[]>([]);
const NO_MEMBERS = new Store<readonly RoomMember[]>([]);

export interface Chat {
    feed: RoomFeed | null;
    state: FeedState | null;
    outbox: Outbox | null;
    /** This room's messages that the feed has not shown yet. */
    outgoing: readonly Outgoing[];
    /** The latest message of somebody else that came while the page was open. */
    heard: Message | null;
    /** How many came while the page was hidden. */
    missed: number;
    privateRooms: PrivateRooms | null;
    myRooms: readonly PrivateRoom[];
    /** Null in an open room. */
    members: Members | null;
    memberList: readonly RoomMember[];
}

/** Everything that a room's page shows, for the person who is signed in as handle. */
export function useChat(handle: string, room: string): Chat {
    const realtime = useResource(
        () => new Realtime(async () => (await session.current()).token),
        (gone) => gone.dispose(),
        [],
    );
    const outbox = useResource(
        () => new Outbox(handle),
        (gone) => gone.close(),
        [handle],
    );
    const privateRooms = useResource(
        () => new PrivateRooms(),
        (gone) => gone.close(),
        [handle],
    );
    const myRooms = useStore(privateRooms?.rooms ?? NO_ROOMS);
    const found = useResource(
        () => (realtime && privateRooms && isPrivate(room) ? new Members(room, realtime, () => void privateRooms.load()) : null),
        (gone) => gone?.close(),
        [realtime, privateRooms, room],
    );
    const members = found?.room === room ? found : null;
    const memberList = useStore(members?.list ?? NO_MEMBERS);
    const [heard, setHeard] = useState<Message | null>(null);
    const [missed, setMissed] = useState(0);
    const current = useResource(
        () => {
            setHeard(null);
            setMissed(0);
            const listen = (arrived: readonly Message[]) => {
                const others = arrived.filter((message) => message.handle !== handle);
                setHeard((last) => others.at(-1) ?? last);
                if (document.visibilityState === "hidden") {
                    setMissed((count) => count + others.length);
                }
            };
            const depth = (loadPlace(room)?.depth ?? 0) + PAGE_SIZE;
            return realtime && new RoomFeed(room, realtime, listen, depth);
        },
        (gone) => gone?.close(),
        [realtime, room, handle],
    );
    // Between a change of room and the effects that follow it, the old room's feed is still here.
    const feed = current?.room === room ? current : null;
    const state = useStore<FeedState | null>((feed?.state as Store<FeedState | null> | undefined) ?? NO_FEED);
    const entries = useStore(outbox?.entries ?? NO_ENTRIES);

    useEffect(() => {
        const onVisible = () => document.visibilityState === "visible" && setMissed(0);
        document.addEventListener("visibilitychange", onVisible);
        return () => document.removeEventListener("visibilitychange", onVisible);
    }, []);

    const messages = state?.messages;
    useEffect(() => {
        if (messages && entries.length > 0) {
            outbox?.drop(new Set(messages.map((message) => message.messageId)));
        }
    }, [outbox, messages, entries]);

    const shown = new Set(entries.length > 0 ? messages?.map((message) => message.messageId) : []);
    const outgoing = entries.filter((entry) => entry.room === room && !shown.has(entry.messageId));
    return { feed, state, outbox, outgoing, heard, missed, privateRooms, myRooms, members, memberList };
}
