// A real browser on a real Parley: people with pages of their own, and a record of everything the browser complained about.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { chromium } from 'playwright-core';
import { handle } from '../harness/client.mjs';

const CHROMIUM = process.env.PARLEY_CHROMIUM ?? '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const PASSWORD = 'correct horse 1';

// The system under test: one of its own, or the one that runs at PARLEY_E2E_URL.
export async function systemUnderTest(options) {
  const url = process.env.PARLEY_E2E_URL;
  if (url) return { url: url.replace(/\/$/, ''), stop: async () => {} };
  const { startSystem } = await import('../harness/system.mjs');
  return startSystem(options);
}

// A system and a browser for all tests of a file, given to `take`; what a test opens is closed behind it.
export function withBrowser(options, take) {
  let system;
  let browser;
  before(async () => {
    system = await systemUnderTest(options);
    browser = await Browser.launch(system.url);
    take({ system, browser });
  });
  after(async () => {
    await browser?.close();
    await system?.stop();
  });
  afterEach(async () => {
    for (const context of browser.browser.contexts()) await context.close();
  });
}

export class Browser {
  static async launch(url) {
    return new Browser(await chromium.launch({ executablePath: CHROMIUM, args: ARGS }), url);
  }

  constructor(browser, url) {
    this.browser = browser;
    this.url = url;
    this.complaints = [];
    this.foreign = [];
  }

  // A page in a browser profile of its own.
  async page(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1100, height: 700 }, locale: 'en-GB', ...options });
    return this.pageIn(context);
  }

  async pageIn(context) {
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.stack ?? error}`));
    page.on('request', (request) => {
      const from = new URL(request.url());
      if (from.protocol.startsWith('http') && from.origin !== this.url) this.foreign.push(request.url());
    });
    return page;
  }

  // Somebody new, signed up through the page and in the room.
  async person(name, { room = 'lobby', ...options } = {}) {
    const page = await this.page(options);
    page.handle = handle(name);
    await page.goto(`${this.url}/#/room/${encodeURIComponent(room)}`);
    await signUpWith(page, page.handle);
    await isLive(page);
    return page;
  }

  // Nothing was blocked, nothing threw, nothing came from elsewhere. Failures that a test causes itself are named by it.
  assertContent(...expected) {
    const left = this.complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
    assert.deepEqual(left, [], 'the browser complained');
    assert.deepEqual(this.foreign, [], 'something was requested from another origin');
    this.complaints.length = 0;
  }

  async close() {
    await this.browser.close();
  }
}

export async function signUpWith(page, name, password = PASSWORD) {
  await page.getByText('Create account', { exact: true }).first().click();
  await page.getByLabel('Handle').fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
}

export async function isLive(page) {
  await page
    .locator('.connection.is-live')
    .waitFor()
    .catch(async (error) => {
      throw new Error(`${error.message}\nThe page shows: ${await page.locator('body').innerText()}`);
    });
}

export function composer(page) {
  return page.getByRole('textbox', { name: /^Message to/ });
}

export async function say(page, text) {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

// The messages of exactly this text.
export function said(page, text) {
  return page.locator('.message').filter({ has: page.locator('.body').getByText(text, { exact: true }) });
}

export function bodies(page) {
  return page.locator('.message .body').allTextContents();
}
