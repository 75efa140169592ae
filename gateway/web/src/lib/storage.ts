/**
 * JSON values in the browser's storage. A browser that forbids or fills its storage costs the page its memory across
 * reloads and nothing else, so every failure falls back to plain memory.
 */
export class JsonStorage {
    private readonly memory = new Map<string, string>();

    constructor(private readonly backend: () => Storage) {}

    read(key: string): unknown {
        const text = this.readText(key);
        if (text === null) {
            return null;
        }
        try {
            return JSON.parse(text);
        } catch {
            return null;
        }
    }

    write(key: string, value: unknown): void {
        const text = JSON.stringify(value);
        try {
            this.backend().setItem(key, text);
            this.memory.delete(key);
        } catch {
            this.memory.set(key, text);
        }
    }

    remove(key: string): void {
        this.memory.delete(key);
        try {
            this.backend().removeItem(key);
        } catch {
            // Nothing was stored there.
        }
    }

    private readText(key: string): string | null {
        const remembered = this.memory.get(key);
        if (remembered !== undefined) {
            return remembered;
        }
        try {
            return this.backend().getItem(key);
        } catch {
            return null;
        }
    }
}

/** Shared by all tabs of this origin. */
export const shared = new JsonStorage(() => window.localStorage);
/** This tab's own; survives a reload. */
export const perTab = new JsonStorage(() => window.sessionStorage);
