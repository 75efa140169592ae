// Attacks on a gateway, each bounded in count and time. As a program: attacks.mjs NAME PORT COUNT SECONDS; prints what came of
// it as JSON. Only for a gateway of one's own.
import crypto from 'node:crypto';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const UPGRADE = 'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n';
const POST = 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

// A connection that counts what becomes of it: open, closed by the gateway, and the first line that was answered.
function connect(port, tally, { reads = true } = {}) {
  const socket = net.connect(port, '127.0.0.1');
  tally.opened = (tally.opened ?? 0) + 1;
  socket.first = '';
  socket.on('data', (chunk) => {
    if (socket.first.length < 40) socket.first += chunk.toString('latin1');
    if (!reads) socket.pause();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    tally.closed = (tally.closed ?? 0) + 1;
    const status = /^HTTP\/1\.1 (\d+)/.exec(socket.first)?.[1];
    if (status) tally[status] = (tally[status] ?? 0) + 1;
  });
  return socket;
}

// `count` connections that say `hello` at once and then `more` each 200 ms, until the time is over.
async function drip({ port, count, seconds, tally }, hello, { more, reads } = {}) {
  const sockets = [];
  const end = Date.now() + seconds * 1000;
  for (let i = 0; i < count && Date.now() < end; i++) {
    const socket = connect(port, tally, { reads });
    socket.write(hello);
    sockets.push(socket);
    if (i % 100 === 99) await sleep(20);
  }
  while (Date.now() < end) {
    for (const socket of sockets) if (more && socket.writable) socket.write(more);
    await sleep(200);
  }
  tally.left = sockets.filter((socket) => !socket.destroyed).length;
  for (const socket of sockets) socket.destroy();
}

