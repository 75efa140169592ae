import { ApiError, errorFromWire } from "./errors";
import type { Operation } from "./operations";

const TIMEOUT_MS = 20_000;

interface WireResponse<Data> {
    data?: Data | null;
    errors?: unknown[];
}

/** Runs a query or mutation over HTTP. Every failure is an ApiError. */
export async function execute<Data, Variables>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    token?: string,
): Promise<Data> {
    const response = await post(JSON.stringify({ query: operation.document, variables }), token);
    if (Array.isArray(response.errors) && response.errors.length > 0) {
        throw errorFromWire(response.errors);
    }
    if (!response.data) {
        throw new ApiError("BAD_ANSWER", "The answer has no data.");
    }
    return response.data as Data;
}

async function post(body: string, token?: string): Promise<WireResponse<unknown>> {
    const headers: Record<string, string> = {
        "content-type": "application/json",
        accept: "application/graphql-response+json, application/json",
    };
    if (token) {
        headers.authorization = `Bearer ${token}`;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
        const response = await fetch("/graphql", {
            method: "POST",
            headers,
            body,
            signal: abort.signal,
            cache: "no-store",
            credentials: "omit",
        });
        return parse(response.status, await response.text());
    } catch (error) {
        if (error instanceof ApiError) {
            throw error;
        }
        throw abort.signal.aborted ? new ApiError("TIMEOUT", "") : new ApiError("NETWORK", "");
    } finally {
        clearTimeout(timer);
    }
}

/** A balancer in front of the gateway may answer with a page of its own; its status says enough. */
function parse(status: number, text: string): WireResponse<unknown> {
    try {
        const value: unknown = JSON.parse(text);
        if (typeof value === "object" && value !== null && ("data" in value || "errors" in value)) {
            return value as WireResponse<unknown>;
        }
    } catch {
        // Not JSON: judged by the status below.
    }
    if (status === 429) {
        throw new ApiError("RATE_LIMITED", "");
    }
    if (status === 413) {
        throw new ApiError("PAYLOAD_TOO_LARGE", "");
    }
    throw status >= 500 ? new ApiError("UNAVAILABLE", "") : new ApiError("BAD_ANSWER", `HTTP status ${status}`);
}
