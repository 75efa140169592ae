// Subscriptions as clients of four dialects make them, each on a connection of its own. All take
//   {gateway, token, query, variables, resume}   resume: a cursor
// and call on.ack() when the server says that the subscription is live (the dialects without an acknowledgement never do), on.next(result),
// on.refused(errors) and, once, on.end(). They return a function that cuts the connection.
import http from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../e2e/package.json', import.meta.url));
const WebSocket = require('ws');

const HANDSHAKE_MS = 15_000;
const TRY_AGAIN_LATER = 1013;

function dial(url, protocol, onOpen, onMessage, on) {
  const socket = new WebSocket(url, protocol, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false });
  socket.on('open', () => onOpen((message) => socket.send(JSON.stringify(message))));
  socket.on('message', (text) => onMessage(JSON.parse(text), (message) => socket.send(JSON.stringify(message)), () => socket.terminate()));
  socket.on('error', () => {}); // close follows
  socket.on('close', (code) => on.end(code));
  return () => socket.terminate();
}

function transportWs({ gateway, token, query, variables, resume }, on) {
  const payload = { query, variables: resume ? { ...variables, after: resume, last: undefined } : variables };
  return dial(
    gateway.wsUrl,
    'graphql-transport-ws',
    (send) => send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }),
    (message, send, cut) => {
      if (message.type === 'connection_ack') send({ id: '1', type: 'subscribe', payload });
      else if (message.type === 'ping') send({ type: 'pong' });
      else if (message.type === 'next') on.next(message.payload);
      else if (message.type === 'error') on.refused(message.payload);
      if (message.type === 'error' || message.type === 'complete') cut();
    },
    on,
  );
}

// graphql-ws, the old protocol: subscriptions-transport-ws.
function oldGraphqlWs({ gateway, token, query, variables, resume }, on) {
  const payload = { query, variables: resume ? { ...variables, after: resume, last: undefined } : variables };
  // Whether a refused connection may be tried again is said by the close code alone.
  let refusal = null;
  const end = (code) => {
    if (refusal && code !== TRY_AGAIN_LATER) on.refused([{ ...refusal, code }]);
    on.end();
  };
  return dial(
    gateway.wsUrl,
    'graphql-ws',
    (send) => send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }),
    (message, send, cut) => {
      if (message.type === 'connection_ack') send({ id: '1', type: 'start', payload });
      else if (message.type === 'data') on.next(message.payload);
      else if (message.type === 'connection_error') refusal = message.payload;
      else if (message.type === 'error') on.refused([message.payload?.errors ?? message.payload].flat());
      if (message.type === 'error' || message.type === 'complete') cut();
    },
    { ...on, end },
  );
}

function appSync({ gateway, token, query, variables, resume }, on) {
  const authorization = { Authorization: token, host: `127.0.0.1:${gateway.port}` };
  const header = Buffer.from(JSON.stringify(authorization)).toString('base64url');
  const data = JSON.stringify({ query, variables: resume ? { ...variables, after: resume, last: undefined } : variables });
  return dial(
    `${gateway.wsUrl}/realtime?header=${header}&payload=e30`,
    'graphql-ws',
    (send) => send({ type: 'connection_init' }),
    (message, send, cut) => {
      if (message.type === 'connection_ack') send({ id: 'a', type: 'start', payload: { data, extensions: { authorization } } });
      else if (message.type === 'start_ack') on.ack();
      else if (message.type === 'data') on.next(message.payload);
      else if (message.type === 'error' || message.type === 'connection_error') on.refused(message.payload?.errors ?? []);
      if (['error', 'connection_error', 'complete'].includes(message.type)) cut();
    },
    on,
  );
}

function eventStream({ gateway, token, query, variables, resume }, on) {
  const request = http.request(`${gateway.url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      ...(resume ? { 'last-event-id': resume } : {}),
    },
  });
  const late = setTimeout(() => request.destroy(), HANDSHAKE_MS);
  let text = '';
  let ended = false;
  const end = () => {
    clearTimeout(late);
    if (!ended) on.end();
    ended = true;
  };
  request.on('response', (response) => {
    clearTimeout(late);
    const isStream = response.headers['content-type']?.startsWith('text/event-stream');
    if (isStream) on.ack();
    response.setEncoding('utf8');
    response.on('data', (chunk) => {
      text += chunk;
      for (let at; isStream && (at = text.indexOf('\n\n')) >= 0; text = text.slice(at + 2)) takeEvent(text.slice(0, at), on);
    });
    response.on('end', () => {
      if (!isStream) on.refused(errorsOf(text));
    });
    response.on('error', () => {});
    response.on('close', end);
  });
  request.on('error', () => {});
  request.on('close', end);
  request.end(JSON.stringify({ query, variables }));
  return () => request.destroy();
}

function takeEvent(text, on) {
  const fields = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
  }
  if (fields.event !== 'next') return;
  const result = JSON.parse(fields.data);
  if (result.errors && !result.data) on.refused(result.errors);
  else on.next(result, fields.id);
}

function errorsOf(text) {
  try {
    return JSON.parse(text).errors ?? [];
  } catch {
    return [{ message: `no JSON but: ${text.slice(0, 200)}` }];
  }
}

export const DIALECTS = { 'graphql-transport-ws': transportWs, AppSync: appSync, SSE: eventStream, 'graphql-ws': oldGraphqlWs };
export const ACKNOWLEDGES = new Set(['AppSync', 'SSE']);
