// The user pool, as raw requests: every operation, and every error with its name.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { data, handle, post, signUp as signUpGraphql } from './harness/client.mjs';
import { ask, call, challenge, claims, CLIENT, confirm, PASSWORD, respond, signInByPassword, signInBySrp, signUp, Srp } from './harness/cognito.mjs';
import { metrics, metricSum, startSystem, until } from './harness/system.mjs';

let system;
let url;
before(async () => {
  system = await startSystem({ storeArgs: ['--sign-in-delay-after', '0'] });
  url = system.url;
});
after(() => system?.stop());

// The newest code that the store wrote to its log for the name.
async function codeOf(name, purpose = 'sign-up', not = undefined) {
  return until(`a code for ${name}`, () => {
    const lines = system.stores[0].output.split('\n').filter((line) => line.includes('confirmation code') && line.includes(`"${name}"`));
    const found = lines.map((line) => JSON.parse(line)).filter((line) => line.purpose === purpose && line.handle === name);
    return found.length > 0 && found.at(-1).code !== not && found.at(-1).code;
  });
}

async function confirmed(options) {
  const name = handle('pool');
  await signUp(url, name, options);
  await confirm(url, name, await codeOf(name));
  return name;
}

async function refused(type, promise, message = /./) {
  const answer = await promise;
  assert.equal(answer.type, type, JSON.stringify(answer.body));
  assert.match(answer.body.message, message);
  assert.equal(answer.status, 400);
  assert.equal(answer.headers.get('x-amzn-errortype'), type);
  assert.equal(answer.headers.get('content-type'), 'application/x-amz-json-1.1');
  return answer;
}

const wrongCode = (code) => (code === '000000' ? '000001' : '000000');
const initiate = (AuthFlow, AuthParameters) => ask(url, 'InitiateAuth', { ClientId: CLIENT, AuthFlow, AuthParameters });

test('sign up, confirm, sign in by SRP; the tokens have the claims that Amplify reads', async () => {
  const name = handle('Ann');
  const email = 'ann@example.com';
  const UserAttributes = [
    { Name: 'email', Value: email },
    { Name: 'phone_number', Value: '+4912345' },
  ];
  const made = await signUp(url, name, { UserAttributes });
  assert.equal(made.UserConfirmed, false);
  assert.match(made.UserSub, /^[0-9a-f-]{36}$/);
  assert.deepEqual(made.CodeDeliveryDetails, { AttributeName: 'email', DeliveryMedium: 'EMAIL', Destination: 'a***@e***' });
  const early = new Srp();
  const { ChallengeParameters } = await challenge(url, name, early);
  await refused('UserNotConfirmedException', respond(url, early.answer(ChallengeParameters, PASSWORD)));
  const code = await codeOf(name);
  assert.match(code, /^\d{6}$/);
  await refused('CodeMismatchException', ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: wrongCode(code) }));
  assert.deepEqual(await confirm(url, name, code), {});
  const before = Date.now() / 1000;
  const tokens = await signInBySrp(url, name);
  assert.deepEqual(Object.keys(tokens).sort(), ['AccessToken', 'ExpiresIn', 'IdToken', 'RefreshToken', 'TokenType']);
  assert.deepEqual([tokens.ExpiresIn, tokens.TokenType], [3600, 'Bearer']);
  const id = claims(tokens.IdToken);
  const access = claims(tokens.AccessToken);
  for (const token of [id, access]) {
    assert.deepEqual([token.sub, token.iss], [made.UserSub, 'http://localhost:8080/local-1_chat']);
    assert.equal(token.exp - token.iat, 3600);
    assert.ok(Math.abs(token.iat - before) < 5 && Math.abs(token.auth_time - before) < 5);
    assert.ok(token.jti);
    assert.ok(token.origin_jti, 'without it Amplify revokes nothing when it signs out');
  }
  assert.deepEqual([id['cognito:username'], id.token_use, id.aud, id.email, id.email_verified, id.phone_number], [name, 'id', CLIENT, email, true, '+4912345']);
  assert.deepEqual([access.username, access.token_use, access.client_id], [name, 'access', CLIENT]);
  const user = await call(url, 'GetUser', { AccessToken: tokens.AccessToken });
  assert.equal(user.Username, name);
  assert.deepEqual(Object.fromEntries(user.UserAttributes.map(({ Name, Value }) => [Name, Value])), { sub: made.UserSub, email, email_verified: 'true', phone_number: '+4912345' });
});

