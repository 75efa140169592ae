// GraphiQL at /graphql: loads the schema, runs operations as the person who is signed in on the chat page, breaks no policy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, signUp } from '../harness/client.mjs';
import { withBrowser } from './browser.mjs';

let system;
let browser;
withBrowser({ gateways: 1, stores: 1 }, (ours) => ({ system, browser } = ours));

async function open(page) {
  const introspected = page.waitForResponse((response) => response.request().postDataJSON()?.operationName === 'IntrospectionQuery');
  await page.goto(`${system.url}/graphql`);
  await introspected;
  await page.locator('.graphiql-query-editor').getByText('getMessages').first().waitFor();
}

// With several operations in the editor the button opens a menu of them; GraphiQL takes a moment to see that there is one.
async function runOnly(page) {
  await page.locator('.graphiql-execute-button:not([aria-haspopup])').click();
}

async function run(page, operation) {
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await page.getByRole('menuitem', { name: operation }).click();
}

// The editor of a tab, by CodeMirror's own interface: typing would have brackets closed for it.
const setValue = (editor, text) => editor.locator('.CodeMirror').evaluate((element, value) => element.CodeMirror.setValue(value), text);
const writeQuery = (page, text) => setValue(page.locator('.graphiql-query-editor'), text);
const writeHeaders = (page, text) => setValue(page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden)'), text);
const result = (page) => page.locator('.result-window .CodeMirror').evaluate((element) => element.CodeMirror.getValue());
const resultHas = (page, text) => page.locator('.result-window').getByText(text, { exact: false }).first().waitFor();

test('it shows the schema without anybody signed in', async () => {
  const page = await browser.page();
  await open(page);
  await page.getByRole('button', { name: /Documentation Explorer/ }).click();
  await page.locator('.graphiql-doc-explorer').getByText('Mutation', { exact: true }).first().click();
  for (const field of ['createMessage', 'signUp', 'refreshSession']) await page.locator('.graphiql-doc-explorer').getByText(field, { exact: true }).first().waitFor();
  browser.assertContent();
});

test('it runs operations as the person of the chat page', async () => {
  const ann = await browser.person('ann');
  await open(ann);
  await run(ann, 'Say');
  await resultHas(ann, '"createMessage"');
  await run(ann, 'Newest');
  await resultHas(ann, 'Hello from GraphiQL');
  assert.ok(JSON.parse(await result(ann)).data.getMessages.some((message) => message.handle === ann.handle));

  await run(ann, 'Live');
  await resultHas(ann, '"addMessage"');
  const { token } = await signUp(system.url);
  await create(system.url, token, 'for GraphiQL', { room: 'lobby' });
  await resultHas(ann, 'for GraphiQL');
  await ann.getByRole('button', { name: 'Stop query' }).click();
  browser.assertContent();
});

test('a token in the headers tab counts, for HTTP and for subscriptions', async () => {
  const page = await browser.page();
  await open(page);
  const { token, handle } = await signUp(system.url);
  await writeQuery(page, '{ me { handle } }');
  await page.keyboard.press('Escape');
  await runOnly(page);
  await resultHas(page, 'UNAUTHENTICATED');
  await writeHeaders(page, JSON.stringify({ Authorization: `Bearer ${token}` }));
  await runOnly(page);
  await resultHas(page, handle);
  await create(system.url, token, 'heard here', { room: `graphiql-${process.pid}` });
  await writeQuery(page, `subscription { addMessage(room: "graphiql-${process.pid}", last: 1) { body } }`);
  await runOnly(page);
  await resultHas(page, 'heard here');
  browser.assertContent(/Failed to load resource/);
});

test('its menus, dialogs, hints and lint marks break no policy', async () => {
  const page = await browser.page();
  await open(page);
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.getByRole('button', { name: /settings/i }).click();
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /short keys/i }).click();
  await page.keyboard.press('Escape');
  await writeQuery(page, '{ nosuchfield }');
  await page.locator('.CodeMirror-lint-mark-error').first().waitFor();
  await page.locator('.CodeMirror-lint-mark-error').first().hover();
  await page.locator('.CodeMirror-lint-tooltip').waitFor();
  await writeQuery(page, '');
  await page.locator('.graphiql-query-editor .CodeMirror').click();
  await page.keyboard.type('{ get');
  await page.locator('.CodeMirror-hints').getByText('getMessages').waitFor();
  browser.assertContent();
});
