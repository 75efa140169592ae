// @apollo/server with its fastify integration.
import { ApolloServer } from '@apollo/server';
import fastifyApollo from '@as-integrations/fastify';
import Fastify from 'fastify';
import { createMessage, getMessages, handleOf, openPool, port, typeDefs } from './chat.mjs';

const pool = openPool();
const server = new ApolloServer({
  typeDefs: typeDefs.replace(/.*type Subscription.*/, ''),
  resolvers: {
    Query: { getMessages: (_, args, { authorization }) => handleOf(authorization) && getMessages(pool, args) },
    Mutation: { createMessage: (_, args, { authorization }) => createMessage(pool, handleOf(authorization), args) },
  },
});
await server.start();
const app = Fastify();
await app.register(fastifyApollo(server), { context: async ({ headers }) => ({ authorization: headers.authorization }) });
await app.listen({ port, host: '127.0.0.1', backlog: 4096 });
