import { memo } from "react";
import type { Outgoing } from "../chat/outbox";
import { formatTime } from "../lib/format";
import { AlertIcon } from "./icons";

interface Props {
    entry: Outgoing;
    opensGroup: boolean;
    onRetry: (messageId: string) => void;
    onDiscard: (messageId: string) => void;
}

/** A message on its way, or one that did not get there. */
export const OutgoingItem = memo(function OutgoingItem({ entry, opensGroup, onRetry, onDiscard }: Props) {
    const classes = ["message is-own", `is-${entry.state}`, opensGroup ? "opens-group" : ""].join(" ");
    return (
        <li className={classes} data-message-id={entry.messageId}>
            <div className="message-column">
                <span className="visually-hidden">You</span>
                <div className="bubble" dir="auto">
                    <span className="body">{entry.body}</span>
                    <time className="time" dateTime={entry.createdAt}>
                        {entry.state === "sending" ? "Sending…" : formatTime(new Date(entry.createdAt))}
                    </time>
                </div>
                {entry.state === "failed" && (
                    <div className="failure" role="alert">
                        <AlertIcon />
                        <span>Not sent. {entry.problem}</span>
                        <button type="button" className="link" onClick={() => onRetry(entry.messageId)}>
                            Try again
                        </button>
                        <button type="button" className="link is-quiet" onClick={() => onDiscard(entry.messageId)}>
                            Discard
                        </button>
                    </div>
                )}
            </div>
        </li>
    );
});
