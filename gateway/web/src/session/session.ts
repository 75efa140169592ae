import { ApiError, codeOf } from "../api/errors";
import { execute } from "../api/http";
import { REFRESH_SESSION, SIGN_IN, SIGN_OUT, SIGN_UP, type SessionPayload } from "../api/operations";
import { exclusively } from "../lib/lock";
import { shared } from "../lib/storage";
import { Store } from "../lib/store";
import { tokenLifetimeMs } from "./token";

export const SESSION_KEY = "parley.session";
const LOCK_NAME = "parley.session.refresh";
const FALLBACK_LIFETIME_MS = 3_600_000;
const RENEW_AGAIN_MS = 20_000;

export interface Session {
    handle: string;
    token: string;
    refreshToken: string;
    /** By this browser's clock, so that a wrong clock does no harm. */
    renewAt: number;
    expiresAt: number;
}

/** Whose session this is, and why there is none if it ended by itself. */
export interface Identity {
    handle: string | null;
    ended: boolean;
}

/** Who is signed in. The session lives in localStorage, where all tabs of this origin share it. */
class SessionKeeper {
    readonly identity = new Store<Identity>({ handle: read()?.handle ?? null, ended: false });
    private renewing: Promise<Session> | null = null;
    private timer: ReturnType<typeof setTimeout> | undefined;

    constructor() {
        window.addEventListener("storage", (event) => {
            if (event.key === SESSION_KEY || event.key === null) {
                this.follow(false);
            }
        });
        document.addEventListener("visibilitychange", () => this.schedule());
        this.schedule();
    }

    async signIn(handle: string, password: string): Promise<void> {
        this.save((await execute(SIGN_IN, { handle, password })).signIn);
    }

    async signUp(handle: string, password: string, email: string | null): Promise<void> {
        this.save((await execute(SIGN_UP, { handle, password, email })).signUp);
    }

    /** Signs this browser out even if the server cannot be told. */
    async signOut(): Promise<void> {
        const session = read();
        this.clear(false);
        if (session) {
            await this.endAtServer(session).catch(() => undefined);
        }
    }

    /** An access token that is no longer good ends nothing: its successor does. */
    private async endAtServer({ token, refreshToken }: Session): Promise<void> {
        try {
            await execute(SIGN_OUT, {}, token);
        } catch (error) {
            if (codeOf(error) !== "UNAUTHENTICATED") {
                throw error;
            }
            const { refreshSession } = await execute(REFRESH_SESSION, { refreshToken });
            await execute(SIGN_OUT, {}, refreshSession.token);
        }
    }

    /** Runs a call with a good access token; once more with a new one if the server refuses the first. */
    async authorized<T>(call: (token: string) => Promise<T>): Promise<T> {
        const session = await this.current();
        try {
            return await call(session.token);
        } catch (error) {
            if (codeOf(error) !== "UNAUTHENTICATED") {
                throw error;
            }
            return call((await this.renew(session)).token);
        }
    }

    /** The session, with an access token that is good for a while yet. */
    async current(): Promise<Session> {
        const session = read();
        if (!session) {
            throw signedOut();
        }
        if (Date.now() < session.renewAt) {
            return session;
        }
        try {
            return await this.renew(session);
        } catch (error) {
            if (codeOf(error) !== "UNAUTHENTICATED" && Date.now() < session.expiresAt) {
                return session;
            }
            throw error;
        }
    }

    /** Replaces an access token that is stale or was refused, unless another tab has done so already. */
    renew(stale: Session): Promise<Session> {
        this.renewing ??= exclusively(LOCK_NAME, () => this.renewAlone(stale)).finally(() => {
            this.renewing = null;
        });
        return this.renewing;
    }

    private async renewAlone(stale: Session): Promise<Session> {
        const session = readOf(stale.handle);
        if (session.token !== stale.token && Date.now() < session.expiresAt) {
            return session;
        }
        try {
            const data = await execute(REFRESH_SESSION, { refreshToken: session.refreshToken });
            if (readOf(stale.handle).refreshToken === session.refreshToken) {
                return this.save(data.refreshSession);
            }
        } catch (error) {
            if (isFinal(error) && readOf(stale.handle).refreshToken === session.refreshToken) {
                this.clear(true);
            }
            if (!isFinal(error)) {
                throw error;
            }
        }
        // Where Web Locks are missing, another tab may have been faster; its session is as good.
        return readOf(stale.handle);
    }

    private save(payload: SessionPayload): Session {
        const now = Date.now();
        const lifetime = tokenLifetimeMs(payload.token) ?? statedLifetimeMs(payload.expiresAt, now);
        const session: Session = {
            handle: payload.handle,
            token: payload.token,
            refreshToken: payload.refreshToken,
            renewAt: now + lifetime * 0.8,
            expiresAt: now + lifetime,
        };
        shared.write(SESSION_KEY, session);
        this.follow(false);
        return session;
    }

    private clear(ended: boolean): void {
        shared.remove(SESSION_KEY);
        this.follow(ended);
    }

    /** Takes over what storage says, which may be another tab's doing. */
    private follow(ended: boolean): void {
        const handle = read()?.handle ?? null;
        const before = this.identity.get();
        if (before.handle !== handle || before.ended !== ended) {
            this.identity.set({ handle, ended: handle === null && ended });
        }
        this.schedule();
    }

    /** Renews ahead of time; a timer in a hidden tab may be late, hence the look when the tab is shown again. */
    private schedule(): void {
        clearTimeout(this.timer);
        const session = read();
        if (session) {
            const wait = Math.max(0, session.renewAt - Date.now()) + Math.random() * 5_000;
            this.timer = setTimeout(() => void this.renew(session).catch(() => this.later()), wait);
        }
    }

    private later(): void {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.schedule(), RENEW_AGAIN_MS);
    }
}

/** Answers that no repetition will change: the refresh token is spent, revoked or unknown. */
function isFinal(error: unknown): boolean {
    return ["UNAUTHENTICATED", "FORBIDDEN", "UNAUTHORIZED", "NOT_FOUND", "BAD_USER_INPUT"].includes(codeOf(error));
}

function signedOut(): ApiError {
    return new ApiError("UNAUTHENTICATED", "You are not signed in.");
}

function statedLifetimeMs(expiresAt: string, now: number): number {
    const lifetime = Date.parse(expiresAt) - now;
    return lifetime > 0 ? lifetime : FALLBACK_LIFETIME_MS;
}

function read(): Session | null {
    const value = shared.read(SESSION_KEY) as Partial<Session> | null;
    const isSession =
        typeof value?.handle === "string" &&
        typeof value.token === "string" &&
        typeof value.refreshToken === "string" &&
        typeof value.renewAt === "number" &&
        typeof value.expiresAt === "number";
    return isSession ? (value as Session) : null;
}

/** The session of this handle; somebody else's, signed in by another tab meanwhile, must not be used in its place. */
function readOf(handle: string): Session {
    const session = read();
    if (session?.handle !== handle) {
        throw signedOut();
    }
    return session;
}

export const session = new SessionKeeper();
