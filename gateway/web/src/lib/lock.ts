import { shared } from "./storage";
import { uuid } from "./uuid";

const LEASE_MS = 10_000;
const POLL_MS = 120;
const SETTLE_MS = 40;

interface Lease {
    owner: string;
    until: number;
}

/**
 * Runs work in one tab of this origin at a time. Browsers offer Web Locks in secure contexts only; on plain HTTP in a
 * local network a lease in localStorage stands in. That one is not airtight, so the work must bear running twice.
 */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (navigator.locks) {
        return (await navigator.locks.request(name, work)) as T;
    }
    const owner = uuid();
    await acquire(name, owner);
    try {
        return await work();
    } finally {
        if (readLease(name)?.owner === owner) {
            shared.remove(name);
        }
    }
}

async function acquire(name: string, owner: string): Promise<void> {
    for (;;) {
        const lease = readLease(name);
        if (!lease || lease.until < Date.now()) {
            shared.write(name, { owner, until: Date.now() + LEASE_MS });
            await sleep(SETTLE_MS);
            if (readLease(name)?.owner === owner) {
                return;
            }
        }
        await sleep(POLL_MS + Math.random() * POLL_MS);
    }
}

function readLease(name: string): Lease | null {
    const value = shared.read(name) as Partial<Lease> | null;
    return typeof value?.owner === "string" && typeof value.until === "number" ? (value as Lease) : null;
}

function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
}
