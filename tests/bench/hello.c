/* tests/bench/hello.c: the yardstick: the smallest HTTP server on the same libmicrohttpd loop as
 * the gateway. It reads a POST body and answers {"data":{"__typename":"Query"}}. Usage: bench_hello
 * ADDR:PORT */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "common/loop.h"
#include "common/mhd_loop.h"
#include "common/net.h"

static enum MHD_Result s_answer(void *cls,
                                struct MHD_Connection *connection,
                                const char *url,
                                const char *method,
                                const char *version,
                                const char *upload_data,
                                size_t *upload_data_size,
                                void **con_cls)
{
    static char body[] = "{\"data\":{\"__typename\":\"Query\"}}";
    static int seen;
    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload_data;
    if (*con_cls == NULL) { /* answering at the first call would close the connection */
        *con_cls = &seen;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static void s_stop(void *arg)
{
    loop_stop(arg);
}

int main(int argc, char **argv)
{
    err_t err = ERR_INIT;
    int fd = argc == 2 ? net_listen(argv[1], false, 0, &err) : -1;
    if (fd < 0) {
        fprintf(stderr, "usage: bench_hello ADDR:PORT (%s)\n", err.text);
        return 2;
    }
    loop_t *loop = loop_new();
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, s_answer, NULL,
                                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    mhd_loop_t *mhd = mhd_loop_new(loop, daemon);
    loop_on_stop_signal(loop, s_stop, loop);
    loop_run(loop);
    mhd_loop_destroy(&mhd);
    MHD_stop_daemon(daemon);
    loop_destroy(&loop);
    return 0;
}
