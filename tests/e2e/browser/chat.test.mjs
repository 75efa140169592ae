// The chat page in Debian's Chromium: what two people see, and what happens to them when things go wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, data, handle, signUp } from '../harness/client.mjs';
import { PASSWORD, bodies, composer, isLive, said, say, signUpWith, withBrowser } from './browser.mjs';

const FAILED_ON_PURPOSE = /Failed to load resource/;

let system;
let browser;
let rooms = 0;
withBrowser({ gateways: 1, stores: 1 }, (ours) => ({ system, browser } = ours));

const newRoom = (name) => `${name}-${process.pid}-${(rooms += 1)}`;

// The texts of a room as the server has them.
async function stored(token, room) {
  const query = 'query ($room: String) { getMessages(room: $room, last: 500) { body messageId } }';
  return (await data(system.url, { query, variables: { room }, token })).getMessages;
}

const tokenOf = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('parley.session')).token);

const scrolled = (page) =>
  page.locator('.scroller').evaluate((view) => {
    const top = view.getBoundingClientRect().top;
    const first = [...view.querySelectorAll('[data-message-id]')].find((row) => row.getBoundingClientRect().bottom > top);
    return { text: first?.querySelector('.body').textContent, rest: Math.round(view.scrollHeight - view.clientHeight - view.scrollTop) };
  });

test('two people sign up and chat', async () => {
  const room = newRoom('two people');
  const ann = await browser.person('ann', { room });
  const bob = await browser.person('bob', { room });
  await say(ann, 'Good morning');
  await said(bob, 'Good morning').waitFor();
  await say(bob, 'Good morning to you\nand to all');
  const reply = said(ann, 'Good morning to you and to all');
  await reply.waitFor();

  assert.match(await reply.getAttribute('class'), /is-other/);
  assert.match(await said(ann, 'Good morning').getAttribute('class'), /is-own/);
  assert.equal(await reply.locator('.sender').textContent(), bob.handle);
  const time = await reply.locator('time').getAttribute('datetime');
  assert.match(time, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000);
  const left = (locator) => locator.locator('.bubble').evaluate((element) => element.getBoundingClientRect().left);
  assert.ok((await left(said(ann, 'Good morning'))) > (await left(reply)), 'own messages stand on the other side');
  for (const page of [ann, bob]) assert.deepEqual(await bodies(page), ['Good morning', 'Good morning to you\nand to all']);
  browser.assertContent();
});

test('markup in a message is text', async () => {
  const room = newRoom('markup');
  const ann = await browser.person('ann', { room });
  const bob = await browser.person('bob', { room });
  const evil = '<script>window.pwned = 1</script><img src=x onerror="window.pwned = 2"><b>bold</b>';
  await say(ann, evil);
  for (const page of [ann, bob]) {
    await said(page, evil).waitFor();
    assert.equal(await page.locator('.message :is(script, img, b)').count(), 0);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
  }
  await bob.reload();
  await said(bob, evil).waitFor();
  assert.equal(await bob.evaluate(() => window.pwned), undefined);
  browser.assertContent();
});

test('a reload keeps session, room, messages and draft', async () => {
  const room = newRoom('reload / ünïcode #1');
  const ann = await browser.person('ann', { room });
  await say(ann, 'still here?');
  await ann.locator('.message:not(.is-sending)').getByText('still here?').waitFor();
  await composer(ann).fill('half a thought');
  await ann.reload();
  await isLive(ann);
  assert.equal(await ann.getByRole('heading', { level: 1 }).textContent(), `#${room}`);
  assert.deepEqual(await bodies(ann), ['still here?']);
  assert.equal(await composer(ann).inputValue(), 'half a thought');
  assert.equal(await ann.locator('.account-name').textContent(), ann.handle);
  browser.assertContent();
});

