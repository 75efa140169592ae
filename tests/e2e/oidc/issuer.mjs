// An OpenID Connect issuer for tests: the real oidc-provider, with keys that can be exchanged, and what its clients do.
import crypto from 'node:crypto';
import { Provider } from 'oidc-provider';

const CLIENT = { id: 'chat', secret: 'a secret of the tests, 32 characters' };
const BACK = 'http://127.0.0.1/back';
export const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'];

const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }); // one for all: making them takes long

function makeKey(alg) {
  const pair = alg === 'ES256' ? crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }) : alg === 'EdDSA' ? crypto.generateKeyPairSync('ed25519') : rsa;
  return { ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: crypto.randomUUID() };
}

export class Issuer {
  constructor(port) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  // With new keys each time.
  async start() {
    const provider = new Provider(this.url, {
      clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [BACK], grant_types: ['authorization_code', 'client_credentials'], response_types: ['code'], id_token_signed_response_alg: 'ES256' }],
      jwks: { keys: ALGORITHMS.map(makeKey) },
      cookies: { keys: ['of the tests'] },
      pkce: { required: () => false },
      conformIdTokenClaims: false,
      enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
      claims: { openid: ['sub'], profile: ['preferred_username', 'nickname'] },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: `${id} of the issuer`, nickname: `${id}y` }) }),
      features: {
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, resource) => ({ scope: 'api', audience: resource.split('?')[0].replace('urn:', ''), accessTokenFormat: 'jwt', jwt: { sign: { alg: new URL(resource).searchParams.get('alg') ?? 'ES256' } } }),
        },
      },
    });
    provider.on('server_error', (_, error) => console.error(error));
    this.server = provider.listen(this.port, '127.0.0.1');
    await new Promise((resolve, reject) => this.server.once('listening', resolve).once('error', reject));
    return this;
  }

  async stop() {
    this.server?.closeAllConnections();
    await new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve()));
    this.server = undefined;
  }

  async #token(form) {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { connection: 'close', 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${btoa(`${CLIENT.id}:${encodeURIComponent(CLIENT.secret)}`)}` },
      body: new URLSearchParams(form),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  }

  // An access token of the client itself.
  async clientToken(audience, alg = 'ES256') {
    return (await this.#token({ grant_type: 'client_credentials', resource: `urn:${audience}?alg=${alg}`, scope: 'api' })).access_token;
  }

  // An ID token of somebody who signs in with a browser: the code flow, through the provider's own forms.
  async idToken(login) {
    const cookies = new Map();
    let url = `${this.url}/auth?${new URLSearchParams({ client_id: CLIENT.id, response_type: 'code', redirect_uri: BACK, scope: 'openid profile', nonce: 'n', state: 's' })}`;
    let form;
    for (let step = 0; step < 12; step++) {
      const response = await fetch(url, {
        method: form ? 'POST' : 'GET',
        redirect: 'manual',
        headers: { connection: 'close', cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        body: form && new URLSearchParams(form),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        cookies.set(name, value);
      }
      const location = response.headers.get('location');
      form = undefined;
      if (location?.startsWith(BACK)) {
        const code = new URL(location).searchParams.get('code');
        return (await this.#token({ grant_type: 'authorization_code', code, redirect_uri: BACK })).id_token;
      }
      if (location) {
        url = new URL(location, url).href;
        continue;
      }
      const page = await response.text();
      const action = /action="([^"]+)"/.exec(page)?.[1];
      if (!action) throw new Error(`${response.status}: ${page.slice(0, 500)}`);
      url = new URL(action, url).href;
      form = page.includes('name="login"') ? { prompt: 'login', login, password: 'any' } : { prompt: 'consent' };
    }
    throw new Error('the sign-in went in circles');
  }
}