test('both ways are the same accounts', async () => {
  const old = handle('Graphql');
  await signUpGraphql(url, old);
  assert.equal(claims((await signInBySrp(url, old)).AccessToken).username, old);
  assert.equal(claims((await signInByPassword(url, old.toUpperCase())).AccessToken).username, old);
  const { me } = await data(url, { query: '{ me { handle email } }', token: (await signInBySrp(url, old.toLowerCase())).AccessToken });
  assert.deepEqual(me, { handle: old, email: null });
  await refused('UsernameExistsException', ask(url, 'SignUp', { ClientId: CLIENT, Username: old.toUpperCase(), Password: PASSWORD }));

  const fresh = handle('pool');
  await signUp(url, fresh);
  const signIn = () => post(url, { query: 'mutation ($h: String!, $p: String!) { signIn(handle: $h, password: $p) { token } }', variables: { h: fresh, p: PASSWORD } });
  const early = await signIn();
  assert.equal(early.errors[0].extensions.code, 'UNAUTHENTICATED');
  assert.match(early.errors[0].message, /confirmation code/);
  await confirm(url, fresh, await codeOf(fresh));
  assert.ok((await signIn()).data.signIn.token);
});

test('SRP: only the right password, once for each challenge, and no numbers that give the key away', async () => {
  const name = await confirmed();
  await assert.rejects(signInBySrp(url, name, 'correct horse 2'), { type: 'NotAuthorizedException' });
  const srp = new Srp();
  const { ChallengeName, ChallengeParameters } = await challenge(url, name, srp);
  assert.equal(ChallengeName, 'PASSWORD_VERIFIER');
  assert.deepEqual(Object.keys(ChallengeParameters).sort(), ['SALT', 'SECRET_BLOCK', 'SRP_B', 'USERNAME', 'USER_ID_FOR_SRP']);
  const answer = srp.answer(ChallengeParameters, PASSWORD);
  assert.equal((await respond(url, answer)).status, 200);
  await refused('NotAuthorizedException', respond(url, answer), /session/);
  await refused('NotAuthorizedException', respond(url, { ...answer, PASSWORD_CLAIM_SECRET_BLOCK: 'AAAA' }), /session/);
  for (const missing of Object.keys(answer)) await refused('InvalidParameterException', respond(url, { ...answer, [missing]: undefined }), new RegExp(missing));
  for (const SRP_A of ['', '0', '00', 'xyz', 'f'.repeat(768), 'f'.repeat(2000)]) await refused('InvalidParameterException', initiate('USER_SRP_AUTH', { USERNAME: name, SRP_A }), /SRP_A/);
  const stale = { ...answer, TIMESTAMP: `${answer.TIMESTAMP}${' '.repeat(80)}` };
  await refused('NotAuthorizedException', respond(url, stale));
});

test('refresh tokens do not rotate; what they give goes on', async () => {
  const name = await confirmed();
  const { RefreshToken, AccessToken } = await signInBySrp(url, name);
  const since = claims(AccessToken).auth_time;
  for (let round = 0; round < 2; round++) {
    const { AuthenticationResult: tokens } = await call(url, 'GetTokensFromRefreshToken', { ClientId: CLIENT, RefreshToken });
    assert.deepEqual(Object.keys(tokens).sort(), ['AccessToken', 'ExpiresIn', 'IdToken', 'TokenType']);
    assert.deepEqual([claims(tokens.AccessToken).username, claims(tokens.AccessToken).auth_time], [name, since]);
    const old = await call(url, 'InitiateAuth', { ClientId: CLIENT, AuthFlow: 'REFRESH_TOKEN_AUTH', AuthParameters: { REFRESH_TOKEN: RefreshToken, DEVICE_KEY: null } });
    assert.equal(claims(old.AuthenticationResult.IdToken)['cognito:username'], name);
    assert.equal((await data(url, { query: '{ me { handle } }', token: tokens.AccessToken })).me.handle, name);
  }
  await refused('NotAuthorizedException', ask(url, 'GetTokensFromRefreshToken', { ClientId: CLIENT, RefreshToken: `${RefreshToken.slice(0, -4)}AAAA` }), /Refresh/);
});

