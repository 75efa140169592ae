// The benchmark's own tests: does its load generator see what goes wrong, does its search end, does it judge right, does the README say what was measured?
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import test, { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { BIN } from '../e2e/harness/system.mjs';
import { WsLoad } from './lib/loads.mjs';
import { highest } from './lib/search.mjs';
import { judge } from './lib/targets.mjs';
import { filled } from './readme.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const SUBSCRIBERS = 3;

// A server that pushes what is posted to all. spoil(socket, body, n): what the first subscriber gets instead of the nth event.
async function pusher(spoil) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
      server.count++;
      const body = Buffer.concat(chunks).toString();
      [...sockets.clients].forEach((socket, i) => (i === 0 ? spoil(socket, body, server.count) : socket.send(body)));
      response.writeHead(200, { 'content-length': 0 }).end();
    });
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  server.count = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(server, {
    end: () => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
    },
  });
}

async function measured(spoil) {
  const server = await pusher(spoil);
  const load = new WsLoad(BIN, { dialect: 'raw', ports: server.address().port, subscribers: SUBSCRIBERS });
  try {
    await load.say('connect');
    await load.say('live'); // the first event
    return await load.say('post 40 1');
  } finally {
    await load.end();
    server.end();
  }
}

const honest = (socket, body) => socket.send(body);
const at = (turn, otherwise) => (socket, body, n) => (n === turn ? otherwise(socket, body) : honest(socket, body));

describe('the load generator', { concurrency: true }, () => {
  it('counts every delivery of a server that does it right', async () => {
    const result = await measured(honest);
    assert.ok(result.answered >= 30, JSON.stringify(result));
    assert.equal(result.deliveries, result.answered * SUBSCRIBERS);
    assert.deepEqual([result.missing, result.disordered, result.strange], [0, 0, 0]);
  });

  it('sees a lost event', async () => {
    const result = await measured(at(10, () => {}));
    assert.deepEqual([result.missing, result.disordered], [1, 1], JSON.stringify(result));
  });

  it('sees a repeated event', async () => {
    const result = await measured(at(10, (socket, body) => [1, 2].forEach(() => socket.send(body))));
    assert.deepEqual([result.missing, result.disordered], [-1, 1], JSON.stringify(result));
  });

  it('sees two events in the wrong order', async () => {
    const kept = [];
    const result = await measured((socket, body, n) => {
      if (n === 10) kept.push(body);
      else for (const text of [body, ...kept.splice(0)]) socket.send(text);
    });
    assert.deepEqual([result.missing, result.disordered], [0, 3], JSON.stringify(result));
  });

  it('sees an event that one got in other bytes than the rest', async () => {
    const result = await measured(at(10, (socket, body) => socket.send(body.replace('as people write', 'as nobody wrote'))));
    assert.deepEqual([result.missing, result.disordered, result.strange], [0, 0, SUBSCRIBERS - 1], JSON.stringify(result));
  });

  it('sees a frame that is no event', async () => {
    const result = await measured(at(10, (socket) => socket.send('{"type":"error"}')));
    assert.deepEqual([result.missing, result.strange], [1, 1], JSON.stringify(result));
  });
});

test('a search ends near the limit, in few steps', async () => {
  for (const limit of [1, 3, 7, 40, 390, 1999, 5000]) {
    let steps = 0;
    const holds = async (rate) => ++steps && rate <= limit;
    const { best, failed } = await highest({ holds, first: 12, most: 2000, fineness: 1.15 });
    assert.ok(best <= limit && failed > Math.min(limit, 2000), `${limit}: ${best}–${failed}`);
    assert.ok(best === 2000 || failed - best === 1 || failed / best <= 1.15, `${limit}: ${best}–${failed}`);
    assert.ok(steps <= 12, `${limit}: ${steps} steps`);
  }
  assert.deepEqual(await highest({ holds: async () => false, first: 12, most: 2000, fineness: 1.15 }), { best: 0, failed: 1 });
});

test('a target is reached, not reached or not measured', () => {
  const one = (cpu) => [{ key: 'connect', systems: { parley: { cpuUs: cpu } } }];
  assert.deepEqual([one(80), one(80.1), []].map((cases) => judge('w7', cases)[0].verdict), ['reached', 'NOT reached', 'not measured']);
});

test("the worst of mercurius's two is not what Parley is compared with", () => {
  const timesFaster = (median) => ({ timesFaster: { median, min: median, max: median } });
  const systems = { parley: {}, mercurius: timesFaster(9), 'mercurius, cluster of 2': timesFaster(4.9) };
  assert.equal(judge('w3', [{ key: 'rooms', systems }])[0].verdict, 'NOT reached');
});

test('figures are written between their marks, and nowhere else', () => {
  const begin = '<!-- figures: speed (tests/bench/readme.mjs writes what follows) -->';
  const text = `a\n${begin}\nold\n<!-- end of figures -->\nb\n`;
  assert.equal(filled(text, { speed: 'new' }), text.replace('old', 'new'));
  assert.throws(() => filled('nothing', { speed: 'new' }), /no place for speed/);
});

test('README and plots say what the results say', () => {
  execFileSync(process.execPath, [path.join(HERE, 'readme.mjs'), '--check'], { stdio: ['ignore', 'inherit', 'inherit'] });
});
