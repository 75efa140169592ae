// Private rooms in Debian's Chromium: made, entered by invitation, left, and what the removed sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodies, isLive, said, say, withBrowser } from './browser.mjs';

const REFUSED_ON_PURPOSE = /Failed to load resource/;

let system;
let browser;
let rooms = 0;
withBrowser({ gateways: 2, stores: 1 }, (ours) => ({ system, browser } = ours));

const look = (page, name) => process.env.PARLEY_SCREENSHOTS && page.screenshot({ path: `${process.env.PARLEY_SCREENSHOTS}/${name}.png` });
const heading = (page, text) => page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor();
const panel = (page) => page.getByRole('dialog', { name: 'Members' });
const roomLink = (page, title) => page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: title, exact: true });

async function makeRoom(page, title) {
  await page.getByLabel('Make a private room').fill(title);
  await page.getByRole('button', { name: 'Make it' }).click();
  await heading(page, title);
  await isLive(page);
}

async function openMembers(page) {
  await page.getByRole('button', { name: 'Members' }).click();
  await panel(page).waitFor();
}

async function invite(page, who) {
  await panel(page).getByLabel('Invite somebody by handle').fill(who.handle);
  await panel(page).getByRole('button', { name: 'Invite', exact: true }).click();
  await panel(page).locator('.member-name').getByText(who.handle, { exact: true }).waitFor();
}

// What a hidden or idle page would see after a while: it asks when it is shown.
const ask = (page) => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

test('a private room: made, invited to, talked in, and closed to the removed', async () => {
  const title = `Our plans ${(rooms += 1)}`;
  const ann = await browser.person('ann');
  const bob = await browser.person('bob');
  const cat = await browser.person('cat');
  await makeRoom(ann, title);
  await openMembers(ann);
  await invite(ann, bob);
  await invite(ann, cat);
  assert.equal(await panel(ann).locator('.member').count(), 3);
  await look(ann, 'members-owner');
  await ann.keyboard.press('Escape');
  for (const page of [bob, cat]) {
    await ask(page);
    await roomLink(page, title).click();
    await heading(page, title);
    await isLive(page);
  }
  await say(ann, 'The door is shut, we may begin.');
  await said(bob, 'The door is shut, we may begin.').waitFor();
  await say(bob, 'Nobody else hears this?');
  await said(cat, 'Nobody else hears this?').waitFor();
  await look(cat, 'private-room');
  await openMembers(bob);
  assert.equal(await panel(bob).getByLabel('Invite somebody by handle').count(), 0, 'a member does not invite');
  assert.equal(await panel(bob).getByRole('button', { name: /^Remove / }).count(), 0);
  await look(bob, 'members-member');
  await bob.keyboard.press('Escape');

  // The removed loses the room while he looks at it; the others see him go, even if the list cannot be had at once.
  let isLost = false;
  await cat.route('**/graphql', (route) => {
    if (isLost || !route.request().postDataJSON()?.query.includes('RoomMembers')) return route.continue();
    isLost = true;
    return route.abort();
  });
  await openMembers(ann);
  await openMembers(cat);
  await panel(ann).getByRole('button', { name: `Remove ${bob.handle}` }).click();
  await bob.getByText('This room is closed to you.').waitFor();
  await roomLink(bob, title).waitFor({ state: 'detached' });
  await look(bob, 'removed');
  await panel(cat).locator('.member-name').getByText(bob.handle, { exact: true }).waitFor({ state: 'detached' });
  await ann.keyboard.press('Escape');
  await cat.keyboard.press('Escape');
  await say(ann, 'Now there are two of us.');
  await said(cat, 'Now there are two of us.').waitFor();
  assert.equal(await bob.locator('.message').count(), 0);
  await bob.reload();
  await bob.getByText('This room is closed to you.').waitFor();
  await bob.getByRole('link', { name: 'Go to the lobby' }).click();
  await isLive(bob);

  // Invited again he reads what was said meanwhile.
  await openMembers(ann);
  await invite(ann, bob);
  await ask(bob);
  await roomLink(bob, title).click();
  await said(bob, 'Now there are two of us.').waitFor();
  assert.deepEqual(await bodies(bob), await bodies(cat));
  browser.assertContent(REFUSED_ON_PURPOSE);
});

test('roles, leaving, and the last owner', async () => {
  const title = `Roles ${(rooms += 1)}`;
  const ann = await browser.person('ann');
  const bob = await browser.person('bob');
  await makeRoom(ann, title);
  await openMembers(ann);
  await invite(ann, bob);
  await ask(bob);
  await roomLink(bob, title).click();
  await isLive(bob);
  await panel(ann).getByRole('button', { name: 'Leave this room' }).click();
  await panel(ann).getByText(/last owner/).waitFor();
  await look(ann, 'last-owner');
  await openMembers(bob);
  assert.equal(await panel(bob).getByLabel('Invite somebody by handle').count(), 0);
  await panel(ann).getByLabel(`Role of ${bob.handle}`).selectOption('OWNER');
  await panel(bob).getByLabel(`Role of ${ann.handle}`).waitFor(); // he may now, without doing anything
  await panel(ann).getByRole('button', { name: 'Leave this room' }).click();
  await heading(ann, 'lobby');
  await roomLink(ann, title).waitFor({ state: 'detached' });
  await panel(bob).locator('.member-name').getByText(ann.handle, { exact: true }).waitFor({ state: 'detached' });
  browser.assertContent(REFUSED_ON_PURPOSE);
});

test('on a phone, in the dark', async () => {
  const ann = await browser.page({ viewport: { width: 390, height: 760 }, colorScheme: 'dark', hasTouch: true });
  const { signUpWith } = await import('./browser.mjs');
  const { handle } = await import('../harness/client.mjs');
  await ann.goto(system.url);
  await signUpWith(ann, handle('ann'));
  await isLive(ann);
  await ann.getByRole('button', { name: 'Rooms and account' }).click();
  await ann.getByLabel('Make a private room').fill('Pocket');
  await look(ann, 'phone-menu');
  await ann.getByRole('button', { name: 'Make it' }).click();
  await heading(ann, 'Pocket');
  await isLive(ann);
  await openMembers(ann);
  await look(ann, 'phone-members');
  const { width } = await panel(ann).boundingBox();
  assert.ok(width <= 390, 'the panel fits');
  browser.assertContent();
});
