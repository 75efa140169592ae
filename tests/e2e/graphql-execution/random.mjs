// Seeded random choices (mulberry32), so that a failure can be had again.
export class Random {
    constructor(seed) {
        this.state = seed | 0;
    }

    next() {
        this.state = (this.state + 0x6d2b79f5) | 0;
        let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    }

    below(count) {
        return Math.floor(this.next() * count);
    }

    // True in that share of cases.
    chance(share) {
        return this.next() < share;
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    list(below, make) {
        return Array.from({ length: this.below(below) }, make);
    }

    shuffle(list) {
        return list.map((item) => [this.next(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);
    }
}
