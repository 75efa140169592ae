import { useState, type FormEvent } from "react";
import { explain } from "../api/errors";
import type { RoomMember, RoomRole } from "../api/operations";
import type { Members } from "../chat/members";
import { Avatar } from "./Avatar";
import { CloseIcon, PlusIcon } from "./icons";

const ROLES: Record<RoomRole, string> = { OWNER: "Owner", MODERATOR: "Moderator", MEMBER: "Member" };
const MAX_HANDLE_LENGTH = 256;

interface Props {
    handle: string;
    /** The reader's. */
    role: RoomRole;
    members: Members;
    list: readonly RoomMember[];
    onClose: () => void;
    onLeft: () => void;
}

/** Who is in a private room, and what the reader may do about it. What he may not is not offered. */
export function MembersPanel({ handle, role, members, list, onClose, onLeft }: Props) {
    const [problem, setProblem] = useState<string | null>(null);
    const [isBusy, setIsBusy] = useState(false);
    const act = async (step: () => Promise<void>): Promise<boolean> => {
        setIsBusy(true);
        setProblem(null);
        try {
            await step();
            return true;
        } catch (error) {
            setProblem(explain(error));
            return false;
        } finally {
            setIsBusy(false);
        }
    };
    const isOwn = (member: RoomMember) => member.handle.toLowerCase() === handle.toLowerCase();
    return (
        <div className="members">
            <header className="members-header">
                <h2>Members</h2>
                <span className="members-count">{list.length}</span>
                <button type="button" className="icon-button" onClick={onClose} aria-label="Close" title="Close">
                    <CloseIcon />
                </button>
            </header>
            {role !== "MEMBER" && <Invite isBusy={isBusy} onInvite={(who) => act(() => members.invite(who))} />}
            {problem && (
                <p className="members-problem" role="alert">
                    {problem}
                </p>
            )}
            <ul className="members-list">
                {list.map((member) => (
                    <Member
                        key={member.handle}
                        member={member}
                        isOwn={isOwn(member)}
                        role={role}
                        isBusy={isBusy}
                        onRole={(next) => void act(() => members.setRole(member.handle, next))}
                        onRemove={() => void act(() => members.remove(member.handle))}
                    />
                ))}
            </ul>
            <footer className="members-footer">
                <button
                    type="button"
                    className="leave"
                    disabled={isBusy}
                    onClick={() => void act(() => members.leave()).then((isDone) => isDone && onLeft())}
                >
                    Leave this room
                </button>
            </footer>
        </div>
    );
}

interface MemberProps {
    member: RoomMember;
    isOwn: boolean;
    role: RoomRole;
    isBusy: boolean;
    onRole: (role: RoomRole) => void;
    onRemove: () => void;
}

function Member({ member, isOwn, role, isBusy, onRole, onRemove }: MemberProps) {
    const theirs = member.role ?? "MEMBER";
    const mayRemove = !isOwn && (role === "OWNER" || (role === "MODERATOR" && theirs === "MEMBER"));
    return (
        <li className={isOwn ? "member is-own" : "member"}>
            <Avatar handle={member.handle} />
            <span className="member-name" dir="auto" title={member.handle}>
                {member.handle}
                {isOwn && <span className="member-you"> (you)</span>}
            </span>
            {role === "OWNER" ? (
                <select
                    className="member-role"
                    value={theirs}
                    disabled={isBusy}
                    aria-label={`Role of ${member.handle}`}
                    onChange={(event) => onRole(event.target.value as RoomRole)}
                >
                    {Object.entries(ROLES).map(([value, text]) => (
                        <option key={value} value={value}>
                            {text}
                        </option>
                    ))}
                </select>
            ) : (
                theirs !== "MEMBER" && <span className="member-role">{ROLES[theirs]}</span>
            )}
            {mayRemove && (
                <button
                    type="button"
                    className="icon-button is-small"
                    disabled={isBusy}
                    onClick={onRemove}
                    aria-label={`Remove ${member.handle}`}
                    title="Remove from the room"
                >
                    <CloseIcon />
                </button>
            )}
        </li>
    );
}

function Invite({ isBusy, onInvite }: { isBusy: boolean; onInvite: (handle: string) => Promise<boolean> }) {
    const [handle, setHandle] = useState("");
    const submit = (event: FormEvent) => {
        event.preventDefault();
        if (handle.trim() !== "" && !isBusy) {
            void onInvite(handle.trim()).then((isDone) => isDone && setHandle(""));
        }
    };
    return (
        <form className="invite" onSubmit={submit}>
            <label className="visually-hidden" htmlFor="invite-handle">
                Invite somebody by handle
            </label>
            <input
                id="invite-handle"
                value={handle}
                maxLength={MAX_HANDLE_LENGTH}
                placeholder="Invite by handle…"
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                enterKeyHint="done"
                onChange={(event) => setHandle(event.target.value)}
            />
            <button type="submit" className="icon-button" aria-label="Invite" title="Invite" disabled={handle.trim() === "" || isBusy}>
                <PlusIcon />
            </button>
        </form>
    );
}
