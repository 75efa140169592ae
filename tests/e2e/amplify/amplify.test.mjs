// AWS Amplify 6 in a real browser, configured as README.md says, on two stores: challenges and codes of one are answered by
// the other.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { handle } from '../harness/client.mjs';
import { metrics, metricSum, ROOT, startSystem, until } from '../harness/system.mjs';
import { startTls } from '../harness/tls.mjs';
import { bundle } from './bundle.mjs';
import { launch, openPage, serve } from './pages.mjs';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const PASSWORD = 'correct horse 1';
const CODE = '424242';
const HOUR_MS = 3_600_000;
const CREATE = 'mutation ($body: String!, $room: String) { createMessage(body: $body, room: $room) { body handle } }';

let system;
let tls;
let browser;
let web;
const complaints = [];
before(async () => {
  system = await startSystem({ stores: 2, storeEnv: { PARLEY_FIXED_CODE: CODE } });
  tls = await startTls(system);
  browser = await launch();
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const configuration = /```javascript\n([^]*?Amplify\.configure[^]*?)```/.exec(readme)[1];
  web = await serve(await bundle(`${configuration.replaceAll('https://localhost:8443', tls.url)}\nimport './app.mjs';`, FOLDER));
});
after(async () => {
  await browser?.close();
  web?.stop();
  await tls?.stop();
  await system?.stop();
});

const open = () => openPage(browser, web.origin, complaints);

// Somebody new, signed up, confirmed and signed in by the libraries.
async function person(page, name) {
  await page.evaluate(
    async ({ name, PASSWORD, CODE }) => {
      await app.auth.signUp({ username: name, password: PASSWORD, options: { userAttributes: { email: 'a@example.com' } } });
      await app.auth.confirmSignUp({ username: name, confirmationCode: CODE });
      const { isSignedIn } = await app.auth.signIn({ username: name, password: PASSWORD });
      if (!isSignedIn) throw new Error('not signed in');
    },
    { name, PASSWORD, CODE },
  );
  return page;
}

