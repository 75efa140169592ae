import { createClient, type Client } from "graphql-ws";
import { ApiError, errorFromWire } from "./errors";
import type { Operation } from "./operations";

const CONNECT_WITHIN_MS = 12_000;
const PING_EVERY_MS = 12_000;
const PONG_WITHIN_MS = 6_000;
/** Long enough for one room's subscription to hand the socket to the next room's. */
const IDLE_CLOSE_MS = 3_000;

/** Close codes by which a server says that the credential is not good. */
const REFUSED_CREDENTIAL = new Set([4401, 4403]);

export interface Sink<Data> {
    /** The server took the connection and has been sent the subscription. */
    connected: () => void;
    next: (data: Data) => void;
    /** The subscription is over, and why. Called once; never after cancelling. */
    ended: (error: ApiError) => void;
}

/**
 * One WebSocket, opened by the first subscription and shared by all. It never retries by itself: a subscription has to
 * be made anew with the cursor reached by then, which only its owner knows.
 */
export class Realtime {
    private readonly client: Client;
    private isConnected = false;
    private connectTimer: ReturnType<typeof setTimeout> | undefined;
    private pongTimer: ReturnType<typeof setTimeout> | undefined;

    constructor(token: () => Promise<string>) {
        this.client = createClient({
            url: () => `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/graphql`,
            connectionParams: async () => ({ Authorization: `Bearer ${await token()}` }),
            retryAttempts: 0,
            keepAlive: PING_EVERY_MS,
            lazyCloseTimeout: IDLE_CLOSE_MS,
            on: {
                connecting: () => this.limit("connectTimer", CONNECT_WITHIN_MS),
                connected: () => {
                    this.isConnected = true;
                    clearTimeout(this.connectTimer);
                },
                ping: (received) => {
                    if (!received) {
                        this.limit("pongTimer", PONG_WITHIN_MS);
                    }
                },
                pong: (received) => {
                    if (received) {
                        clearTimeout(this.pongTimer);
                    }
                },
                closed: () => this.forget(),
            },
        });
    }

    /** Returns the function that cancels. */
    subscribe<Data, Variables extends Record<string, unknown>>(
        operation: Operation<Data, Variables>,
        variables: Variables,
        sink: Sink<Data>,
    ): () => void {
        const undo: (() => void)[] = [];
        let over = false;
        const stop = () => {
            over = true;
            undo.splice(0).forEach((step) => step());
        };
        const end = (error: ApiError) => {
            if (!over) {
                stop();
                sink.ended(error);
            }
        };
        const connected = () => {
            if (!over) {
                sink.connected();
            }
        };
        if (this.isConnected) {
            queueMicrotask(connected);
        } else {
            undo.push(this.client.on("connected", connected));
        }
        // The client would answer an orderly close (1000) by subscribing again from the old cursor.
        undo.push(this.client.on("closed", (event) => end(toApiError(event))));
        const unsubscribe = this.client.subscribe<Data>(
            { query: operation.document, variables },
            {
                next: (result) => {
                    if (result.errors && result.errors.length > 0) {
                        end(errorFromWire(result.errors));
                    } else if (result.data && !over) {
                        sink.next(result.data);
                    }
                },
                error: (error) => end(toApiError(error)),
                complete: () => end(new ApiError("UNAVAILABLE", "The subscription ended.")),
            },
        );
        undo.push(unsubscribe);
        return stop;
    }

    /** Cuts the socket, whatever its state; every subscription ends with an error. */
    cut(): void {
        this.client.terminate();
    }

    dispose(): void {
        this.forget();
        Promise.resolve(this.client.dispose()).catch(() => undefined);
    }

    private limit(timer: "connectTimer" | "pongTimer", ms: number): void {
        clearTimeout(this[timer]);
        this[timer] = setTimeout(() => this.client.terminate(), ms);
    }

    private forget(): void {
        this.isConnected = false;
        clearTimeout(this.connectTimer);
        clearTimeout(this.pongTimer);
    }
}

function toApiError(error: unknown): ApiError {
    if (Array.isArray(error)) {
        return errorFromWire(error);
    }
    if (error instanceof ApiError) {
        return error;
    }
    const code = (error as { code?: unknown } | null)?.code;
    if (typeof code === "number" && REFUSED_CREDENTIAL.has(code)) {
        return new ApiError("UNAUTHENTICATED", "");
    }
    return new ApiError("NETWORK", "");
}
