// Amplify 2.3.0 with aws-amplify-react in a real browser: it knows no other address of the user pool than Amazon's, so the
// browser is told that this is Parley, at whose root the user pool is too.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { handle } from '../harness/client.mjs';
import { startSystem, until } from '../harness/system.mjs';
import { startTls } from '../harness/tls.mjs';
import { bundle } from './bundle.mjs';
import { launch, openPage, serve } from './pages.mjs';

const FOLDER = fileURLToPath(new URL('v2/', import.meta.url));
const PASSWORD = 'correct horse 1';
const HOUR_MS = 3_600_000;

let system;
let tls;
let browser;
let web;
const complaints = [];
before(async () => {
  system = await startSystem();
  tls = await startTls(system);
  web = await serve(
    await bundle("import './chat.jsx';", FOLDER, {
      define: { global: 'window', 'process.env.NODE_ENV': '"production"', 'process.env': '{}', ENDPOINT: JSON.stringify(`${tls.url}/graphql`) },
      mainFields: ['browser', 'main'], // its ES modules construct a namespace, which only webpack lets pass
      external: ['util', 'crypto'], // asked for by code that no browser runs
      loader: { '.js': 'jsx', '.css': 'empty' },
    }),
  );
  browser = await launch(`--host-resolver-rules=MAP cognito-idp.local-1.amazonaws.com:443 127.0.0.1:${tls.port}`);
});
after(async () => {
  await browser?.close();
  web?.stop();
  await tls?.stop();
  await system?.stop();
});

const codeOf = (name) =>
  until(`a code for ${name}`, () => {
    const line = system.stores[0].output.split('\n').filter((text) => text.includes('confirmation code') && text.includes(name)).at(-1);
    return line && JSON.parse(line).code;
  });

async function signIn(page, name) {
  await page.getByText('Sign in to your account').waitFor();
  await page.getByPlaceholder('Enter your username').fill(name);
  await page.getByPlaceholder('Enter your password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign In' }).click();
}

const isIn = (page) => page.locator('#messages[data-state=loaded]').waitFor({ state: 'attached' });

async function person(name) {
  const page = await openPage(browser, web.origin, complaints);
  await page.getByText('Create account', { exact: true }).click();
  await page.getByPlaceholder('Username').fill(name);
  await page.getByPlaceholder('Password').fill(PASSWORD);
  await page.getByPlaceholder('Email').fill(`${name}@example.com`);
  await page.locator('input[name=phone_line_number]').fill('2015550123');
  await page.getByRole('button', { name: 'Create Account' }).click();
  await page.getByText('Confirm Sign Up').waitFor();
  await page.getByPlaceholder('Enter your code').fill(await codeOf(name));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await signIn(page, name);
  await isIn(page);
  return page;
}

async function say(page, text) {
  await page.getByPlaceholder('Say something').fill(text);
  await page.getByPlaceholder('Say something').press('Enter');
}

const sees = (page, text) => page.locator('#messages li', { hasText: text }).first().waitFor();

test('sign up, confirm, sign in, chat, load again, refresh, sign out', async () => {
  const [ann, bob] = [handle('ann'), handle('bob')];
  const [first, second] = [await person(ann), await person(bob)];
  // The subscription is not acknowledged to the page: what it says until then comes with the next loading.
  await until('both to be live', async () => {
    await say(first, 'probe');
    return (await second.locator('#messages li').count()) > 0 && (await first.locator('#messages li').count()) > 0;
  }, { everyMs: 200 });
  await say(first, 'hello');
  await say(second, 'hello yourself');
  for (const page of [first, second]) {
    await sees(page, `${ann}: hello`);
    await sees(page, `${bob}: hello yourself`);
    assert.equal(await page.locator('#messages').getAttribute('data-errors'), '[]');
  }

  await first.reload();
  await isIn(first);
  await sees(first, `${bob}: hello yourself`);

  const stored = (part) => first.evaluate((name) => Object.entries(localStorage).find(([key]) => key.endsWith(`.${name}`))[1], part);
  const [access, refresh] = [await stored('accessToken'), await stored('refreshToken')];
  await first.evaluate((ms) => {
    const real = Date;
    globalThis.Date = class extends real {
      constructor(...args) {
        super(...(args.length ? args : [real.now() + ms]));
      }
      static now() {
        return real.now() + ms;
      }
    };
  }, 2 * HOUR_MS);
  await say(first, 'an hour later');
  await sees(second, `${ann}: an hour later`);
  assert.notEqual(await stored('accessToken'), access, 'it was refreshed');
  assert.equal(await stored('refreshToken'), refresh, 'refresh tokens do not rotate');

  await first.getByRole('button', { name: 'Sign Out' }).click();
  await signIn(first, ann);
  await isIn(first);
  assert.deepEqual(complaints, []);
});
