// graphql-yoga on node's own HTTP server.
import { createServer } from 'node:http';
import { createSchema, createYoga } from 'graphql-yoga';
import { createMessage, getMessages, handleOf, openPool, port, typeDefs } from './chat.mjs';

const pool = openPool();
const schema = createSchema({
  typeDefs: typeDefs.replace(/.*type Subscription.*/, ''),
  resolvers: {
    Query: { getMessages: (_, args, { request }) => handleOf(request.headers.get('authorization')) && getMessages(pool, args) },
    Mutation: { createMessage: (_, args, { request }) => createMessage(pool, handleOf(request.headers.get('authorization')), args) },
  },
});
createServer(createYoga({ schema, logging: false, graphiql: false, landingPage: false })).listen({ port, host: '127.0.0.1', backlog: 4096 });
