/** The operations of proto/chat.graphql that the page uses, with their types. */

export interface Message {
    messageId: string;
    body: string;
    createdAt: string;
    handle: string;
    room: string;
    cursor: string;
}

export interface SessionPayload {
    token: string;
    refreshToken: string;
    expiresAt: string;
    handle: string;
}

/** A document, with the types of its data and variables carried along for the compiler. */
export interface Operation<Data, Variables> {
    readonly document: string;
    readonly types?: (variables: Variables) => Data;
}

function operation<Data, Variables>(document: string): Operation<Data, Variables> {
    return { document };
}

const MESSAGE = "messageId body createdAt handle room cursor";
const SESSION = "token refreshToken expiresAt handle";

export const SIGN_UP = operation<
    { signUp: SessionPayload },
    { handle: string; password: string; email: string | null }
>(`mutation SignUp($handle: String!, $password: String!, $email: String) {
    signUp(handle: $handle, password: $password, email: $email) { ${SESSION} }
}`);

export const SIGN_IN = operation<
    { signIn: SessionPayload },
    { handle: string; password: string }
>(`mutation SignIn($handle: String!, $password: String!) {
    signIn(handle: $handle, password: $password) { ${SESSION} }
}`);

export const REFRESH_SESSION = operation<
    { refreshSession: SessionPayload },
    { refreshToken: string }
>(`mutation RefreshSession($refreshToken: String!) {
    refreshSession(refreshToken: $refreshToken) { ${SESSION} }
}`);

export const SIGN_OUT = operation<{ signOut: boolean }, Record<string, never>>("mutation SignOut { signOut }");

export const GET_MESSAGES = operation<
    { getMessages: Message[] },
    { room: string; last: number; before?: string }
>(`query GetMessages($room: String, $last: Int, $before: String) {
    getMessages(room: $room, last: $last, before: $before) { ${MESSAGE} }
}`);

export const CREATE_MESSAGE = operation<
    { createMessage: Message },
    { body: string; room: string; messageId: string }
>(`mutation CreateMessage($body: String!, $room: String, $messageId: ID) {
    createMessage(body: $body, room: $room, messageId: $messageId) { ${MESSAGE} }
}`);

export const ADD_MESSAGE = operation<
    { addMessage: Message | null },
    { room: string; after?: string; last?: number }
>(`subscription AddMessage($room: String, $after: String, $last: Int) {
    addMessage(room: $room, after: $after, last: $last) { ${MESSAGE} }
}`);

export type RoomRole = "OWNER" | "MODERATOR" | "MEMBER";

/** A private room that the reader is a member of. */
export interface PrivateRoom {
    room: string;
    title: string;
    role: RoomRole;
}

export interface RoomMember {
    handle: string;
    /** Null in a change: no member any more. */
    role: RoomRole | null;
    cursor: string;
}

const MEMBER = "handle role cursor";

export const MY_ROOMS = operation<{ myRooms: PrivateRoom[] }, Record<string, never>>(
    "query MyRooms { myRooms { room title role } }",
);

export const ROOM_MEMBERS = operation<{ roomMembers: RoomMember[] }, { room: string }>(
    `query RoomMembers($room: String!) { roomMembers(room: $room) { ${MEMBER} } }`,
);

export const CREATE_ROOM = operation<{ createRoom: PrivateRoom }, { title: string }>(
    "mutation CreateRoom($title: String!) { createRoom(title: $title) { room title role } }",
);

export const INVITE = operation<{ inviteToRoom: RoomMember }, { room: string; handle: string }>(
    `mutation Invite($room: String!, $handle: String!) { inviteToRoom(room: $room, handle: $handle) { ${MEMBER} } }`,
);

export const SET_ROLE = operation<{ setRoomRole: RoomMember }, { room: string; handle: string; role: RoomRole }>(
    `mutation SetRole($room: String!, $handle: String!, $role: RoomRole!) {
    setRoomRole(room: $room, handle: $handle, role: $role) { ${MEMBER} }
}`,
);

export const REMOVE = operation<{ removeFromRoom: RoomMember }, { room: string; handle: string }>(
    `mutation Remove($room: String!, $handle: String!) { removeFromRoom(room: $room, handle: $handle) { ${MEMBER} } }`,
);

export const LEAVE = operation<{ leaveRoom: RoomMember }, { room: string }>(
    `mutation Leave($room: String!) { leaveRoom(room: $room) { ${MEMBER} } }`,
);

export const ROOM_CHANGES = operation<{ roomChanges: RoomMember | null }, { room: string; after?: string }>(
    `subscription RoomChanges($room: String!, $after: String) { roomChanges(room: $room, after: $after) { ${MEMBER} } }`,
);
