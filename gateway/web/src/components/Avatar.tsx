const HUES = 8;

/** A person's initial on a colour of their own. Says nothing that the name beside it does not. */
export function Avatar({ handle }: { handle: string }) {
    return (
        <span className={`avatar ${hueClass(handle)}`} aria-hidden="true">
            {[...handle][0]?.toUpperCase() ?? "?"}
        </span>
    );
}

/** The style class of a person's colour: always the same one for the same handle (FNV-1a). */
export function hueClass(handle: string): string {
    let hash = 0x811c9dc5;
    for (const character of handle.toLowerCase()) {
        hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
    }
    return `hue-${(hash >>> 8) % HUES}`;
}
