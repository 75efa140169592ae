// Cognito's operations without a library: plain requests, and the client's half of SRP-6a in BigInt.
import crypto from 'node:crypto';

export const CLIENT = 'chatclient';
export const PASSWORD = 'correct horse 1';

// { status, headers, type, body } of one operation; type is the error's name.
export async function ask(url, operation, body, { path = '/cognito', headers = {} } = {}) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `AWSCognitoIdentityProviderService.${operation}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  return { status: response.status, headers: response.headers, type: answer.__type, body: answer };
}

// The answer's body; an error is thrown as such.
export async function call(url, operation, body) {
  const answer = await ask(url, operation, body);
  if (answer.status !== 200) throw Object.assign(new Error(`${operation}: ${answer.type}: ${answer.body.message}`), answer);
  return answer.body;
}

export function signUp(url, Username, { Password = PASSWORD, ...more } = {}) {
  return call(url, 'SignUp', { ClientId: CLIENT, Username, Password, ...more });
}

export function confirm(url, Username, ConfirmationCode) {
  return call(url, 'ConfirmSignUp', { ClientId: CLIENT, Username, ConfirmationCode });
}

export async function signInByPassword(url, USERNAME, PASSWORD_ = PASSWORD) {
  const { AuthenticationResult } = await call(url, 'InitiateAuth', {
    ClientId: CLIENT,
    AuthFlow: 'USER_PASSWORD_AUTH',
    AuthParameters: { USERNAME, PASSWORD: PASSWORD_ },
  });
  return AuthenticationResult;
}

export function claims(token, part = 1) {
  return JSON.parse(Buffer.from(token.split('.')[part], 'base64url'));
}

// ---- SRP ----

const N = BigInt(`0x${crypto.getDiffieHellman('modp15').getPrime('hex')}`);
const G = 2n;
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHash('sha256')).digest();
const hmac = (key, ...parts) => parts.reduce((mac, part) => mac.update(part), crypto.createHmac('sha256', key)).digest();
const number = (bytes) => BigInt(`0x${bytes.toString('hex')}`);

// The bytes of Java's BigInteger.
function bytes(value) {
  let hex = value.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  return Buffer.from(/^[89a-f]/.test(hex) ? `00${hex}` : hex, 'hex');
}

function power(base, exponent) {
  let result = 1n;
  for (let square = base % N; exponent > 0n; exponent >>= 1n, square = (square * square) % N)
    if (exponent & 1n) result = (result * square) % N;
  return result;
}

const K = number(sha256(bytes(N), bytes(G)));

export class Srp {
  constructor(pool = 'chat') {
    this.pool = pool;
    this.a = number(crypto.randomBytes(32));
    this.A = power(G, this.a);
  }

  get publicHex() {
    return this.A.toString(16);
  }

  // The ChallengeResponses for these ChallengeParameters.
  answer({ SALT, SRP_B, SECRET_BLOCK, USER_ID_FOR_SRP }, password, timestamp = 'Mon Nov 23 03:25:07 UTC 2026') {
    const B = BigInt(`0x${SRP_B}`);
    const u = number(sha256(bytes(this.A), bytes(B)));
    const x = number(sha256(bytes(BigInt(`0x${SALT}`)), sha256(this.pool, USER_ID_FOR_SRP, ':', password)));
    const base = (((B - K * power(G, x)) % N) + N) % N;
    const S = power(base, this.a + u * x);
    const key = hmac(hmac(bytes(u), bytes(S)), 'Caldera Derived Key', Buffer.of(1)).subarray(0, 16);
    return {
      USERNAME: USER_ID_FOR_SRP,
      PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
      TIMESTAMP: timestamp,
      PASSWORD_CLAIM_SIGNATURE: hmac(key, this.pool, USER_ID_FOR_SRP, Buffer.from(SECRET_BLOCK, 'base64'), timestamp).toString('base64'),
    };
  }
}

export function challenge(url, USERNAME, srp) {
  return call(url, 'InitiateAuth', { ClientId: CLIENT, AuthFlow: 'USER_SRP_AUTH', AuthParameters: { USERNAME, SRP_A: srp.publicHex } });
}

export function respond(url, ChallengeResponses) {
  return ask(url, 'RespondToAuthChallenge', { ClientId: CLIENT, ChallengeName: 'PASSWORD_VERIFIER', ChallengeResponses });
}

export async function signInBySrp(url, name, password = PASSWORD) {
  const srp = new Srp();
  const { ChallengeParameters } = await challenge(url, name, srp);
  const { status, type, body } = await respond(url, srp.answer(ChallengeParameters, password));
  if (status !== 200) throw Object.assign(new Error(`${type}: ${body.message}`), { status, type });
  return body.AuthenticationResult;
}
