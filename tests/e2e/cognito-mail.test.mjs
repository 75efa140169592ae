// Codes that go out by mail, and a user pool without SRP.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { handle, signUp as signUpGraphql } from './harness/client.mjs';
import { ask, call, challenge, CLIENT, confirm, signInByPassword, signInBySrp, signUp, Srp } from './harness/cognito.mjs';
import { metrics, startSystem, until } from './harness/system.mjs';

// A mail server that keeps what it gets; `refuse` is how many deliveries it turns away first.
class MailServer {
  mails = [];
  refuse = 0;
  isMute = false;
  log = [];

  async start() {
    this.server = net.createServer((socket) => this.serve(socket));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port() {
    return this.server.address().port;
  }

  serve(socket) {
    let text = '';
    let mail = null;
    const say = (line) => this.isMute || socket.write(`${line}\r\n`);
    say('220 mail.example');
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      for (;;) {
        if (mail?.inData) {
          const end = text.indexOf('\r\n.\r\n');
          if (end < 0) return;
          mail.text = text.slice(0, end);
          text = text.slice(end + 5);
          mail.inData = false;
          this.mails.push(mail);
          say('250 kept');
          continue;
        }
        const end = text.indexOf('\r\n');
        if (end < 0) return;
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        this.log.push(line);
        const verb = line.slice(0, 4).toUpperCase();
        if (verb === 'MAIL' && this.refuse > 0) {
          this.refuse--;
          say('451 later');
        } else if (verb === 'MAIL') {
          mail = { from: /<(.*)>/.exec(line)[1] };
          say('250 ok');
        } else if (verb === 'RCPT') {
          mail.to = /<(.*)>/.exec(line)[1];
          say('250 ok');
        } else if (verb === 'DATA') {
          mail.inData = true;
          say('354 go on');
        } else if (verb === 'QUIT') {
          say('221 bye');
          socket.end();
        } else {
          say('250 mail.example');
        }
      }
    });
  }

  mailTo(address, count = 1) {
    return until(`mail to ${address}`, () => {
      const found = this.mails.filter(({ to }) => to === address);
      return found.length >= count && found.at(-1);
    });
  }
}

let system;
let url;
let server;
before(async () => {
  server = await new MailServer().start();
  system = await startSystem({ storeArgs: ['--no-srp', '--smtp-from', 'chat@example.com'], storeEnv: { PARLEY_SMTP_URL: `smtp://127.0.0.1:${server.port}` } });
  url = system.url;
});
after(async () => {
  await system?.stop();
  server?.server.close();
});

const attributes = (email) => ({ UserAttributes: [{ Name: 'email', Value: email }] });

test('the code comes by mail and is not in the log', async () => {
  const name = handle('Zoë');
  await signUp(url, name, attributes('zoe@example.org'));
  const mail = await server.mailTo('zoe@example.org');
  assert.equal(mail.from, 'chat@example.com');
  assert.match(mail.text, /^From: <chat@example\.com>\r$/m);
  assert.match(mail.text, /^To: <zoe@example\.org>\r$/m);
  assert.match(mail.text, /^Subject: Confirm your account\r$/m);
  assert.ok(mail.text.includes(`Hello ${name},`));
  const [, code] = /your code is (\d{6})\r\n/.exec(mail.text);
  assert.ok(!system.stores[0].output.includes(code));
  await confirm(url, name, code);
  await call(url, 'ForgotPassword', { ClientId: CLIENT, Username: name });
  const [, second] = /your code is (\d{6})/.exec((await server.mailTo('zoe@example.org', 2)).text);
  await call(url, 'ConfirmForgotPassword', { ClientId: CLIENT, Username: name, ConfirmationCode: second, Password: 'another horse 2' });
  await signInByPassword(url, name, 'another horse 2');
});

test('a mail that is turned away is sent again', async () => {
  server.refuse = 1;
  await signUp(url, handle('pool'), attributes('late@example.org'));
  await server.mailTo('late@example.org');
  assert.match(system.stores[0].output, /a mail could not be sent/);
  await until('it is counted', async () => {
    const counters = await metrics(system.stores[0]);
    return counters.get('parley_mails_total{outcome="sent"}') >= 3 && counters.get('parley_mails_waiting') === 0;
  });
});

test('without an address the code is in the log; nobody without an account gets mail', async () => {
  const name = handle('pool');
  await signUp(url, name);
  await until('the code', () => system.stores[0].output.includes(name));
  const before = server.mails.length;
  for (const Username of [name, handle('nobody')]) await call(url, 'ForgotPassword', { ClientId: CLIENT, Username });
  await signUp(url, handle('pool'), attributes('last@example.org'));
  await server.mailTo('last@example.org');
  assert.equal(server.mails.length, before + 1);
});

test('an account gets ten codes an hour at most', async () => {
  const name = handle('pool');
  await signUp(url, name, attributes('many@example.org'));
  for (let i = 0; i < 12; i++) await call(url, 'ResendConfirmationCode', { ClientId: CLIENT, Username: name });
  const mail = await server.mailTo('many@example.org', 10);
  await signUp(url, handle('pool'), attributes('end@example.org'));
  await server.mailTo('end@example.org');
  assert.equal(server.mails.filter(({ to }) => to === 'many@example.org').length, 10);
  const codes = server.mails.filter(({ to }) => to === 'many@example.org').map(({ text }) => /code is (\d{6})/.exec(text)[1]);
  assert.ok(mail);
  let confirmed = 0;
  for (const code of codes.slice(-4)) confirmed += (await ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: code })).status === 200;
  assert.equal(confirmed, 1, 'the last of them is the one');
});

test('with --no-srp no verifier is kept; without it again, a sign-in by password makes one', async () => {
  const name = handle('pool');
  await signUpGraphql(url, name);
  await assert.rejects(challenge(url, name, new Srp()), { type: 'InvalidParameterException' });
  await signInByPassword(url, name);
  const kept = () => Number(system.postgres.sql("SELECT count(*) FROM accounts WHERE srp_verifier IS NOT NULL")[0][0]);
  assert.equal(kept(), 0);
  const [store] = system.stores;
  store.args = store.args.filter((arg) => arg !== '--no-srp');
  await store.restart();
  await system.ready();
  await assert.rejects(signInBySrp(url, name), { type: 'NotAuthorizedException' });
  await signInByPassword(url, name);
  await until('the verifier', () => kept() === 1);
  await signInBySrp(url, name);
});

test('a store stops although mails are not sent', async () => {
  const [store] = system.stores;
  server.refuse = 99;
  await signUp(url, handle('pool'), attributes('waiting@example.org'));
  await until('it waits', () => server.refuse < 99);
  server.isMute = true;
  await signUp(url, handle('pool'), attributes('active@example.org'));
  await until('both wait', async () => (await metrics(store)).get('parley_mails_waiting') === 2);
  assert.deepEqual(await store.stop(), { code: 0, signal: null });
  assert.equal(store.report, null);
});
