// One connection of the bus, in our hands: listens where a gateway connects to, passes everything on to where the store
// listens, and can be cut or stalled.
import net from 'node:net';

export class Link {
  // Where it listens, and what it passes on to: the path of a socket, or {host, port}.
  constructor(name, listen, target) {
    Object.assign(this, { name, listen, target, isCut: false, isStalled: false });
    this.pairs = new Set();
    this.server = net.createServer((near) => this.#accept(near));
  }

  open() {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.listen, resolve);
    });
  }

  #accept(near) {
    near.on('error', () => {});
    if (this.isCut) {
      near.destroy();
      return;
    }
    const far = net.connect(this.target);
    const pair = { near, far };
    this.pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      this.pairs.delete(pair);
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!this.isStalled) from.resume();
      });
      from.on('error', end);
      from.on('close', end);
      if (this.isStalled) from.pause();
    }
  }

  // Ends what is connected and takes no more until healed.
  cut() {
    this.isCut = true;
    this.#end();
  }

  // Nothing moves any more, and nobody is told.
  stall() {
    this.isStalled = true;
    for (const { near, far } of this.pairs) {
      near.pause();
      far.pause();
    }
  }

  heal() {
    this.isCut = this.isStalled = false;
    for (const { near, far } of this.pairs) {
      near.resume();
      far.resume();
    }
  }

  #end() {
    for (const { near, far } of this.pairs) {
      near.destroy();
      far.destroy();
    }
  }

  close() {
    this.server.close();
    this.#end();
  }
}
