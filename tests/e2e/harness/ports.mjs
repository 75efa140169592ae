// Ports for the processes of a test, which only this test gets while it runs: other files of tests run beside it, and
// take what nobody listens on at the moment. bus.py of the store's tests does the same.
import dgram from 'node:dgram';
import net from 'node:net';

// below the range that the kernel gives to outgoing connections
const FIRST = 20000;
const LAST = 31999;
let nextPort = FIRST + ((process.pid * 16) % (LAST - FIRST));
const held = new Map(); // the UDP port of the same number, which nothing else here uses, says whose it is

function hold(port) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4').unref();
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      held.set(port, socket);
      resolve(true);
    });
  });
}

function letGo(port) {
  held.get(port).close();
  held.delete(port);
}

function isUnused(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function take(port) {
  if (!(await hold(port))) return false;
  if (await isUnused(port)) return true;
  letGo(port);
  return false;
}

// So many ports in a row.
export async function freePorts(count) {
  for (;;) {
    if (nextPort + count > LAST) nextPort = FIRST;
    const first = nextPort;
    let taken = 0;
    while (taken < count && (await take(first + taken))) taken += 1;
    nextPort = first + taken + (taken < count ? 1 : 0);
    if (taken === count) return Array.from({ length: count }, (_, i) => first + i);
    for (let i = 0; i < taken; i++) letGo(first + i);
  }
}

export async function freePort() {
  const [port] = await freePorts(1);
  return port;
}
