// Browsers whose pages run a bundle at an origin of its own, on a Parley behind TLS.
import http from 'node:http';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.PARLEY_CHROMIUM ?? '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--ignore-certificate-errors'];
const PAGE = '<!doctype html><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,"><div id="root"></div><script src="/app.js"></script>';

export function launch(...args) {
  return chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...args] });
}

// A web server with nothing but the page and its script: {origin, stop()}.
export async function serve(script) {
  const server = http.createServer((request, response) => {
    const isScript = request.url === '/app.js';
    response.setHeader('content-type', isScript ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8');
    response.end(isScript ? script : PAGE);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `http://localhost:${server.address().port}`, stop };
}

// A page with a profile of its own; `complaints` collects what it throws, and what was refused to it.
export async function openPage(browser, origin, complaints) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack ?? error}`));
  page.on('console', (message) => {
    if (/CORS|Mixed Content/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(origin);
  return page;
}
