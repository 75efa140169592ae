import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { codeOf, explain } from "../api/errors";
import { session } from "../session/session";
import { PasswordField, passwordProblem } from "./PasswordField";
import { AlertIcon, Logo } from "./icons";

type Mode = "sign-in" | "sign-up";

const MAX_HANDLE_LENGTH = 64;

export function Welcome({ hasEnded }: { hasEnded: boolean }) {
    const [mode, setMode] = useState<Mode>("sign-in");
    useEffect(() => {
        document.title = "Parley";
    }, []);
    return (
        <main className="welcome">
            <div className="welcome-card">
                <Logo />
                <h1>Parley</h1>
                <p className="welcome-line">A quiet place to talk.</p>
                {hasEnded && (
                    <p className="notice" role="status">
                        Your session has ended. Please sign in again.
                    </p>
                )}
                <ModeSwitch mode={mode} onChange={setMode} />
                <AccountForm mode={mode} />
            </div>
        </main>
    );
}

function ModeSwitch({ mode, onChange }: { mode: Mode; onChange: (mode: Mode) => void }) {
    const name = useId();
    const option = (value: Mode, text: string) => (
        <label className="mode">
            <input type="radio" name={name} checked={mode === value} onChange={() => onChange(value)} />
            <span>{text}</span>
        </label>
    );
    return (
        <fieldset className="modes">
            <legend className="visually-hidden">Do you have an account?</legend>
            {option("sign-in", "Sign in")}
            {option("sign-up", "Create account")}
        </fieldset>
    );
}

function AccountForm({ mode }: { mode: Mode }) {
    const id = useId();
    const [handle, setHandle] = useState("");
    const [password, setPassword] = useState("");
    const [email, setEmail] = useState("");
    const [isBusy, setIsBusy] = useState(false);
    const [problem, setProblem] = useState<string | null>(null);
    const handleField = useRef<HTMLInputElement>(null);
    const isNew = mode === "sign-up";

    useEffect(() => handleField.current?.focus(), []);
    useEffect(() => setProblem(null), [mode]);

    const submit = async (event: FormEvent) => {
        event.preventDefault();
        const found = handle.trim() === "" ? "Please enter a handle." : isNew ? passwordProblem(password) : null;
        setProblem(found);
        if (found) {
            return;
        }
        setIsBusy(true);
        try {
            if (isNew) {
                await session.signUp(handle.trim(), password, email.trim() || null);
            } else {
                await session.signIn(handle.trim(), password);
            }
        } catch (error) {
            setProblem(describe(error, isNew));
            setIsBusy(false);
        }
    };

    return (
        <form className="account-form" onSubmit={(event) => void submit(event)}>
            <div className="field">
                <label htmlFor={`${id}-handle`}>Handle</label>
                <input
                    id={`${id}-handle`}
                    ref={handleField}
                    name="username"
                    value={handle}
                    required
                    maxLength={MAX_HANDLE_LENGTH}
                    autoComplete="username"
                    autoCapitalize="none"
                    spellCheck={false}
                    aria-describedby={isNew ? `${id}-handle-hint` : undefined}
                    onChange={(event) => setHandle(event.target.value)}
                />
                {isNew && (
                    <p className="hint" id={`${id}-handle-hint`}>
                        The name that others see.
                    </p>
                )}
            </div>
            <PasswordField value={password} isNew={isNew} onChange={setPassword} />
            {isNew && (
                <div className="field">
                    <label htmlFor={`${id}-email`}>
                        E-mail <span className="optional">optional</span>
                    </label>
                    <input
                        id={`${id}-email`}
                        name="email"
                        type="email"
                        value={email}
                        autoComplete="email"
                        onChange={(event) => setEmail(event.target.value)}
                    />
                </div>
            )}
            {problem && (
                <p className="form-problem" role="alert">
                    <AlertIcon />
                    {problem}
                </p>
            )}
            <button type="submit" className="primary" disabled={isBusy}>
                {isBusy ? "One moment…" : isNew ? "Create account" : "Sign in"}
            </button>
        </form>
    );
}

function describe(error: unknown, isNew: boolean): string {
    switch (codeOf(error)) {
        case "CONFLICT":
            return "This handle is taken. Please choose another.";
        case "UNAUTHENTICATED":
        case "NOT_FOUND":
            return isNew ? explain(error) : "Handle or password is not right.";
        default:
            return explain(error);
    }
}
