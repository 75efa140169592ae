// PostGraphile 5 over the same tables: its schema comes from the database (see lib/database.mjs for the mutation).
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { grafserv } from 'postgraphile/grafserv/node';

// It asks for Node 22, which has this; nothing else of that is missing in Node 20.
Promise.withResolvers ??= () => {
  const self = {};
  self.promise = new Promise((resolve, reject) => Object.assign(self, { resolve, reject }));
  return self;
};

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: process.env.BENCH_DATABASE_URL,
      schemas: ['bench'],
      poolConfig: { max: Number(process.env.BENCH_POOL ?? 16) },
    }),
  ],
  grafserv: { graphqlPath: '/graphql', watch: false, graphiql: false },
  grafast: { explain: false },
};
const server = createServer();
const serv = postgraphile(preset).createServ(grafserv);
await serv.addTo(server);
server.listen({ port: Number(process.env.BENCH_PORT), host: '127.0.0.1', backlog: 4096 });
