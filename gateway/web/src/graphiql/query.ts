export const DEFAULT_QUERY = `# Welcome to Parley. Run an operation with Ctrl-Enter, or Cmd-Enter on a Mac;
# the documentation of the schema is behind the book at the left.
#
# Whoever is signed in on the chat page is signed in here too: see the tab
# Headers below. Otherwise run SignIn and put its token there, as
#   { "Authorization": "Bearer <token>" }

query Newest {
  getMessages(room: "lobby", last: 10) {
    handle
    body
    createdAt
    cursor
  }
}

mutation Say {
  createMessage(room: "lobby", body: "Hello from GraphiQL") {
    messageId
    createdAt
  }
}

subscription Live {
  addMessage(room: "lobby", last: 3) {
    handle
    body
    createdAt
    cursor
  }
}

mutation SignIn {
  signIn(handle: "", password: "") {
    token
    expiresAt
  }
}
`;
