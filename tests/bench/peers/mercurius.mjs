// mercurius on fastify, just-in-time compiled. BENCH_WORKERS=2: node's cluster; BENCH_REDIS: events of several processes by mqemitter-redis.
import cluster from 'node:cluster';
import Fastify from 'fastify';
import mercurius from 'mercurius';
import redisEmitter from 'mqemitter-redis';
import { createMessage, getMessages, handleOf, openPool, port, topic, typeDefs } from './chat.mjs';

const workers = Number(process.env.BENCH_WORKERS ?? 1);

async function serve() {
  const pool = openPool();
  const resolvers = {
    Query: { getMessages: (_, args, { authorization }) => handleOf(authorization) && getMessages(pool, args) },
    Mutation: {
      async createMessage(_, args, { authorization, pubsub }) {
        const message = await createMessage(pool, handleOf(authorization), args);
        await pubsub.publish({ topic: topic(args.room), payload: { addMessage: message } });
        return message;
      },
    },
    Subscription: { addMessage: { subscribe: (_, { room }, { pubsub }) => pubsub.subscribe(topic(room)) } },
  };
  const app = Fastify();
  await app.register(mercurius, {
    schema: typeDefs,
    resolvers,
    jit: 1,
    context: ({ headers }) => ({ authorization: headers.authorization }),
    subscription: {
      fullWsTransport: true,
      ...(process.env.BENCH_REDIS ? { emitter: redisEmitter({ connectionString: process.env.BENCH_REDIS }) } : {}),
      onConnect: ({ payload }) => ({ handle: handleOf(payload?.Authorization) }),
    },
  });
  await app.listen({ port, host: '127.0.0.1', backlog: 4096 });
}

if (workers > 1 && cluster.isPrimary) for (let i = 0; i < workers; i++) cluster.fork();
else await serve();
