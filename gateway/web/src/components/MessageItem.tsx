import { memo } from "react";
import type { Message } from "../api/operations";
import { formatFull, formatTime } from "../lib/format";
import { Avatar, hueClass } from "./Avatar";

interface Props {
    message: Message;
    isOwn: boolean;
    opensGroup: boolean;
}

export const MessageItem = memo(function MessageItem({ message, isOwn, opensGroup }: Props) {
    const at = new Date(message.createdAt);
    const classes = ["message", isOwn ? "is-own" : "is-other", opensGroup ? "opens-group" : ""].join(" ");
    return (
        <li className={classes} data-message-id={message.messageId}>
            {!isOwn && opensGroup && <Avatar handle={message.handle} />}
            <div className="message-column">
                <span className={isOwn || !opensGroup ? "visually-hidden" : `sender ${hueClass(message.handle)}`} dir="auto">
                    {isOwn ? "You" : message.handle}
                </span>
                <div className="bubble" dir="auto">
                    <span className="body">{message.body}</span>
                    <time className="time" dateTime={message.createdAt} title={formatFull(at)}>
                        {formatTime(at)}
                    </time>
                </div>
            </div>
        </li>
    );
});