test('a send that fails says so, and trying again never doubles it', async () => {
  const room = newRoom('failing');
  const ann = await browser.person('ann', { room });
  const ids = [];
  let fate = 'lose the request';
  await ann.route('**/graphql', async (route) => {
    const id = route.request().postDataJSON()?.variables?.messageId;
    if (!id) return route.continue();
    ids.push(id);
    if (fate === 'lose the request') return route.abort();
    if (fate === 'lose the answer') {
      await route.fetch();
      return route.abort();
    }
    return route.continue();
  });
  await say(ann, 'never left');
  const failed = ann.locator('.message.is-failed');
  await failed.getByText('Not sent').waitFor();
  await ann.reload();
  await failed.getByText('Not sent').waitFor();
  fate = 'none';
  await failed.getByRole('button', { name: 'Try again' }).click();
  await ann.locator('.message:not(.is-failed):not(.is-sending)').getByText('never left').waitFor();
  assert.equal(new Set(ids).size, 1, 'all attempts carry one messageId');

  // The subscription is kept from showing it, as it would be in a network that just broke.
  await ann.routeWebSocket('**/graphql', () => {});
  await ann.reload();
  fate = 'lose the answer';
  await said(ann, 'never left').waitFor();
  await say(ann, 'arrived unseen');
  await failed.getByText('Not sent').waitFor();
  fate = 'none';
  await failed.getByRole('button', { name: 'Try again' }).click();
  await failed.waitFor({ state: 'detached' });
  assert.deepEqual((await stored(await tokenOf(ann), room)).map((message) => message.body), ['never left', 'arrived unseen']);

  fate = 'lose the request';
  await say(ann, 'thought better of it');
  await failed.getByRole('button', { name: 'Discard' }).click();
  await failed.waitFor({ state: 'detached' });
  assert.equal((await stored(await tokenOf(ann), room)).length, 2);
  browser.assertContent(FAILED_ON_PURPOSE);
});

test('a lost connection is shown and heals without hole or repetition', async () => {
  const room = newRoom('healing');
  const ann = await browser.page();
  const sockets = [];
  const resumed = [];
  let isCut = false;
  await ann.routeWebSocket('**/graphql', (socket) => {
    if (isCut) return socket.close({ code: 1012 });
    sockets.push(socket);
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const { type, payload } = JSON.parse(message);
      if (type === 'subscribe') resumed.push(payload.variables);
      server.send(message);
    });
  });
  await ann.goto(`${system.url}/#/room/${room}`);
  await signUpWith(ann, handle('ann'));
  await isLive(ann);
  const { token } = await signUp(system.url);
  const expected = [];
  const write = async (body) => {
    expected.push(body);
    return create(system.url, token, body, { room });
  };
  await write('before');
  await said(ann, 'before').waitFor();
  for (const code of [1000, 1011, 4401, 4500]) {
    isCut = true;
    await sockets.at(-1).close({ code });
    await ann.locator('.connection.is-reconnecting').waitFor();
    const last = (await data(system.url, { query: 'query ($room: String) { getMessages(room: $room, last: 1) { cursor } }', variables: { room }, token })).getMessages[0].cursor;
    for (let i = 0; i < 5; i++) await write(`${code} while away ${i}`);
    isCut = false;
    await isLive(ann);
    await said(ann, `${code} while away 4`).waitFor();
    assert.deepEqual(resumed.at(-1), { room, after: last }, 'it resumes at the last cursor');
    await write(`${code} after`);
    await said(ann, `${code} after`).waitFor();
  }
  assert.deepEqual(await bodies(ann), expected);
  browser.assertContent(/WebSocket/);
});

test('a room that was empty when the connection was lost: what came first is there, too', async () => {
  const room = newRoom('was empty');
  const ann = await browser.page();
  let isCut = false;
  let socket;
  await ann.routeWebSocket('**/graphql', (opened) => {
    if (isCut) return opened.close({ code: 1012 });
    socket = opened;
    opened.connectToServer();
  });
  await ann.goto(`${system.url}/#/room/${room}`);
  await signUpWith(ann, handle('ann'));
  await isLive(ann);
  isCut = true;
  await socket.close({ code: 1012 });
  await ann.locator('.connection.is-reconnecting').waitFor();
  const { token } = await signUp(system.url);
  const expected = Array.from({ length: 55 }, (_, i) => `message ${i}`); // a page holds 50
  for (const body of expected) await create(system.url, token, body, { room });
  isCut = false;
  await said(ann, 'message 54').waitFor();
  await ann.locator('.scroller').evaluate((view) => view.scrollTo(0, 0));
  await said(ann, 'message 0').waitFor();
  assert.deepEqual(await bodies(ann), expected);
  browser.assertContent(/WebSocket/);
});

