import type { Fetcher, FetcherParams, FetcherReturnType } from "@graphiql/toolkit";
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";
import { session } from "../session/session";

type Headers = Record<string, string>;

/** Tokens of the chat page's session that this page has written into a headers tab. */
const lent = new Set<string>();

/** The Authorization header of the chat page's session, for a new headers tab; null if nobody is signed in. */
export async function sessionHeaders(): Promise<Headers | null> {
    try {
        const { token } = await session.current();
        lent.add(token);
        return { Authorization: `Bearer ${token}` };
    } catch {
        return null;
    }
}

/** Queries and mutations go over HTTP, subscriptions over a WebSocket with the same headers in connection_init. */
export const fetcher: Fetcher = (params, options) => {
    const headers = (options?.headers ?? {}) as Headers;
    return (isSubscription(params) ? subscribe(params, headers) : post(params, headers)) as FetcherReturnType;
};

/** Looks for itself: the parsed document that GraphiQL offers lags behind the last keystrokes. */
function isSubscription({ query, operationName }: FetcherParams): boolean {
    try {
        return getOperationAST(parse(query), operationName)?.operation === "subscription";
    } catch {
        return false;
    }
}

async function post(params: FetcherParams, headers: Headers) {
    const response = await fetch("/graphql", {
        method: "POST",
        headers: {
            "content-type": "application/json",
            accept: "application/graphql-response+json, application/json",
            ...(await renewed(headers)),
        },
        body: JSON.stringify(params),
        credentials: "omit",
    });
    const text = await response.text();
    try {
        return JSON.parse(text);
    } catch {
        return { errors: [{ message: `The server answered ${response.status} without JSON.`, body: text }] };
    }
}

async function* subscribe(params: FetcherParams, headers: Headers) {
    const client = createClient({
        url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/graphql`,
        connectionParams: () => renewed(headers),
        retryAttempts: 0,
    });
    const { query, variables, operationName } = params;
    try {
        yield* client.iterate({ query, variables: variables as Record<string, unknown>, operationName });
    } catch (error) {
        throw describe(error);
    } finally {
        void client.dispose();
    }
}

/** A lent token that has grown old in its tab is sent as its successor; headers left blank are not sent. */
async function renewed(tab: Headers): Promise<Headers> {
    const headers = Object.fromEntries(Object.entries(tab).filter(([, value]) => value !== ""));
    const name = Object.keys(headers).find((key) => key.toLowerCase() === "authorization");
    const token = name && /^Bearer (.+)$/i.exec(headers[name] ?? "")?.[1];
    if (!name || !token || !lent.has(token)) {
        return headers;
    }
    const fresh = await sessionHeaders();
    return fresh ? { ...headers, [name]: fresh.Authorization! } : headers;
}

function describe(error: unknown): unknown {
    const { code, reason } = (error ?? {}) as { code?: unknown; reason?: unknown };
    if (typeof code === "number") {
        return new Error(`The connection was closed: ${code} ${typeof reason === "string" ? reason : ""}`.trim());
    }
    return error instanceof Event ? new Error("The connection failed.") : error;
}
