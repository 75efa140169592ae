/** The lifetime that an access token itself states, in ms; null if it is not readable. Nothing here is verified. */
export function tokenLifetimeMs(token: string): number | null {
    try {
        const payload = token.split(".")[1] ?? "";
        const claims = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/"))) as Record<string, unknown>;
        const { iat, exp } = claims;
        return typeof iat === "number" && typeof exp === "number" && exp > iat ? (exp - iat) * 1000 : null;
    } catch {
        return null;
    }
}