test('a session of GraphQL rotates here too', async () => {
  const { refreshToken } = await signUpGraphql(url);
  const { AuthenticationResult } = await call(url, 'GetTokensFromRefreshToken', { ClientId: CLIENT, RefreshToken: refreshToken });
  assert.ok(AuthenticationResult.RefreshToken && AuthenticationResult.RefreshToken !== refreshToken);
  await call(url, 'GetTokensFromRefreshToken', { ClientId: CLIENT, RefreshToken: AuthenticationResult.RefreshToken });
});

test('the key sets and the discovery document', async () => {
  const get = async (path) => (await fetch(`${url}${path}`)).json();
  const keys = await get('/.well-known/jwks.json');
  const { AccessToken } = await signInBySrp(url, await confirmed());
  assert.equal(keys.keys[0].kid, claims(AccessToken, 0).kid);
  assert.deepEqual(await get('/local-1_chat/.well-known/jwks.json'), keys);
  const discovery = await get('/local-1_chat/.well-known/openid-configuration');
  assert.equal(discovery.issuer, 'http://localhost:8080/local-1_chat');
  assert.equal(discovery.jwks_uri, 'http://localhost:8080/local-1_chat/.well-known/jwks.json');
});

test('RevokeToken ends one session, GlobalSignOut all of them', async () => {
  const name = await confirmed();
  const [one, two] = [await signInBySrp(url, name), await signInBySrp(url, name)];
  await refused('UnsupportedTokenTypeException', ask(url, 'RevokeToken', { ClientId: CLIENT, Token: one.AccessToken }));
  assert.deepEqual(await call(url, 'RevokeToken', { ClientId: CLIENT, Token: one.RefreshToken }), {});
  assert.deepEqual(await call(url, 'RevokeToken', { ClientId: CLIENT, Token: 'never a token' }), {});
  await refused('NotAuthorizedException', ask(url, 'GetUser', { AccessToken: one.AccessToken }), /revoked/);
  await refused('NotAuthorizedException', ask(url, 'GetTokensFromRefreshToken', { ClientId: CLIENT, RefreshToken: one.RefreshToken }));
  const three = await signInBySrp(url, name);
  await call(url, 'GlobalSignOut', { AccessToken: two.AccessToken });
  for (const { AccessToken, RefreshToken } of [two, three]) {
    await refused('NotAuthorizedException', ask(url, 'GetUser', { AccessToken }), /revoked/);
    await refused('NotAuthorizedException', initiate('REFRESH_TOKEN_AUTH', { REFRESH_TOKEN: RefreshToken }));
  }
});

test('ChangePassword', async () => {
  const name = await confirmed();
  const { AccessToken } = await signInBySrp(url, name);
  const change = (PreviousPassword, ProposedPassword) => ask(url, 'ChangePassword', { AccessToken, PreviousPassword, ProposedPassword });
  await refused('InvalidPasswordException', change(PASSWORD, 'short'), /at least 8/);
  await refused('NotAuthorizedException', change('wrong horse 1', 'another horse 2'));
  assert.equal((await change(PASSWORD, 'another horse 2')).status, 200);
  await assert.rejects(signInBySrp(url, name), { type: 'NotAuthorizedException' });
  await signInBySrp(url, name, 'another horse 2');
  await signInByPassword(url, name, 'another horse 2');
});

