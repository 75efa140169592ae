export const DEFAULT_QUERY = `# Welcome to Parley.
#
# Run an operation: Ctrl-Enter (Cmd-Enter on a Mac).
# The schema: the book at the left.
#
# Whoever is signed in on the chat page is signed in
# here too, see Headers below. If nobody is, run
# SignIn and put its token there:
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
