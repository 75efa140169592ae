// The static files: what a browser and a cache are told about them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { systemUnderTest } from './browser.mjs';

let system;

before(async () => {
  system = await systemUnderTest({ gateways: 1, stores: 1 });
});
after(async () => {
  await system?.stop();
});

// fetch() would decompress and hide the encoding.
function get(path, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const request = http.request(new URL(path, system.url), { method, headers }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) });
    });
    request.on('error', reject).end();
  });
}

async function linked(page) {
  const { bytes } = await get(page, { accept: 'text/html' });
  return [...bytes.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
}

test('pages have a strict policy and are revalidated', async () => {
  for (const path of ['/', '/graphql']) {
    const { status, headers } = await get(path, { accept: 'text/html' });
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/html; charset=utf-8$/);
    const policy = Object.fromEntries(headers['content-security-policy'].split('; ').map((rule) => [rule.split(' ')[0], rule.slice(rule.indexOf(' ') + 1)]));
    assert.equal(policy['default-src'], "'none'");
    for (const name of ['script-src', 'style-src', 'connect-src', 'form-action']) assert.equal(policy[name], "'self'", `${path} ${name}`);
    for (const name of ['base-uri', 'frame-ancestors']) assert.equal(policy[name], "'none'", `${path} ${name}`);
    assert.doesNotMatch(headers['content-security-policy'], /unsafe|https?:|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(headers['cache-control'], /no-cache/);
    const again = await get(path, { accept: 'text/html', 'if-none-match': headers.etag });
    assert.equal(again.status, 304);
    assert.equal(again.bytes.length, 0);
  }
});

test('what pages load is of this origin, immutable, and there', async () => {
  for (const page of ['/', '/graphql']) {
    const paths = await linked(page);
    assert.ok(paths.length >= 3);
    for (const path of paths) {
      assert.match(path, /^\/assets\/[\w-]+-\w{8}\.\w+$/);
      const { status, headers } = await get(path);
      assert.equal(status, 200, path);
      assert.match(headers['cache-control'], /immutable/);
      assert.match(headers.etag, /^"[^"]+"$/);
      assert.equal((await get(path, { 'if-none-match': headers.etag })).status, 304);
      assert.equal((await get(path, { 'if-none-match': '"other"' })).status, 200);
    }
  }
});

test('compressed forms are the same bytes under a tag of their own', async () => {
  const script = (await linked('/')).find((path) => path.endsWith('.js'));
  const plain = await get(script, { 'accept-encoding': 'identity' });
  assert.equal(plain.headers['content-encoding'], undefined);
  const tags = new Set([plain.headers.etag]);
  for (const [encoding, unpack] of [
    ['br', zlib.brotliDecompressSync],
    ['gzip', zlib.gunzipSync],
  ]) {
    const packed = await get(script, { 'accept-encoding': encoding });
    assert.equal(packed.headers['content-encoding'], encoding);
    assert.match(packed.headers.vary ?? '', /accept-encoding/i);
    assert.ok(packed.bytes.length < plain.bytes.length / 2);
    assert.ok(unpack(packed.bytes).equals(plain.bytes));
    tags.add(packed.headers.etag);
    assert.equal((await get(script, { 'accept-encoding': encoding, 'if-none-match': packed.headers.etag })).status, 304);
  }
  assert.equal(tags.size, 3);
  assert.equal((await get(script, { 'accept-encoding': 'br;q=0, gzip' })).headers['content-encoding'], 'gzip');
});

test('HEAD has no body, other methods and paths are refused', async () => {
  const head = await get('/', {}, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(head.bytes.length, 0);
  assert.equal((await get('/', {}, 'DELETE')).status, 405);
  for (const path of ['/assets/', '/assets/../main.c', '/assets/none.js', '/graphiql2', '/index.html']) assert.equal((await get(path)).status, 404, path);
});