test('a forgotten password: a code, a new password, and all sessions end', async () => {
  const name = await confirmed({ UserAttributes: [{ Name: 'email', Value: 'eve@example.org' }] });
  const { AccessToken } = await signInBySrp(url, name);
  const { CodeDeliveryDetails } = await call(url, 'ForgotPassword', { ClientId: CLIENT, Username: name });
  assert.equal(CodeDeliveryDetails.Destination, 'e***@e***');
  const code = await codeOf(name, 'password');
  const reset = (ConfirmationCode, Password = 'another horse 2') => ask(url, 'ConfirmForgotPassword', { ClientId: CLIENT, Username: name, ConfirmationCode, Password });
  await refused('InvalidPasswordException', reset(code, 'short'));
  await refused('CodeMismatchException', reset(wrongCode(code)));
  assert.equal((await reset(code)).status, 200);
  await refused('CodeMismatchException', reset(code, 'a third horse 3'));
  await refused('NotAuthorizedException', ask(url, 'GetUser', { AccessToken }));
  await assert.rejects(signInBySrp(url, name), { type: 'NotAuthorizedException' });
  await signInBySrp(url, name, 'another horse 2');
});

test('a code works five times at most, and not for ever; the newest is the one', async () => {
  const name = handle('pool');
  const { UserSub } = await signUp(url, name);
  const first = await codeOf(name);
  const wrong = () => ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: wrongCode(first) });
  for (let i = 0; i < 5; i++) await refused('CodeMismatchException', wrong());
  await refused('CodeMismatchException', ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: first }));
  const { CodeDeliveryDetails } = await call(url, 'ResendConfirmationCode', { ClientId: CLIENT, Username: name });
  assert.equal(CodeDeliveryDetails.DeliveryMedium, 'EMAIL');
  const second = await codeOf(name, 'sign-up', first);
  system.postgres.sql(`UPDATE account_codes SET expires_at = now() WHERE account_id = '${UserSub}'`);
  await refused('ExpiredCodeException', ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: second }));
  await call(url, 'ResendConfirmationCode', { ClientId: CLIENT, Username: name });
  await confirm(url, name, await codeOf(name, 'sign-up', second));
});

test('codes are hashed at rest, verifiers are sealed', async () => {
  const name = await confirmed();
  await call(url, 'ForgotPassword', { ClientId: CLIENT, Username: name });
  const [[hash]] = system.postgres.sql(`SELECT encode(code_hash, 'hex') FROM account_codes c JOIN accounts a ON a.id = c.account_id WHERE handle = '${name}' AND purpose = 'password'`);
  assert.equal(hash.length, 64);
  const other = await confirmed();
  system.postgres.sql(`UPDATE accounts SET srp_verifier = (SELECT srp_verifier FROM accounts WHERE handle = '${name}') WHERE handle = '${other}'`);
  await assert.rejects(signInBySrp(url, other), { type: 'NotAuthorizedException' });
  await signInByPassword(url, other);
});

test('UpdateUserAttributes, and the address verified again', async () => {
  const name = await confirmed({ UserAttributes: [{ Name: 'email', Value: 'a@example.com' }, { Name: 'name', Value: 'Ann' }] });
  const { AccessToken } = await signInBySrp(url, name);
  const update = (...pairs) => ask(url, 'UpdateUserAttributes', { AccessToken, UserAttributes: pairs.map(([Name, Value]) => ({ Name, Value })) });
  const attributes = async () => Object.fromEntries((await call(url, 'GetUser', { AccessToken })).UserAttributes.map(({ Name, Value }) => [Name, Value]));
  assert.deepEqual((await update(['name', ''], ['custom:team', 'red'], ['nickname', 'annie'])).body, { CodeDeliveryDetailsList: [] });
  const { sub, ...first } = await attributes();
  assert.deepEqual(first, { email: 'a@example.com', email_verified: 'true', 'custom:team': 'red', nickname: 'annie' });
  const moved = await update(['email', 'b@example.com']);
  assert.equal(moved.body.CodeDeliveryDetailsList[0].Destination, 'b***@e***');
  assert.equal((await attributes()).email_verified, 'false');
  const code = await codeOf(name, 'email');
  await refused('CodeMismatchException', ask(url, 'VerifyUserAttribute', { AccessToken, AttributeName: 'email', Code: wrongCode(code) }));
  await call(url, 'GetUserAttributeVerificationCode', { AccessToken, AttributeName: 'email' });
  await call(url, 'VerifyUserAttribute', { AccessToken, AttributeName: 'email', Code: await codeOf(name, 'email', code) });
  assert.deepEqual(await attributes(), { ...first, sub, email: 'b@example.com' });
  await refused('InvalidParameterException', update(['shoe_size', '9']), /does not exist/);
  await refused('InvalidParameterException', update(['email', 'nobody']), /email/);
  await refused('InvalidParameterException', update(['phone_number', '12']), /phone/);
  await refused('NotAuthorizedException', update(['email_verified', 'true']));
  await refused('NotAuthorizedException', update(['sub', 'x']));
});