// Connections one after the other, a few at a time: each sends one text and waits for its end or a while.
async function knock({ port, count, seconds, tally }, text, lanes = 16) {
  const end = Date.now() + seconds * 1000;
  let left = count;
  const lane = async () => {
    while (left-- > 0 && Date.now() < end) {
      const socket = connect(port, tally);
      const data = typeof text === 'function' ? text() : text;
      socket.write(data);
      await Promise.race([new Promise((resolve) => socket.once('close', resolve)), sleep(300)]);
      if (!socket.destroyed) {
        socket.destroy();
        await new Promise((resolve) => socket.once('close', resolve));
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

const post = (query, headers = '') => {
  const body = JSON.stringify({ query });
  return `${POST}${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
};

// length: said in 64 bits, whatever it is.
function frame(first, payload, { masked = true, length } = {}) {
  const size = length === undefined && payload.length < 65536 ? payload.length : null;
  const head = Buffer.alloc(size === null ? 10 : size < 126 ? 2 : 4);
  head[0] = first;
  head[1] = (masked ? 128 : 0) | (size === null ? 127 : Math.min(size, 126));
  if (size === null) head.writeBigUInt64BE(length ?? BigInt(payload.length), 2);
  else if (size >= 126) head.writeUInt16BE(size, 2);
  return Buffer.concat([head, masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

const text = (value) => Buffer.from(value);
const brokenFrames = [
  () => frame(0x81, text('hi'), { masked: false }),
  () => frame(0xf1, text('hi')),
  () => frame(0x83, text('hi')),
  () => frame(0x81, text('hi'), { length: 2n ** 63n }),
  () => frame(0x81, text('hi'), { length: 2n ** 40n }),
  () => frame(0x81, Buffer.from([0xff, 0xfe])),
  () => frame(0x09, Buffer.alloc(200)),
  () => frame(0x80, text('nothing goes on')),
  () => frame(0x88, Buffer.from([0x03])),
  () => frame(0x82, crypto.randomBytes(1000)),
  () => crypto.randomBytes(2000),
  () => frame(0x81, text('{"type":"connection_init"')),
  () => frame(0x81, text('['.repeat(100_000))),
  () => Buffer.concat(Array.from({ length: 2000 }, () => frame(0x89, Buffer.alloc(0)))),
];

const bombs = [
  () => `{${'a{'.repeat(20_000)}b${'}'.repeat(20_000)}}`,
  () => `{${Array.from({ length: 20_000 }, (_, i) => `a${i}:__typename`).join(' ')}}`,
  () => `{${'__typename '.repeat(60_000)}}`,
  () => `{...A} ${Array.from({ length: 2000 }, (_, i) => `fragment A${i || ''} on Query {...A${(i + 1) % 2000 || ''}}`).join(' ')}`,
  () => `{ me ${'{ handle '.repeat(1)}${'@include(if: true) '.repeat(5000)}}}`,
  () => `query(${Array.from({ length: 5000 }, (_, i) => `$v${i}: Int`).join(' ')}) { __typename }`,
  () => `{ getMessages(first: ${'9'.repeat(50_000)}) { body } }`,
  () => `{ getMessages(filter: ${'['.repeat(30_000)}${']'.repeat(30_000)}) { body } }`,
  () => `{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }`,
  () => `{${Array.from({ length: 200 }, (_, i) => `a${i}: getMessages(last: 500) { body handle }`).join(' ')}}`,
  () => `{${Array.from({ length: 3000 }, (_, i) => `...{__typename x${i}:__typename}`).join(' ')}}`,
  () => `"${'\\u0041'.repeat(100_000)}" {__typename}`,
  () => '#'.repeat(900_000),
];

const any = (list) => list[crypto.randomInt(list.length)]();

export const ATTACKS = {
  slowHeads: (run) => drip(run, 'POST /graphql HTTP/1.1\r\nHost: x\r\n', { more: 'X-More: y\r\n' }),
  slowBodies: (run) => drip(run, `${POST}Content-Length: 100000\r\n\r\n{"query":"`, { more: 'x' }),
  silentConnections: (run) => drip(run, ''),
  slowHandshakes: (run) => drip(run, UPGRADE.slice(0, -2), { more: 'X-More: y\r\n' }),
  silentWebSockets: (run) => drip(run, UPGRADE),
  idleWebSockets: (run) => drip(run, Buffer.concat([text(UPGRADE), frame(0x81, text('{"type":"connection_init"}'))])),
  unreadAnswers: (run) => drip(run, post('{ __schema { types { name fields { name description } } } }').replace('Connection: close\r\n', '').repeat(50), { reads: false }),
  headerFlood: (run) => knock(run, `GET / HTTP/1.1\r\nHost: x\r\n${`X-Long: ${'y'.repeat(1000)}\r\n`.repeat(200)}\r\n`),
  bodyFlood: (run) => knock(run, `${POST}Transfer-Encoding: chunked\r\n\r\n${`10000\r\n${'x'.repeat(65536)}\r\n`.repeat(200)}`, 4),
  largeLengths: (run) => knock(run, `${POST}Content-Length: 99999999999999999999\r\n\r\n`),
  garbage: (run) => knock(run, () => crypto.randomBytes(4000)),
  bombs: (run) => knock(run, () => post(any(bombs)), 4),
  brokenFrames: (run) => knock(run, () => Buffer.concat([text(UPGRADE), any(brokenFrames)])),
  wrongTokens: (run) => knock(run, () => post('{ me { handle } }', `Authorization: eyJhbGciOiJFUzI1NiJ9.${crypto.randomBytes(60).toString('base64url')}.${crypto.randomBytes(64).toString('base64url')}\r\n`)),
  churn: (run) => knock(run, 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 32),
};

// Connections that say what they must and nothing more, every second one a WebSocket: opened as fast as they are taken, then
// held for so long.
async function idle({ port, count, seconds, tally }) {
  const sockets = [];
  const opened = Array.from({ length: count }, (_, i) => async () => {
    const socket = connect(port, tally);
    sockets.push(socket);
    socket.write(i % 2 ? Buffer.concat([text(UPGRADE), frame(0x81, text('{"type":"connection_init"}'))]) : 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
  });
  const lane = async () => {
    for (let open; (open = opened.pop()); ) await open();
  };
  await Promise.all(Array.from({ length: 64 }, lane));
  await sleep(seconds * 1000);
  tally.left = sockets.filter((socket) => !socket.destroyed).length;
  for (const socket of sockets) socket.destroy();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, port, count, seconds] = process.argv.slice(2);
  const tally = {};
  await (ATTACKS[name] ?? idle)({ port: Number(port), count: Number(count), seconds: Number(seconds), tally });
  process.stdout.write(`${JSON.stringify(tally)}\n`, () => process.exit(0));
}