test('gateway and store may die and come back', { skip: process.env.PARLEY_E2E_URL ? 'not our processes' : false }, async () => {
  const room = newRoom('dying');
  const ann = await browser.person('ann', { room });
  const bob = await browser.person('bob', { room });
  const expected = [];
  for (const victim of [system.gateways[0], system.stores[0]]) {
    await victim.stop('SIGKILL');
    await say(ann, `written while ${victim.name} is away`);
    const entry = ann.locator('.message').filter({ hasText: `while ${victim.name} is away` });
    await entry.waitFor();
    victim.start();
    await system.ready();
    await ann.locator('.message.is-sending').waitFor({ state: 'detached' });
    if ((await ann.locator('.message.is-failed').count()) > 0) await ann.getByRole('button', { name: 'Try again' }).click();
    await say(bob, `after ${victim.name}`);
    expected.push(`written while ${victim.name} is away`, `after ${victim.name}`);
    for (const page of [ann, bob]) {
      for (const text of expected) await said(page, text).waitFor();
      await isLive(page);
    }
  }
  const kept = (await stored(await tokenOf(ann), room)).map((message) => message.body);
  assert.deepEqual([...kept].sort(), [...expected].sort(), 'each was stored once');
  for (const page of [ann, bob]) assert.deepEqual(await bodies(page), kept);
  browser.assertContent(FAILED_ON_PURPOSE, /WebSocket connection/);
});

test('older messages come when one scrolls up, and the place survives new messages and a reload', async () => {
  const room = newRoom('history');
  const { token } = await signUp(system.url);
  for (let i = 0; i < 180; i += 45) {
    const body = Array.from({ length: 45 }, (_, k) => `m${k}: createMessage(room: $room, body: "line ${i + k}") { cursor }`).join('\n');
    await data(system.url, { query: `mutation ($room: String) { ${body} }`, variables: { room }, token });
  }
  const ann = await browser.person('ann', { room });
  await said(ann, 'line 179').waitFor();
  assert.ok((await bodies(ann)).length < 180, 'not everything is loaded at first');
  assert.equal((await scrolled(ann)).rest, 0, 'one begins at the newest');

  await ann.locator('.scroller').hover();
  while ((await ann.getByText('This is where the room begins.').count()) === 0) await ann.mouse.wheel(0, -1200);
  assert.deepEqual(await bodies(ann), Array.from({ length: 180 }, (_, i) => `line ${i}`));

  await ann.mouse.wheel(0, 2000);
  await ann.waitForFunction(() => document.querySelector('.scroller').scrollTop > 1000);
  const place = await scrolled(ann);
  await create(system.url, token, 'news', { room });
  await ann.getByRole('button', { name: '1 new message' }).waitFor();
  assert.equal((await scrolled(ann)).text, place.text, 'a new message moves nothing');
  await ann.reload();
  await isLive(ann);
  await said(ann, place.text).waitFor();
  assert.equal((await scrolled(ann)).text, place.text, 'nor does a reload');
  await ann.getByRole('button', { name: 'Newest' }).click();
  await ann.waitForFunction(() => document.querySelector('.to-end') === null);
  assert.equal((await scrolled(ann)).rest, 0);
  await create(system.url, token, 'more news', { room });
  await said(ann, 'more news').waitFor();
  assert.equal((await scrolled(ann)).rest, 0, 'at the end one stays at the end');
  browser.assertContent();
});

