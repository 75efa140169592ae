// A chat as applications on Amplify 2 were written: withAuthenticator around it, Connect inside.
import Amplify, { API, graphqlOperation } from 'aws-amplify';
import { Connect, withAuthenticator } from 'aws-amplify-react';
import React from 'react';
import ReactDOM from 'react-dom';

Amplify.configure({
  Auth: { region: 'local-1', userPoolId: 'local-1_chat', userPoolWebClientId: 'chatclient' },
  aws_appsync_graphqlEndpoint: ENDPOINT,
  aws_appsync_region: 'local-1',
  aws_appsync_authenticationType: 'AMAZON_COGNITO_USER_POOLS',
});

const LIST = 'query { getMessages { messageId body handle } }';
const ADD = 'subscription { addMessage { messageId body handle } }';
const CREATE = 'mutation ($body: String!) { createMessage(body: $body) { messageId body createdAt handle } }';

function Chat() {
  const send = (event) => {
    event.preventDefault();
    const input = event.target.elements.body;
    API.graphql(graphqlOperation(CREATE, { body: input.value }));
    input.value = '';
  };
  const add = (before, { addMessage }) => ({ ...before, getMessages: [...(before.getMessages ?? []), addMessage] });
  return (
    <>
      <Connect query={graphqlOperation(LIST)} subscription={graphqlOperation(ADD)} onSubscriptionMsg={add}>
        {({ data, loading, errors }) => (
          <ul id="messages" data-state={loading ? 'loading' : 'loaded'} data-errors={JSON.stringify(errors || [])}>
            {((data && data.getMessages) || []).map(({ messageId, handle, body }) => (
              <li key={messageId}>{`${handle}: ${body}`}</li>
            ))}
          </ul>
        )}
      </Connect>
      <form onSubmit={send}>
        <input name="body" placeholder="Say something" />
      </form>
    </>
  );
}

const App = withAuthenticator(Chat, { includeGreetings: true });
ReactDOM.render(<App />, document.getElementById('root'));
