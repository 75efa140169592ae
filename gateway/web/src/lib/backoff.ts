const BASE_MS = 400;
const CEILING_MS = 15_000;

/** How long to wait before attempt n (0, 1, 2 …): doubling up to a ceiling, the upper half of it random. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
    const limit = Math.min(CEILING_MS, BASE_MS * 2 ** Math.min(attempt, 16));
    return limit / 2 + (limit / 2) * random();
}
