import { shared } from "./storage";
import { uuid } from "./uuid";

const LEASE_MS = 10_000;
const POLL_MS = 120;
/** What one tab writes to localStorage is seen by the others a little later, not at once. */
const PROPAGATION_MS = 150;

interface Lease {
    owner: string;
    until: number;
}

/**
 * Runs work in one tab of this origin at a time; the next one begins when what this one wrote to localStorage is to be
 * seen there. Browsers offer Web Locks in secure contexts only; on plain HTTP in a local network a lease in
 * localStorage stands in. Neither is airtight, so the work must bear running twice.
 */
export function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
        const hold = async () => {
            await work().then(resolve, reject);
            await sleep(PROPAGATION_MS);
        };
        const held = navigator.locks ? navigator.locks.request(name, hold) : withLease(name, hold);
        held.catch(reject);
    });
}

async function withLease(name: string, hold: () => Promise<void>): Promise<void> {
    const owner = uuid();
    await acquire(name, owner);
    await hold();
    if (readLease(name)?.owner === owner) {
        shared.remove(name);
    }
}

async function acquire(name: string, owner: string): Promise<void> {
    for (;;) {
        const lease = readLease(name);
        if (!lease || lease.until < Date.now()) {
            shared.write(name, { owner, until: Date.now() + LEASE_MS });
            await sleep(PROPAGATION_MS);
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
