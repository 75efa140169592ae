const HUES = 8;

/** A person's initial on a colour of their own. Says nothing that the name beside it does not. */
export function Avatar({ handle }: { handle: string }) {
    return (
        <span className={`avatar hue-${hueOf(handle)}`} aria-hidden="true">
            {[...handle][0]?.toUpperCase() ?? "?"}
        </span>
    );
}

function hueOf(handle: string): number {
    let sum = 0;
    for (const character of handle.toLowerCase()) {
        sum = (sum * 31 + character.codePointAt(0)!) % 100_003;
    }
    return sum % HUES;
}
