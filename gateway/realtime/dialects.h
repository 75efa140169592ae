/* gateway/realtime/dialects.h: the sub-protocols that are spoken, each in a file of its own. */
#ifndef PARLEY_GATEWAY_REALTIME_DIALECTS_H
#define PARLEY_GATEWAY_REALTIME_DIALECTS_H

#include "gateway/http/server.h"
#include "gateway/realtime/session.h"

/* https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
extern const dialect_t DIALECT_TRANSPORT_WS;
/* subscriptions-transport-ws, for old clients: its sub-protocol is called "graphql-ws". */
extern const dialect_t DIALECT_GRAPHQL_WS;
/* AppSync's real-time protocol, as Amplify speaks it; also under the name "graphql-ws". */
extern const dialect_t DIALECT_APPSYNC;
/* Nothing in common with the client: closes with 4406 at once. */
extern const dialect_t DIALECT_NONE;
/* graphql-sse, distinct connections mode: one operation, no input. */
extern const dialect_t DIALECT_EVENT_STREAM;

/* What is spoken after this handshake: the first of the client's sub-protocols that is known; NULL
 * if there is none. */
const dialect_t *dialect_choose(const http_handshake_t *handshake);
/* The sub-protocol that the handshake's answer names. */
const char *dialect_protocol(const dialect_t *dialect);

/* Starts the one operation of an event stream. Takes *operation_p. */
void event_stream_start(session_t *session,
                        operation_t **operation_p,
                        const http_event_stream_t *stream);

#endif
