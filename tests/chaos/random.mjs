// Numbers that a seed decides (mulberry32).
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // 0 ≤ x < 1
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low, high) {
    return low + this.next() * (high - low);
  }

  // low … high, both included
  integer(low, high) {
    return Math.floor(this.between(low, high + 1));
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[this.integer(0, list.length - 1)];
  }

  // One of its own for somebody else, so that nobody's turn depends on who came first.
  fork() {
    return new Random(this.integer(0, 2 ** 32 - 1));
  }
}