test('DeleteUser frees the name, and leaves no room without an owner', async () => {
  const name = await confirmed();
  const { AccessToken, RefreshToken } = await signInBySrp(url, name);
  const heir = await signUpGraphql(url);
  const { createRoom } = await data(url, { query: 'mutation { createRoom(title: "ours") { room } }', token: AccessToken });
  await data(url, { query: 'mutation ($room: String!, $handle: String!) { inviteToRoom(room: $room, handle: $handle) { role } }', variables: { ...createRoom, handle: heir.handle }, token: AccessToken });
  await call(url, 'DeleteUser', { AccessToken });
  assert.deepEqual((await data(url, { query: '{ myRooms { room role } }', token: heir.token })).myRooms, [{ ...createRoom, role: 'OWNER' }]);
  await refused('UserNotFoundException', ask(url, 'GetUser', { AccessToken }));
  await refused('NotAuthorizedException', initiate('REFRESH_TOKEN_AUTH', { REFRESH_TOKEN: RefreshToken }));
  await assert.rejects(signInBySrp(url, name), { type: 'NotAuthorizedException' });
  await signUp(url, name);
});

test('SignUp checks the parameters, then the password, then the name', async () => {
  const taken = await confirmed();
  const attempt = (more) => ask(url, 'SignUp', { ClientId: CLIENT, Username: handle('pool'), Password: PASSWORD, ...more });
  const email = [{ Name: 'email', Value: 'nobody' }];
  await refused('ResourceNotFoundException', attempt({ ClientId: 'another', Password: 'x' }));
  await refused('InvalidParameterException', attempt({ Username: taken, Password: 'x', UserAttributes: email }), /email/);
  await refused('InvalidParameterException', attempt({ Username: ' a', Password: 'x' }), /Username/);
  await refused('InvalidParameterException', attempt({ Password: undefined }), /Password/);
  await refused('InvalidPasswordException', attempt({ Username: taken, Password: 'x' }), /at least 8/);
  await refused('InvalidPasswordException', attempt({ Password: '' }));
  await refused('UsernameExistsException', attempt({ Username: taken }));
});

test('names cannot be told apart', async () => {
  const name = await confirmed();
  const nobody = handle('nobody');
  const same = async (ask_, shape = ({ type, body }) => ({ type, ...body })) => assert.deepEqual(shape(await ask_(nobody)), shape(await ask_(name)));
  await same((USERNAME) => initiate('USER_PASSWORD_AUTH', { USERNAME, PASSWORD: 'wrong horse 1' }));
  const srp = new Srp();
  const shape = ({ SALT, SRP_B, SECRET_BLOCK }) => [SALT.length, Math.abs(SRP_B.length - 768) < 6, SECRET_BLOCK.length > 500];
  const [known, first, second] = [await challenge(url, name, srp), await challenge(url, nobody, srp), await challenge(url, nobody.toUpperCase(), srp)];
  assert.deepEqual(shape(first.ChallengeParameters), shape(known.ChallengeParameters));
  assert.equal(first.ChallengeParameters.SALT, second.ChallengeParameters.SALT, 'a name has one salt');
  assert.equal(second.ChallengeParameters.USER_ID_FOR_SRP, nobody.toLowerCase());
  assert.notEqual(first.ChallengeParameters.SRP_B, second.ChallengeParameters.SRP_B);
  await refused('NotAuthorizedException', respond(url, srp.answer(first.ChallengeParameters, PASSWORD)), /^Incorrect username or password\.$/);
  await refused('NotAuthorizedException', respond(url, srp.answer(known.ChallengeParameters, 'wrong horse 1')), /^Incorrect username or password\.$/);
  await same((Username) => ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username, ConfirmationCode: '123' }));
  const waiting = handle('waiting');
  await signUp(url, waiting);
  for (const each of [waiting, nobody]) await refused('CodeMismatchException', ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: each, ConfirmationCode: '123' }));
  await same((Username) => ask(url, 'ConfirmForgotPassword', { ClientId: CLIENT, Username, ConfirmationCode: '123', Password: PASSWORD }));
  for (const operation of ['ResendConfirmationCode', 'ForgotPassword'])
    for (const Username of [name, nobody]) {
      const { Destination } = (await call(url, operation, { ClientId: CLIENT, Username })).CodeDeliveryDetails;
      assert.match(Destination, /^.\*\*\*@.\*\*\*$/);
      assert.equal((await call(url, operation, { ClientId: CLIENT, Username })).CodeDeliveryDetails.Destination, Destination);
    }
  const rows = system.postgres.sql("SELECT count(*) FROM account_codes WHERE NOT EXISTS (SELECT FROM accounts WHERE id = account_id)");
  assert.ok(Number(rows[0][0]) <= 3 * 256);
});