test('rooms are apart, and the address names them', async () => {
  const [one, two] = [newRoom('one'), newRoom('two')];
  const ann = await browser.person('ann', { room: one });
  await say(ann, 'in the first');
  await ann.getByLabel('Go to a room by its name').fill(two);
  await ann.getByLabel('Go to a room by its name').press('Enter');
  await ann.getByText('It is quiet here.').waitFor();
  assert.equal(new URL(ann.url()).hash, `#/room/${two}`);
  await say(ann, 'in the second');
  await said(ann, 'in the second').waitFor();
  await ann.goBack();
  await said(ann, 'in the first').waitFor();
  assert.deepEqual(await bodies(ann), ['in the first']);
  await ann.goto(`${system.url}/#/room/${'x'.repeat(129)}`);
  await ann.getByText('This room cannot be opened.').waitFor();
  await ann.getByRole('link', { name: 'Go to the lobby' }).click();
  await isLive(ann);
  browser.assertContent();
});

test('the rules for a password are told first, and refusals in plain words', async () => {
  const ann = await browser.person('ann');
  const page = await browser.page();
  await page.goto(system.url);
  await page.getByText('Create account', { exact: true }).first().click();
  for (const rule of ['8 characters or more', 'a lower-case letter', 'a digit']) await page.getByText(rule).waitFor();
  const problem = page.getByRole('alert');
  await signUpWith(page, 'somebody', 'LONG ENOUGH 1');
  assert.equal(await problem.textContent(), 'The password needs a lower-case letter.');
  await signUpWith(page, ann.handle);
  await problem.getByText('This handle is taken.').waitFor();
  await page.getByText('Sign in', { exact: true }).first().click();
  await page.getByLabel('Password', { exact: true }).fill('wrong horse 1');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await problem.getByText('Handle or password is not right.').waitFor();
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await isLive(page);
  browser.assertContent(FAILED_ON_PURPOSE);
});

test('signing out ends the session in every tab and on the server', async () => {
  const ann = await browser.person('ann');
  const other = await browser.pageIn(ann.context());
  await other.goto(system.url);
  await isLive(other);
  const { refreshToken } = await ann.evaluate(() => JSON.parse(localStorage.getItem('parley.session')));
  const answered = ann.waitForResponse((response) => response.request().postDataJSON()?.query.includes('signOut'));
  await ann.getByRole('button', { name: 'Sign out' }).click();
  await answered;
  for (const page of [ann, other]) await page.getByRole('button', { name: 'Sign in' }).waitFor();
  assert.equal(await other.evaluate(() => localStorage.getItem('parley.session')), null);
  const query = 'mutation ($t: String!) { refreshSession(refreshToken: $t) { token } }';
  await assert.rejects(data(system.url, { query, variables: { t: refreshToken } }), /UNAUTHENTICATED/);
  browser.assertContent();
});

test('signing out with an access token that has ended ends the session all the same', async () => {
  const ann = await browser.person('ann');
  const { token, refreshToken } = await ann.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('parley.session'));
    localStorage.setItem('parley.session', JSON.stringify({ ...session, token: `${session.token.slice(0, -4)}AAAA` }));
    return session;
  });
  const answered = ann.waitForResponse(async (response) => response.request().postDataJSON()?.query.includes('signOut') && response.ok());
  await ann.getByRole('button', { name: 'Sign out' }).click();
  await answered;
  const query = 'mutation ($t: String!) { refreshSession(refreshToken: $t) { token } }';
  await assert.rejects(data(system.url, { query, variables: { t: refreshToken } }), /UNAUTHENTICATED/);
  await assert.rejects(data(system.url, { query: '{ me { handle } }', token }), /UNAUTHENTICATED/);
  browser.assertContent(FAILED_ON_PURPOSE);
});

test('an old or refused access token is renewed unnoticed, once for all tabs', async () => {
  const room = newRoom('tokens');
  const ann = await browser.person('ann', { room });
  const other = await browser.pageIn(ann.context());
  await other.goto(`${system.url}/#/room/${room}`);
  await isLive(other);
  let renewals = 0;
  ann.context().on('request', (request) => {
    if (request.postDataJSON()?.query?.includes('refreshSession')) renewals += 1;
  });
  const change = (fields) => ann.evaluate((f) => localStorage.setItem('parley.session', JSON.stringify({ ...JSON.parse(localStorage.getItem('parley.session')), ...f })), fields);
  const old = await tokenOf(ann);
  await change({ renewAt: 0 });
  await Promise.all([say(ann, 'first'), say(other, 'second')]);
  for (const text of ['first', 'second']) await said(ann, text).waitFor();
  assert.notEqual(await tokenOf(ann), old);
  assert.equal(renewals, 1);

  await change({ token: `${old.slice(0, -4)}AAAA` });
  await say(ann, 'third');
  await said(other, 'third').waitFor();
  await ann.locator('.message.is-failed, .message.is-sending').waitFor({ state: 'detached' });
  assert.equal(renewals, 2);
  browser.assertContent(FAILED_ON_PURPOSE);
});

