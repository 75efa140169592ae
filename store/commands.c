#include "store/commands.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_socket.h"
#include "common/err.h"
#include "common/net.h"
#include "store/migrations.h"

enum { HEALTHCHECK_TIMEOUT_MS = 2000, HTTP_OK = 200 };

static void s_complain(const char *text)
{
    fprintf(stderr, "parley-store: %.*s\n", (int)strcspn(text, "\n"), text);
}

/* Runs sql (several statements); on success the text of the last result's first field is left in
 * *value (free it). */
static int s_run_sql(const char *database_url, const char *sql, char **value)
{
    int status = EXIT_FAILURE;
    PGresult *result = NULL;
    PGconn *conn = PQconnectdb(database_url);
    if (PQstatus(conn) != CONNECTION_OK) {
        s_complain(PQerrorMessage(conn));
        goto done;
    }
    result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        s_complain(message ? message : PQerrorMessage(conn));
        goto done;
    }
    *value = strdup(PQgetvalue(result, 0, 0));
    status = EXIT_SUCCESS;
done:
    PQclear(result);
    PQfinish(conn);
    return status;
}

int command_migrate(const char *database_url)
{
    char *sql = migrations_sql(), *epoch = NULL;
    size_t count;
    migrations_all(&count);
    int status = s_run_sql(database_url, sql, &epoch);
    if (status == EXIT_SUCCESS)
        printf("schema version %zu, epoch %s\n", count, epoch);
    free(sql);
    free(epoch);
    return status;
}

int command_new_epoch(const char *database_url)
{
    char *epoch = NULL;
    int status = s_run_sql(database_url, migrations_new_epoch_sql(), &epoch);
    if (status == EXIT_SUCCESS)
        printf("epoch %s: cursors of the old one are CURSOR_EXPIRED now\n", epoch);
    free(epoch);
    return status;
}

int command_keygen(const char *dir)
{
    err_t err = ERR_INIT;
    if (bus_keygen(dir, &err) != ERR_OK) {
        s_complain(err.text);
        return EXIT_FAILURE;
    }
    printf("keys are in %s/gateway (for --keys of gateways) and %s/store (for --keys of stores)\n",
           dir, dir);
    return EXIT_SUCCESS;
}

int command_healthcheck(const char *admin_address)
{
    int status = net_http_status(admin_address, "/readyz", HEALTHCHECK_TIMEOUT_MS);
    if (status == HTTP_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "parley-store: %s\n",
            status < 0 ? "nothing answers at the admin address" : "not ready");
    return EXIT_FAILURE;
}
