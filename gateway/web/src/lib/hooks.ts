import { useEffect, useState, useSyncExternalStore } from "react";
import type { Store } from "./store";

export function useStore<T>(store: Store<T>): T {
    return useSyncExternalStore(store.subscribe, store.get);
}

/** Something that is made when a component appears or a dependency changes, and closed when it is not wanted any more. */
export function useResource<T>(make: () => T, close: (resource: T) => void, dependencies: readonly unknown[]): T | null {
    const [resource, setResource] = useState<T | null>(null);
    useEffect(() => {
        const made = make();
        setResource(made);
        return () => {
            close(made);
            setResource(null);
        };
    }, dependencies);
    return resource;
}

export function useMediaQuery(query: string): boolean {
    const [matches, setMatches] = useState(() => window.matchMedia(query).matches);
    useEffect(() => {
        const media = window.matchMedia(query);
        const update = () => setMatches(media.matches);
        update();
        media.addEventListener("change", update);
        return () => media.removeEventListener("change", update);
    }, [query]);
    return matches;
}
