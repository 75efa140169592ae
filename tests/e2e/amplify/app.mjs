// The application's side of the tests: the libraries, where a page's script can reach them. README.md's configuration is
// bundled in front of it.
import * as auth from 'aws-amplify/auth';
import { generateClient } from 'aws-amplify/api';

const client = generateClient();
const ADD = 'subscription ($room: String) { addMessage(room: $room) { body handle } }';

globalThis.app = {
  auth,
  got: [],
  failures: [],
  query: async (query, variables) => (await client.graphql({ query, variables })).data,
  // Resolves when the subscription is live; what arrives is in `got`.
  subscribe: (room) => {
    const subscription = client.graphql({ query: ADD, variables: { room } }).subscribe({
      next: ({ data }) => app.got.push(`${data.addMessage.handle}: ${data.addMessage.body}`),
      error: (error) => app.failures.push(JSON.stringify(error)),
    });
    app.end = () => subscription.unsubscribe();
  },
  later: (ms) => {
    const real = Date.now.bind(Date);
    Date.now = () => real() + ms;
  },
};