test('requests that make no sense', async () => {
  await refused('UnknownOperationException', ask(url, 'AdminCreateUser', {}));
  await refused('UnknownOperationException', ask(url, 'SignUp', {}, { headers: { 'x-amz-target': 'Other.SignUp' } }));
  await refused('SerializationException', ask(url, 'SignUp', 'no JSON'));
  await refused('SerializationException', ask(url, 'SignUp', '[]'));
  await refused('SerializationException', ask(url, 'SignUp', { ClientId: CLIENT, Username: 7, Password: PASSWORD }));
  await refused('SerializationException', ask(url, 'SignUp', { ClientId: CLIENT, Username: 'x', Password: PASSWORD, UserAttributes: {} }));
  await refused('SerializationException', ask(url, 'SignUp', { ClientId: CLIENT, Username: handle(), Password: PASSWORD, UserAttributes: [7] }));
  await refused('InvalidParameterException', ask(url, 'InitiateAuth', { ClientId: CLIENT, AuthFlow: 'CUSTOM_AUTH' }), /AuthFlow/);
  await refused('InvalidParameterException', initiate('USER_PASSWORD_AUTH', {}), /USERNAME/);
  await refused('InvalidParameterException', initiate('USER_PASSWORD_AUTH', { USERNAME: 'x', PASSWORD: 'x'.repeat(300) }), /256/);
  await refused('InvalidParameterException', ask(url, 'RespondToAuthChallenge', { ClientId: CLIENT, ChallengeName: 'SMS_MFA' }), /ChallengeName/);
  await refused('InvalidParameterException', ask(url, 'GetUser', {}), /AccessToken/);
  for (const AccessToken of ['x', 'a.b.c', '..', `${'a'.repeat(10000)}.b.c`]) await refused('NotAuthorizedException', ask(url, 'GetUser', { AccessToken }), /Invalid Access Token/);
  const { AccessToken, IdToken } = await signInBySrp(url, await confirmed());
  await refused('NotAuthorizedException', ask(url, 'GetUser', { AccessToken: IdToken }));
  const [head, payload, signature] = AccessToken.split('.');
  const other = Buffer.from(JSON.stringify({ ...claims(AccessToken), sub: '00000000-0000-7000-8000-000000000000' })).toString('base64url');
  const none = Buffer.from(JSON.stringify({ ...claims(AccessToken, 0), alg: 'none' })).toString('base64url');
  for (const forged of [`${head}.${other}.${signature}`, `${none}.${payload}.`, `${none}.${payload}.${signature}`]) await refused('NotAuthorizedException', ask(url, 'GetUser', { AccessToken: forged }));
  const counters = await metrics(system.stores[0]);
  assert.ok(metricSum(counters, 'parley_cognito_requests_total', 'operation="SignUp"', 'outcome="SerializationException"') >= 3);
});

