// What tests say to a gateway: plain HTTP operations, accounts, and a subscriber that checks what it gets.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { until } from './process.mjs';

let counter = 0;

// A handle that no other test of this process has.
export function handle(name = 'user') {
  counter += 1;
  return `${name}-${process.pid}-${counter}`;
}

export async function post(url, { query, variables, operationName, token, headers = {}, signal }) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
    body: JSON.stringify({ query, variables, operationName }),
    signal,
  });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error(`no JSON but: ${response.status} ${text.slice(0, 300)}`);
  }
  return { status: response.status, headers: response.headers, ...json };
}

// The data, or an error with everything that was answered.
export async function data(url, options) {
  const answer = await post(url, options);
  if (answer.errors) throw Object.assign(new Error(JSON.stringify(answer.errors)), { answer });
  return answer.data;
}

export async function signUp(url, name = handle()) {
  const { signUp: session } = await data(url, {
    query: 'mutation ($h: String!, $p: String!) { signUp(handle: $h, password: $p) { token refreshToken expiresAt handle } }',
    variables: { h: name, p: 'correct horse 1' },
  });
  return session;
}

export const CREATE = `mutation ($body: String!, $room: String, $id: ID) {
  createMessage(body: $body, room: $room, messageId: $id) { messageId body createdAt handle room cursor }
}`;

export async function create(url, token, body, { room, id } = {}) {
  return (await data(url, { query: CREATE, variables: { body, room, id }, token })).createMessage;
}

export function wsClient(wsUrl, token, options = {}) {
  return createClient({
    url: wsUrl,
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    connectionParams: token ? { Authorization: `Bearer ${token}` } : {},
    onNonLazyError: () => {},
    ...options,
  });
}

export const ADD = `subscription ($room: String, $after: String, $last: Int) {
  addMessage(room: $room, after: $after, last: $last) { messageId body handle room cursor }
}`;

// Subscribes and collects; .messages are what came, .wait(n) waits for n, .end ends it. graphql-transport-ws acknowledges no
// subscription, so .live() posts nothing: callers that need the moment use `last` or post until the first arrives.
export function subscribe(client, { query = ADD, variables = {}, field = 'addMessage' } = {}) {
  const self = { messages: [], results: [], errors: [], done: false };
  self.end = client.subscribe(
    { query, variables },
    {
      next: (result) => {
        self.results.push(result);
        if (result.errors) self.errors.push(...result.errors);
        if (result.data?.[field]) self.messages.push(result.data[field]);
      },
      error: (error) => {
        self.errors.push(error);
        self.done = true;
      },
      complete: () => {
        self.done = true;
      },
    },
  );
  self.wait = (count, timeoutMs = 20_000) =>
    until(`${count} messages`, () => self.messages.length >= count, { timeoutMs, everyMs: 5 }).catch((error) => {
      throw new Error(`${error.message}: got ${self.messages.length}, errors ${JSON.stringify(self.errors)}`);
    });
  return self;
}

// A subscription that is known to be live: posts probes into the room until one arrives.
export async function subscribeLive(url, client, token, room) {
  const subscriber = subscribe(client, { variables: { room } });
  let probes = 0;
  await until('the subscription to be live', async () => {
    await create(url, token, `probe ${probes++}`, { room });
    await new Promise((resolve) => setTimeout(resolve, 20));
    return subscriber.messages.length > 0;
  });
  return subscriber;
}
