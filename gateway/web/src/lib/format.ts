const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

export function formatTime(date: Date): string {
    return isValid(date) ? TIME.format(date) : "";
}

export function formatFull(date: Date): string {
    return isValid(date) ? FULL.format(date) : "";
}

/** A heading for a day, as a person would say it today. */
export function formatDay(date: Date, today: Date = new Date()): string {
    if (!isValid(date)) {
        return "";
    }
    const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
    if (isSameDay(date, today)) {
        return "Today";
    }
    if (isSameDay(date, yesterday)) {
        return "Yesterday";
    }
    return (date.getFullYear() === today.getFullYear() ? DAY : DAY_OF_YEAR).format(date);
}

export function isSameDay(a: Date, b: Date): boolean {
    return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

function isValid(date: Date): boolean {
    return !Number.isNaN(date.getTime());
}
