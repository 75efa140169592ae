#include "common/admin.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/mhd_loop.h"
#include "common/net.h"

enum { CONNECTIONS_MAX = 64, TIMEOUT_S = 10, BODY_MAX = 16 * 1024 * 1024, REASON_SIZE = 200 };

struct admin {
    struct MHD_Daemon *daemon;
    mhd_loop_t *mhd;
    admin_ready_fn ready;
    void *arg;
};

static unsigned s_ready(admin_ready_fn ready, void *arg, buffer_t *body)
{
    char reason[REASON_SIZE] = "";
    if (ready(arg, reason, sizeof reason)) {
        buffer_put_str(body, "ready\n");
        return MHD_HTTP_OK;
    }
    buffer_printf(body, "not ready: %s\n", reason);
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

bool admin_answer(const char *path,
                  admin_ready_fn ready,
                  void *arg,
                  unsigned *status,
                  const char **content_type,
                  buffer_t *body)
{
    *status = MHD_HTTP_OK;
    *content_type = "text/plain; charset=utf-8";
    if (strcmp(path, "/livez") == 0) {
        buffer_put_str(body, "alive\n");
    } else if (strcmp(path, "/readyz") == 0) {
        *status = s_ready(ready, arg, body);
    } else if (strcmp(path, "/metrics") == 0) {
        *content_type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_print(body);
    } else {
        return false;
    }
    return true;
}

static enum MHD_Result s_answer(void *cls,
                                struct MHD_Connection *connection,
                                const char *url,
                                const char *method,
                                const char *version,
                                const char *upload_data,
                                size_t *upload_data_size,
                                void **con_cls)
{
    (void)version;
    (void)upload_data;
    (void)con_cls;
    admin_t *self = cls;
    buffer_t body = BUFFER_INIT(BODY_MAX);
    unsigned status = MHD_HTTP_NOT_FOUND;
    const char *content_type = "text/plain; charset=utf-8";
    if (*upload_data_size != 0)
        return MHD_NO;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buffer_put_str(&body, "only GET and HEAD\n");
    } else if (!admin_answer(url, self->ready, self->arg, &status, &content_type, &body)) {
        status = MHD_HTTP_NOT_FOUND;
        buffer_put_str(&body, "not found: there are /livez, /readyz and /metrics\n");
    }
    size_t size;
    char *data = buffer_take(&body, &size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(data);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

admin_t *admin_new(loop_t *loop, const char *address, admin_ready_fn ready, void *arg, err_t *err)
{
    int fd = net_listen(address, false, 0, err);
    if (fd < 0)
        return NULL;
    admin_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    self->ready = ready;
    self->arg = arg;
    self->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, s_answer, self, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    if (self->daemon == NULL) {
        err_set(err, ERR_SYSTEM, "cannot serve HTTP on %s", address);
        close(fd);
        free(self);
        return NULL;
    }
    self->mhd = mhd_loop_new(loop, self->daemon);
    log_info("admin address is open", log_str("address", address), LOG_END);
    return self;
}

void admin_destroy(admin_t **self_p)
{
    admin_t *self = *self_p;
    if (self == NULL)
        return;
    *self_p = NULL;
    mhd_loop_destroy(&self->mhd);
    MHD_stop_daemon(self->daemon);
    free(self);
}
