#include <stdlib.h>
#include <string.h>

#include "gateway/http/event_data.h"
#include "gateway/realtime/conn.h"
#include "gateway/realtime/dialects.h"

/* Server-sent events (HTML Standard 9.2) as graphql-sse speaks them, distinct connections mode: one
 * operation a connection, which is over with it. The head of the response goes out when the
 * subscription is live: who has it misses nothing. */

enum { HEAD_MAX = 4096, MESSAGE_MAX = 4 * 1024 * 1024 };

static const char id[] = "events";

static void s_put_prefix(buffer_t *out, const char *id_, size_t id_size)
{
    (void)id_;
    (void)id_size;
    buffer_put_str(out, "event: next\ndata: ");
}

/* The head is said once. */
static void s_send_head(session_t *session)
{
    char *head = session->greeting;
    session->greeting = NULL;
    session->initialised = true;
    if (head)
        conn_send(conn_of(session), head, strlen(head));
    free(head);
}

static char *s_print_head(const http_event_stream_t *stream)
{
    buffer_t head = BUFFER_INIT(HEAD_MAX);
    buffer_put_str(&head,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                   "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nConnection: close\r\n"
                   "X-Content-Type-Options: nosniff\r\n");
    buffer_printf(&head, "X-Request-Id: %s\r\n", stream->request_id);
    if (stream->origin)
        buffer_printf(&head, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", stream->origin);
    buffer_put_str(&head, "\r\n:\n\n");
    buffer_put_char(&head, '\0');
    if (head.failed)
        abort(); /* request ids and origins were bounded before */
    return buffer_take(&head, &(size_t){0});
}

static void s_send_active(session_t *session, const stream_t *stream)
{
    (void)stream;
    s_send_head(session);
}

static void s_send_complete(session_t *session, const char *id_, size_t id_size)
{
    static const char text[] = "event: complete\ndata: \n\n";
    (void)id_;
    (void)id_size;
    s_send_head(session);
    conn_send(conn_of(session), text, sizeof text - 1);
    conn_close(conn_of(session), WS_CLOSE_NORMAL, "complete");
}

static void s_send_error(session_t *session, const char *id_, size_t id_size, json_slice_t response)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX);
    s_send_head(session);
    s_put_prefix(&text, id_, id_size);
    event_data_put(&text, response.data, response.size);
    buffer_put_str(&text, "\n\n");
    conn_send_buffer(conn_of(session), &text);
    s_send_complete(session, id_, id_size);
}

static void s_on_beat(session_t *session)
{
    if (session->initialised)
        conn_send(conn_of(session), ":\n\n", 3);
}

static void s_on_message(session_t *session, const char *text, size_t size)
{
    (void)session;
    (void)text;
    (void)size;
}

void event_stream_start(session_t *session,
                        operation_t **operation_p,
                        const http_event_stream_t *stream)
{
    const char *last = stream->last_event_id ? stream->last_event_id : "";
    json_slice_t resume = {.data = last, .size = strlen(last)};
    session->greeting = s_print_head(stream);
    session_start_prepared(session, id, sizeof id - 1, operation_p, resume);
}

const dialect_t DIALECT_EVENT_STREAM = {
    .name = "sse",
    .suffix = "\n\n",
    .on_message = s_on_message,
    .on_beat = s_on_beat,
    .put_prefix = s_put_prefix,
    .send_active = s_send_active,
    .send_error = s_send_error,
    .send_complete = s_send_complete,
};