test('a session that ended elsewhere says so', async () => {
  const ann = await browser.person('ann');
  await ann.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('parley.session'));
    localStorage.setItem('parley.session', JSON.stringify({ ...session, token: 'gone', refreshToken: 'gone', renewAt: 0 }));
  });
  await ann.reload();
  await ann.getByText('Your session has ended. Please sign in again.').waitFor();
  browser.assertContent(FAILED_ON_PURPOSE);
});

test('everything can be done by keyboard', async () => {
  const room = newRoom('keys');
  const page = await browser.page();
  await page.goto(`${system.url}/#/room/${room}`);
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.labels?.[0]?.textContent ?? '');
  const tabTo = async (label) => {
    for (let i = 0; i < 30; i++) {
      if ((await focused()).includes(label)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${label} cannot be reached by the Tab key`);
  };
  const isOutlined = () => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== 'none' || getComputedStyle(document.activeElement.parentElement).outlineStyle !== 'none');
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'username');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('ArrowRight');
  await tabTo('Handle');
  await page.keyboard.type(handle('keys'));
  await tabTo('Password');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await isLive(page);
  assert.match(await focused(), /Message to/, 'after signing in one can write');
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await said(page, 'one two').waitFor();
  assert.deepEqual(await bodies(page), ['one\ntwo']);
  await tabTo('Go to a room by its name');
  assert.ok(await isOutlined(), 'the focus is visible');
  await page.keyboard.type('lobby');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'lobby', exact: false }).waitFor();
  await tabTo('Messages in lobby');
  await tabTo('Sign out');
  assert.ok(await isOutlined(), 'the focus is visible');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'username');
  browser.assertContent();
});

test('on a phone, in the dark', async () => {
  const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true, colorScheme: 'dark' };
  const room = newRoom('phone');
  const ann = await browser.person('ann', { room, ...phone });
  const long = `${'w'.repeat(300)} ${'many words that wrap '.repeat(20)}`;
  await say(ann, long.trim());
  await said(ann, long.trim()).waitFor();
  const fits = () => ann.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector('.scroller').scrollWidth <= innerWidth);
  assert.ok(await fits(), 'nothing sticks out');
  assert.ok(await composer(ann).isVisible());
  const [background, ink] = await ann.evaluate(() => [getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color].map((color) => color.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3));
  assert.ok(background < 60 && ink > 180, 'light on dark');
  await ann.getByRole('button', { name: 'Rooms and account' }).tap();
  await ann.getByRole('dialog').getByText(ann.handle).waitFor();
  await ann.getByLabel('Go to a room by its name').fill('lobby');
  await ann.getByRole('button', { name: 'Go', exact: true }).tap();
  await ann.getByRole('dialog').waitFor({ state: 'hidden' });
  await ann.getByRole('button', { name: 'Rooms and account' }).tap();
  await ann.getByRole('button', { name: 'Sign out' }).tap();
  await ann.getByRole('button', { name: 'Sign in' }).waitFor();
  assert.ok(await ann.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  browser.assertContent();
});

test('the page offers itself to password managers', async () => {
  const page = await browser.page();
  await page.goto(system.url);
  const hints = () => page.locator('form input').evaluateAll((fields) => fields.map((field) => field.autocomplete));
  assert.deepEqual(await hints(), ['username', 'current-password']);
  await page.getByText('Create account', { exact: true }).first().click();
  assert.deepEqual(await hints(), ['username', 'new-password', 'email']);
  browser.assertContent();
});