test('browsers of any origin may ask, also at the root of a host that stands for Cognito', async () => {
  for (const path of ['/cognito', '/']) {
    const wanted = 'amz-sdk-invocation-id,amz-sdk-request,cache-control,content-type,x-amz-target,x-amz-user-agent';
    const preflight = await fetch(`${url}${path}`, { method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': wanted } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
    assert.match(preflight.headers.get('access-control-allow-methods'), /\bPOST\b/);
    assert.deepEqual(preflight.headers.get('access-control-allow-headers').split(', '), wanted.split(','));
    const answer = await ask(url, 'GetUser', {}, { path, headers: { origin: 'https://app.example' } });
    assert.equal(answer.type, 'InvalidParameterException');
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  }
  const page = await fetch(`${url}/`);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<html/);
});

test('without a store the gateway says so in the same form', async () => {
  const answer = await ask(url, 'SignUp', ' '.repeat(2_000_000));
  assert.deepEqual([answer.status, answer.type], [413, 'RequestEntityTooLargeException']);
  assert.match(answer.body.message, /limit/);
  assert.equal(answer.headers.get('content-type'), 'application/x-amz-json-1.1');
  system.stores[0].signal('SIGSTOP');
  try {
    const away = await ask(url, 'GetUser', { AccessToken: 'x' });
    assert.ok(['ServiceUnavailableException', 'InternalErrorException'].includes(away.type), JSON.stringify(away.body));
    assert.ok([503, 504].includes(away.status) && away.body.message);
  } finally {
    system.stores[0].signal('SIGCONT');
  }
  await until('the store is back', async () => (await ask(url, 'GetUser', { AccessToken: 'x' })).type === 'NotAuthorizedException');
});

// The time that an answer takes is what the store does for it: tests/abuse/names.mjs measures it, here it is counted.
test('a name that nobody has is as much work as one that somebody has, and is answered in the same words', async () => {
  const [known, unknown] = [await confirmed({ UserAttributes: [{ Name: 'email', Value: 'eve@example.org' }] }), handle('nobody')];
  const srp = new Srp();
  const answers = {};
  for (const name of [known, unknown]) answers[name] = srp.answer((await challenge(url, name, srp)).ChallengeParameters, 'a wrong horse 2');
  const operations = {
    password: (name) => initiate('USER_PASSWORD_AUTH', { USERNAME: name, PASSWORD: 'a wrong horse 2' }),
    srp: (name) => initiate('USER_SRP_AUTH', { USERNAME: name, SRP_A: srp.publicHex }),
    challenge: (name) => respond(url, answers[name]),
    forgot: (name) => ask(url, 'ForgotPassword', { ClientId: CLIENT, Username: name }),
    reset: (name) => ask(url, 'ConfirmForgotPassword', { ClientId: CLIENT, Username: name, ConfirmationCode: '000000', Password: 'a new horse 3' }),
    resend: (name) => ask(url, 'ResendConfirmationCode', { ClientId: CLIENT, Username: name }),
    confirm: (name) => ask(url, 'ConfirmSignUp', { ClientId: CLIENT, Username: name, ConfirmationCode: '000000' }),
  };
  const count = async () => {
    const values = await metrics(system.stores[0]);
    return [metricSum(values, 'parley_password_hash_seconds_count'), metricSum(values, 'parley_store_database_seconds_count')];
  };
  // The least of a few: the store does things of its own now and then.
  const work = async (ask_, name) => {
    const seen = [];
    for (let i = 0; i < 3; i++) {
      const before = await count();
      const { status, type, body } = await ask_(name);
      const after_ = await count();
      seen.push({ hashes: after_[0] - before[0], statements: after_[1] - before[1], told: [status, type, body.message] });
    }
    return { hashes: Math.min(...seen.map((one) => one.hashes)), statements: Math.min(...seen.map((one) => one.statements)), told: seen[0].told };
  };
  for (const [what, ask_] of Object.entries(operations)) {
    const expected = await work(ask_, known);
    assert.ok(expected.statements > 0, what);
    assert.deepEqual(await work(ask_, unknown), expected, what);
  }
});
