// The README's examples are run as they stand there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { create, signUp } from './harness/client.mjs';
import { Process, ROOT, startSystem, until } from './harness/system.mjs';

const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
const block = (language) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(readme)[1];

let system;
before(async () => {
  system = await startSystem();
});
after(() => system?.stop());

test('the shell example', () => {
  const script = block('sh').replaceAll('localhost:8080', `127.0.0.1:${system.gateways[0].port}`);
  const lines = execFileSync('bash', ['-euo', 'pipefail', '-c', script.replaceAll(/^gql '/gm, "echo; gql '")], { encoding: 'utf8' }).split('\n').filter(Boolean);
  const [up, sent, read] = lines.map((line) => JSON.parse(line).data);
  assert.ok(up.signUp.token);
  assert.equal(sent.createMessage.handle, 'ada');
  assert.deepEqual(read.getMessages.map((message) => message.body), ['hello']);
});

test('the subscriber goes on where it was, also when the gateway dies', async () => {
  const alice = await signUp(system.url);
  const folder = path.dirname(fileURLToPath(import.meta.url));
  const file = path.join(folder, `.readme-${process.pid}.mjs`); // beside node_modules
  const source = block('js').replace('ws://localhost:8080', system.wsUrl.replace('/graphql', ''));
  fs.writeFileSync(file, `import WebSocket from 'ws';\nglobalThis.WebSocket ??= WebSocket;\nconst token = '${alice.token}';\n${source}`);
  const subscriber = new Process('readme', process.execPath, [file]).start();
  system.others.push(subscriber);
  const got = () => [...subscriber.output.matchAll(/ (m\d+)$/gm)].map((match) => match[1]);
  try {
    // Without a cursor it begins live: the first message that it shows is where it began.
    let sent = 0;
    await until('it is live', async () => {
      await create(system.url, alice.token, `m${sent++}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return got().length > 0;
    });
    const first = Number(got()[0].slice(1));
    await system.gateways[0].restart();
    await system.ready();
    for (let i = 0; i < 10; i++) await create(system.url, alice.token, `m${sent++}`);
    await until('all of them', () => got().at(-1) === `m${sent - 1}`);
    assert.deepEqual(got(), Array.from({ length: sent - first }, (_, i) => `m${first + i}`));
  } finally {
    await subscriber.stop();
    fs.rmSync(file);
  }
});
