import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { loadPlace, savePlace, type Place } from "./place";

/** Within this distance one counts as being at the end. */
const END_PX = 48;
/** Older messages are asked for this far ahead. */
const AHEAD_PX = 600;

interface Options {
    room: string;
    /** Whether the list holds what it should, so that a remembered place can be looked for in it. */
    isLoaded: boolean;
    /** The ids of all messages in the list, oldest first. */
    ids: readonly string[];
    /** Changes whenever the contents of the list do. */
    contents: unknown;
    onNearTop: () => void;
    /** The end of the list is in view. */
    onEnd: () => void;
}

interface ScrollKeeper {
    scroller: RefObject<HTMLDivElement | null>;
    onScroll: () => void;
    isAtEnd: boolean;
    toEnd: () => void;
}

/**
 * Keeps the reader's place in the list: at its end while new messages come, otherwise at the message that is first in
 * view, whatever is added above or below, resized or reloaded. Rows carry data-message-id.
 */
export function useScrollKeeper(options: Options): ScrollKeeper {
    const { room, isLoaded, contents } = options;
    const scroller = useRef<HTMLDivElement>(null);
    const place = useRef<Place | null>(null);
    const isReady = useRef(false);
    const latest = useRef(options);
    latest.current = options;
    const [isAtEnd, setIsAtEnd] = useState(true);

    const settle = useCallback(() => {
        const view = scroller.current;
        if (!view || !isReady.current) {
            return;
        }
        const row = place.current && findRow(view, place.current.messageId);
        if (place.current && row) {
            view.scrollTop = row.offsetTop - place.current.offset;
        } else {
            // The message may be gone with a log that was replaced.
            place.current = null;
            setIsAtEnd(true);
            view.scrollTop = view.scrollHeight;
        }
        if (view.scrollTop < AHEAD_PX) {
            latest.current.onNearTop();
        }
    }, []);

    const onScroll = useCallback(() => {
        const view = scroller.current;
        if (!view || !isReady.current) {
            return;
        }
        const atEnd = view.scrollHeight - view.clientHeight - view.scrollTop <= END_PX;
        place.current = atEnd ? null : placeIn(view, latest.current.ids);
        setIsAtEnd(atEnd);
        if (atEnd) {
            latest.current.onEnd();
        }
        if (view.scrollTop < AHEAD_PX) {
            latest.current.onNearTop();
        }
    }, []);

    const toEnd = useCallback(() => {
        place.current = null;
        setIsAtEnd(true);
        settle();
        latest.current.onEnd();
    }, [settle]);

    // A room is entered: its place is looked up as soon as its messages are there.
    useLayoutEffect(() => {
        isReady.current = false;
        place.current = loadPlace(room);
        setIsAtEnd(place.current === null);
        const save = () => isReady.current && savePlace(room, place.current);
        window.addEventListener("pagehide", save);
        return () => {
            window.removeEventListener("pagehide", save);
            save();
        };
    }, [room]);

    useLayoutEffect(() => {
        isReady.current ||= isLoaded;
        settle();
        if (isReady.current && place.current === null) {
            latest.current.onEnd();
        }
    }, [room, isLoaded, contents, settle]);

    useEffect(() => {
        const view = scroller.current;
        if (!view) {
            return;
        }
        const observer = new ResizeObserver(settle);
        observer.observe(view);
        if (view.firstElementChild) {
            observer.observe(view.firstElementChild);
        }
        return () => observer.disconnect();
    }, [settle]);

    return { scroller, onScroll, isAtEnd, toEnd };
}

function findRow(view: HTMLElement, messageId: string): HTMLElement | null {
    return view.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(messageId)}"]`);
}

/** The first row whose lower edge is in view, found by bisection: rows stand in order. */
function placeIn(view: HTMLElement, ids: readonly string[]): Place | null {
    const rows = view.querySelectorAll<HTMLElement>("[data-message-id]");
    let low = 0;
    let high = rows.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        const row = rows[middle]!;
        if (row.offsetTop + row.offsetHeight > view.scrollTop) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    const row = rows[low];
    const messageId = row?.dataset.messageId;
    if (!row || messageId === undefined) {
        return null;
    }
    const index = ids.indexOf(messageId);
    return { messageId, offset: row.offsetTop - view.scrollTop, depth: index < 0 ? 0 : ids.length - index };
}
