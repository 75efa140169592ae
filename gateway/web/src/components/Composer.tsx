import { useEffect, useLayoutEffect, useRef, useState, type FormEvent, type KeyboardEvent, type RefObject } from "react";
import { bodyProblem } from "../chat/outbox";
import { perTab } from "../lib/storage";
import { SendIcon } from "./icons";

interface Props {
    room: string;
    /** What people call it. */
    name: string;
    field: RefObject<HTMLTextAreaElement | null>;
    onSend: (body: string) => void;
}

const draftKey = (room: string) => `parley.draft.${room}`;

function loadDraft(room: string): string {
    const value = perTab.read(draftKey(room));
    return typeof value === "string" ? value : "";
}

/** Made anew for each room (by its key), with the room's draft. */
export function Composer({ room, name, field, onSend }: Props) {
    const [body, setBody] = useState(() => loadDraft(room));
    const [problem, setProblem] = useState<string | null>(null);
    const form = useRef<HTMLFormElement>(null);
    const isBlank = body.trim() === "";

    useEffect(() => {
        if (body === "") {
            perTab.remove(draftKey(room));
        } else {
            perTab.write(draftKey(room), body);
        }
    }, [room, body]);

    // The field grows with its text, up to the limit that the style sheet sets.
    useLayoutEffect(() => {
        const element = field.current;
        if (element) {
            element.style.height = "auto";
            element.style.height = `${element.scrollHeight}px`;
        }
    }, [field, body]);

    // A finger would have the keyboard thrown at it.
    useEffect(() => {
        if (window.matchMedia("(pointer: fine)").matches) {
            field.current?.focus();
        }
    }, [field]);

    const submit = (event: FormEvent) => {
        event.preventDefault();
        if (isBlank) {
            return;
        }
        const found = bodyProblem(body);
        setProblem(found);
        if (!found) {
            onSend(body);
            setBody("");
            field.current?.focus();
        }
    };

    const onKeyDown = (event: KeyboardEvent) => {
        const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
        if (event.key === "Enter" && !event.shiftKey && !isComposing) {
            event.preventDefault();
            form.current?.requestSubmit();
        }
    };

    return (
        <form className="composer" ref={form} onSubmit={submit}>
            {problem && (
                <p className="composer-problem" role="alert">
                    {problem}
                </p>
            )}
            <div className="composer-box">
                <label className="visually-hidden" htmlFor="message-body">
                    Message to {name}
                </label>
                <textarea
                    id="message-body"
                    ref={field}
                    rows={1}
                    value={body}
                    placeholder={`Message ${name}`}
                    aria-describedby="composer-hint"
                    autoComplete="off"
                    enterKeyHint="send"
                    dir="auto"
                    onChange={(event) => setBody(event.target.value)}
                    onKeyDown={onKeyDown}
                />
                <button type="submit" className="send" aria-label="Send" disabled={isBlank}>
                    <SendIcon />
                </button>
            </div>
            <p className="composer-hint" id="composer-hint">
                <kbd>Enter</kbd> sends, <kbd>Shift</kbd> + <kbd>Enter</kbd> begins a new line
            </p>
        </form>
    );
}