const create = (page, body, room) => page.evaluate(({ CREATE, body, room }) => app.query(CREATE, { body, room }), { CREATE, body, room });
const has = (page, text) =>
  until(`${text} to arrive`, async () => (await page.evaluate(() => app.got)).includes(text)).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await page.evaluate(() => [app.got, app.failures]))}`);
  });

// Amplify says nothing when its subscription is acknowledged: posts until one arrives.
async function live(page, room) {
  await page.evaluate((name) => app.subscribe(name), room);
  await until('the subscription to be live', async () => {
    await create(page, 'probe', room);
    return page.evaluate(() => app.got.length > 0);
  }, { everyMs: 100 });
}

async function answered(operation) {
  let count = 0;
  for (const store of system.stores) count += metricSum(await metrics(store), 'parley_cognito_requests_total', `operation="${operation}"`, 'outcome="ok"');
  return count;
}

test('a fixed code is warned about', () => {
  assert.match(system.stores[0].output, /"level":"warn".*PARLEY_FIXED_CODE/);
});

test('sign up, confirm and sign in, with the errors by their names', async () => {
  const page = await open();
  const name = handle('Amy');
  const result = await page.evaluate(
    async ({ name, PASSWORD, CODE }) => {
      const { auth } = app;
      const failure = (promise) => promise.then(() => null, (error) => error.name);
      const seen = {};
      const options = { userAttributes: { email: 'amy@example.com' } };
      seen.weak = await failure(auth.signUp({ username: name, password: 'short', options }));
      const up = await auth.signUp({ username: name, password: PASSWORD, options });
      seen.up = [up.isSignUpComplete, up.nextStep.signUpStep, up.nextStep.codeDeliveryDetails];
      seen.again = await failure(auth.signUp({ username: name, password: PASSWORD, options }));
      seen.early = (await auth.signIn({ username: name, password: PASSWORD })).nextStep.signInStep;
      seen.mismatch = await failure(auth.confirmSignUp({ username: name, confirmationCode: '000000' }));
      seen.resent = (await auth.resendSignUpCode({ username: name })).deliveryMedium;
      seen.confirmed = (await auth.confirmSignUp({ username: name, confirmationCode: CODE })).isSignUpComplete;
      seen.wrong = await failure(auth.signIn({ username: name, password: 'wrong horse 1' }));
      seen.signedIn = (await auth.signIn({ username: name, password: PASSWORD })).isSignedIn;
      seen.user = (await auth.getCurrentUser()).username;
      seen.attributes = await auth.fetchUserAttributes();
      const { tokens } = await auth.fetchAuthSession();
      seen.claims = [tokens.idToken.payload.email, tokens.idToken.payload.email_verified, tokens.accessToken.payload.username];
      return seen;
    },
    { name, PASSWORD, CODE },
  );
  const { sub, ...attributes } = result.attributes;
  assert.match(sub, /^[0-9a-f-]{36}$/);
  assert.deepEqual(attributes, { email: 'amy@example.com', email_verified: 'true' });
  delete result.attributes;
  assert.deepEqual(result, {
    weak: 'InvalidPasswordException',
    up: [false, 'CONFIRM_SIGN_UP', { deliveryMedium: 'EMAIL', destination: 'a***@e***', attributeName: 'email' }],
    again: 'UsernameExistsException',
    early: 'CONFIRM_SIGN_UP',
    mismatch: 'CodeMismatchException',
    resent: 'EMAIL',
    confirmed: true,
    wrong: 'NotAuthorizedException',
    signedIn: true,
    user: name,
    claims: ['amy@example.com', true, name],
  });
  await page.context().close();
});

test('two browsers chat, one is loaded again, its token expires, and it signs out', async () => {
  const room = handle('room');
  const [ann, bob] = [handle('ann'), handle('bob')];
  const [first, second] = [await person(await open(), ann), await person(await open(), bob)];
  await live(first, room);
  await live(second, room);
  await create(first, 'hello', room);
  await create(second, 'hello yourself', room);
  for (const page of [first, second]) {
    await has(page, `${ann}: hello`);
    await has(page, `${bob}: hello yourself`);
  }
  const { getMessages } = await first.evaluate((name) => app.query('query ($room: String) { getMessages(room: $room) { body handle } }', { room: name }), room);
  assert.deepEqual(getMessages.at(-1), { body: 'hello yourself', handle: bob });

  await first.reload();
  assert.equal((await first.evaluate(() => app.auth.getCurrentUser())).username, ann, 'still signed in');
  await live(first, room);

  const token = () => first.evaluate(async () => (await app.auth.fetchAuthSession()).tokens.accessToken.toString());
  const old = await token();
  assert.equal(await token(), old, 'a token is used until it expires');
  await first.evaluate((ms) => app.later(ms), 2 * HOUR_MS);
  await create(first, 'an hour later', room);
  assert.notEqual(await token(), old, 'it was refreshed');
  await has(second, `${ann}: an hour later`);
  assert.deepEqual(await first.evaluate(() => app.failures), []);

  await first.evaluate(async () => {
    app.end();
    await app.auth.signOut();
  });
  assert.equal(await first.evaluate(() => app.auth.getCurrentUser().catch((error) => error.name)), 'UserUnAuthenticatedException');
  assert.ok((await answered('RevokeToken')) >= 1);
  await second.evaluate(() => app.auth.signOut({ global: true }));
  assert.equal(await answered('GlobalSignOut'), 1);
});

test('a changed and a forgotten password, attributes, and an account that is deleted', async () => {
  const page = await open();
  const name = handle('eve');
  await person(page, name);
  const result = await page.evaluate(
    async ({ name, PASSWORD, CODE }) => {
      const { auth } = app;
      const seen = {};
      const signIn = async (password) => {
        await auth.signOut();
        return (await auth.signIn({ username: name, password })).isSignedIn;
      };
      await auth.updatePassword({ oldPassword: PASSWORD, newPassword: 'another horse 2' });
      seen.changed = await signIn('another horse 2');
      seen.reset = (await auth.resetPassword({ username: name })).nextStep.resetPasswordStep;
      await auth.confirmResetPassword({ username: name, confirmationCode: CODE, newPassword: 'a third horse 3' });
      seen.again = await signIn('a third horse 3');
      seen.update = (await auth.updateUserAttributes({ userAttributes: { email: 'eve@example.org', nickname: 'eve' } })).email.nextStep.updateAttributeStep;
      await auth.confirmUserAttribute({ userAttributeKey: 'email', confirmationCode: CODE });
      const { email, email_verified, nickname } = await auth.fetchUserAttributes();
      seen.attributes = [email, email_verified, nickname];
      await auth.deleteUser();
      seen.gone = await auth.signIn({ username: name, password: 'a third horse 3' }).catch((error) => error.name);
      return seen;
    },
    { name, PASSWORD, CODE },
  );
  assert.deepEqual(result, {
    changed: true,
    reset: 'CONFIRM_RESET_PASSWORD_WITH_CODE',
    again: true,
    update: 'CONFIRM_ATTRIBUTE_WITH_CODE',
    attributes: ['eve@example.org', 'true', 'eve'],
    gone: 'NotAuthorizedException',
  });
});

test('nothing was thrown that nobody caught', () => assert.deepEqual(complaints, []));
