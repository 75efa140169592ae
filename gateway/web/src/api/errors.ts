/** The codes of `extensions.code`, and two of the page's own: the network failed, the answer made no sense. */
export type ErrorCode =
    | "BAD_USER_INPUT"
    | "GRAPHQL_PARSE_FAILED"
    | "GRAPHQL_VALIDATION_FAILED"
    | "UNAUTHENTICATED"
    | "UNAUTHORIZED"
    | "FORBIDDEN"
    | "NOT_FOUND"
    | "CONFLICT"
    | "LIMIT_EXCEEDED"
    | "PAYLOAD_TOO_LARGE"
    | "RATE_LIMITED"
    | "CURSOR_EXPIRED"
    | "UNAVAILABLE"
    | "TIMEOUT"
    | "INTERNAL"
    | "NETWORK"
    | "BAD_ANSWER";

export class ApiError extends Error {
    constructor(
        readonly code: ErrorCode,
        message: string,
    ) {
        super(message);
        this.name = "ApiError";
    }
}

interface WireError {
    message?: unknown;
    extensions?: { code?: unknown } | null;
}

/** The first of a response's errors, which is the one that a person is told. */
export function errorFromWire(errors: readonly unknown[]): ApiError {
    const first = (errors[0] ?? {}) as WireError;
    const code = typeof first.extensions?.code === "string" ? first.extensions.code : "INTERNAL";
    const message = typeof first.message === "string" ? first.message : "";
    return new ApiError(code as ErrorCode, message);
}

export function codeOf(error: unknown): ErrorCode {
    return error instanceof ApiError ? error.code : "INTERNAL";
}

/** What happened, in words for a person who knows nothing of the system. */
export function explain(error: unknown): string {
    const code = codeOf(error);
    const message = error instanceof Error ? sentence(error.message) : "";
    switch (code) {
        case "NETWORK":
            return "The server cannot be reached.";
        case "TIMEOUT":
            return "The server took too long to answer.";
        case "UNAVAILABLE":
            return "The server is not ready just now.";
        case "RATE_LIMITED":
            return "That was a little too fast. Wait a moment.";
        case "PAYLOAD_TOO_LARGE":
            return "That is too long to send.";
        case "UNAUTHENTICATED":
            return message || "You are not signed in.";
        case "BAD_USER_INPUT":
        case "CONFLICT":
        case "FORBIDDEN":
        case "NOT_FOUND":
        case "UNAUTHORIZED":
        case "LIMIT_EXCEEDED":
            return message || "The server did not accept that.";
        default:
            return "Something went wrong on the server.";
    }
}

function sentence(text: string): string {
    const trimmed = text.trim();
    if (trimmed === "") {
        return "";
    }
    const start = trimmed[0]!.toUpperCase() + trimmed.slice(1);
    return /[.!?…]$/.test(start) ? start : `${start}.`;
}
