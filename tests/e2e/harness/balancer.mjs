// HAProxy as docker-compose.yml runs it (deploy/haproxy.cfg), with gateways of a test instead of the engine's DNS.
import fs from 'node:fs';
import path from 'node:path';
import { Process, ROOT, freePort, until } from './system.mjs';

function configure(text, port, healthPort, gateways) {
  const servers = gateways.map(({ name, port: to }) => `    server ${name} 127.0.0.1:${to}`).join('\n');
  const replace = (from, to) => {
    if (!text.match(from)) throw new Error(`deploy/haproxy.cfg has no ${from}`);
    text = text.replaceAll(from, to);
  };
  replace(/^resolvers engine\n(?:    .*\n)+/gm, '');
  replace(/ resolvers engine init-addr none/g, '');
  replace(/^    server-template .*$/gm, servers);
  replace(/bind :8080/g, `bind 127.0.0.1:${port}`);
  replace(/bind :8081/g, `bind 127.0.0.1:${healthPort}`);
  return text;
}

// In front of all gateways of the system that there are now: {url, wsUrl, stop()}.
export async function startBalancer(system) {
  const port = await freePort();
  const file = path.join(system.dir, 'haproxy.cfg');
  fs.writeFileSync(file, configure(fs.readFileSync(path.join(ROOT, 'deploy/haproxy.cfg'), 'utf8'), port, await freePort(), system.gateways));
  const process = new Process('haproxy', 'haproxy', ['-db', '-f', file]).start();
  const url = `http://127.0.0.1:${port}`;
  await until('the balancer to have a gateway', async () => (await fetch(`${url}/readyz`)).status === 200).catch((error) => {
    throw new Error(`${error.message}\n${process.tail()}`);
  });
  return { process, url, wsUrl: `ws://127.0.0.1:${port}/graphql`, stop: () => process.stop('SIGKILL') };
}
