// Can the user pool be asked, by the time that its answers take, who has an account? Asks each operation that takes a name for
// names that exist and names that do not, by turns, and compares: medians, and how far the ranks of the two are apart (the
// Mann-Whitney test's z: beyond 4 there is a difference, whatever the noise).
// As a program: tests/abuse/names.mjs [--samples 300] [--only ForgotPassword]; it starts a system of its own (PARLEY_BIN).
import { handle } from '../e2e/harness/client.mjs';
import { ask, CLIENT, challenge, signUp, Srp } from '../e2e/harness/cognito.mjs';
import { startSystem, until } from '../e2e/harness/system.mjs';

const NAMES = 40;
const FOREIGN = { Password: 'a wrong horse 2' };

const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];

// z of the Mann-Whitney test: 0 if both are alike, positive if the first are longer.
export function rankDistance(first, second) {
  const all = [...first.map((time) => [time, 1]), ...second.map((time) => [time, 0])].sort(([a], [b]) => a - b);
  const ranks = all.reduce((sum, [, isFirst], i) => sum + isFirst * (i + 1), 0);
  const [n, m] = [first.length, second.length];
  return (ranks - (n * (n + m + 1)) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}

const operations = {
  'InitiateAuth USER_PASSWORD_AUTH': (url, name) => ask(url, 'InitiateAuth', { ClientId: CLIENT, AuthFlow: 'USER_PASSWORD_AUTH', AuthParameters: { USERNAME: name, PASSWORD: FOREIGN.Password } }),
  'InitiateAuth USER_SRP_AUTH': (url, name, { srp }) => ask(url, 'InitiateAuth', { ClientId: CLIENT, AuthFlow: 'USER_SRP_AUTH', AuthParameters: { USERNAME: name, SRP_A: srp.A.toString(16) } }),
  RespondToAuthChallenge: (url, name, { answers }) => ask(url, 'RespondToAuthChallenge', { ClientId: CLIENT, ChallengeName: 'PASSWORD_VERIFIER', ChallengeResponses: answers[name] }),
  ForgotPassword: (url, name) => ask(url, 'ForgotPassword', { ClientId: CLIENT, Username: name }),
  ConfirmForgotPassword: (url, name) => ask(url, 'ConfirmForgotPassword', { ClientId: CLIENT, Username: name, ConfirmationCode: '000000', ...FOREIGN }),
  ResendConfirmationCode: (url, name) => ask(url, 'ResendConfirmationCode', { ClientId: CLIENT, Username: name }),
  ConfirmSignUp: (url, name) => ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: '000000' }),
};

async function timed(run) {
  const start = performance.now();
  const { status, type, body } = await run();
  const { CodeDeliveryDetails, message } = body;
  return { ms: performance.now() - start, told: JSON.stringify([status, type, message, CodeDeliveryDetails?.DeliveryMedium]) };
}

// Gives { known, unknown, difference } in ms (medians), z, and whether the words were the same.
export async function compare(url, name, { known, unknown, samples, context }) {
  const times = [[], []];
  const told = [new Set(), new Set()];
  for (let i = 0; i < samples * 2; i++) {
    const which = (i + (i >> 1)) & 1; // A B B A …: what grows with time falls on both
    const names = which ? unknown : known;
    const { ms, told: words } = await timed(() => operations[name](url, names[(i >> 1) % names.length], context));
    times[which].push(ms);
    told[which].add(words);
  }
  const [a, b] = times.map(median);
  return { known: a.toFixed(3), unknown: b.toFixed(3), difference: (a - b).toFixed(3), z: rankDistance(...times).toFixed(1), words: [...told[0]].join() === [...told[1]].join() ? 'same' : `${[...told[0]]} / ${[...told[1]]}` };
}

async function main() {
  const option = (name) => process.argv[process.argv.indexOf(name) + 1 || process.argv.length];
  const samples = Number(option('--samples') ?? 300);
  const only = option('--only') ?? '';
  const system = await startSystem({ storeArgs: ['--sign-in-delay-after', '0', '--failures-per-minute', '0', '--sign-ups-per-minute', '0'] });
  const rows = {};
  try {
    const { url } = system;
    const known = Array.from({ length: NAMES }, () => handle('known'));
    const unknown = Array.from({ length: NAMES }, () => handle('nobody'));
    for (const name of known) await signUp(url, name, { UserAttributes: [{ Name: 'email', Value: `${name}@example.org` }] });
    await until('the accounts to be there', () => system.postgres.sql('SELECT count(*) FROM accounts')[0][0] >= NAMES);
    const srp = new Srp();
    const answers = {};
    for (const name of [...known, ...unknown]) {
      const { ChallengeParameters } = await challenge(url, name, srp);
      answers[name] = srp.answer(ChallengeParameters, FOREIGN.Password);
    }
    for (const name of Object.keys(operations).filter((each) => each.includes(only))) rows[name] = await compare(url, name, { known, unknown, samples, context: { srp, answers } });
  } finally {
    await system.stop();
  }
  console.table(rows);
}

await main();
