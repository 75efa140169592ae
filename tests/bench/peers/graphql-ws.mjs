// graphql-ws on ws, graphql-js and node's own HTTP server; events by an emitter in the process.
import { EventEmitter, on } from 'node:events';
import { createServer } from 'node:http';
import { buildSchema, graphql } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { createMessage, getMessages, handleOf, openPool, port, topic, typeDefs } from './chat.mjs';

const pool = openPool();
const schema = buildSchema(typeDefs);
const events = new EventEmitter().setMaxListeners(0);

async function* addMessage({ room }, _context, info) {
  for await (const [message] of on(events, topic(room), { signal: info?.signal })) yield { addMessage: message };
}

const roots = {
  query: { getMessages: (args, { authorization }) => handleOf(authorization) && getMessages(pool, args) },
  mutation: {
    async createMessage(args, { authorization }) {
      const message = await createMessage(pool, handleOf(authorization), args);
      events.emit(topic(args.room), message);
      return message;
    },
  },
  subscription: { addMessage },
};

const server = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const { query, variables } = JSON.parse(text);
  const rootValue = /^\s*mutation/.test(query) ? roots.mutation : roots.query;
  const contextValue = { authorization: request.headers.authorization };
  const result = JSON.stringify(await graphql({ schema, source: query, variableValues: variables, rootValue, contextValue }));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(result) }).end(result);
});
const sockets = new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false });
// many connect at once: whoever is late to be read must not be closed
useServer({ schema, roots, connectionInitWaitTimeout: 60_000, onConnect: ({ connectionParams }) => Boolean(handleOf(connectionParams?.Authorization)) }, sockets);
server.listen({ port, host: '127.0.0.1', backlog: 4096 });
