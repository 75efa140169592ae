#include "store/accounts/admin.h"

#include <libpq-fe.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "store/accounts/account_rules.h"
#include "store/accounts/keyring.h"
#include "store/accounts/master_key.h"
#include "store/accounts/password_work.h"
#include "store/accounts/srp_secrets.h"

enum {
    EXIT_USAGE = 2,
    PARAMS_MAX = 8,
    KEY_BYTES = 32,
    KEY_TEXT_SIZE = 64,
    HASH_TEXT_SIZE = 72,
    PASSWORD_BYTES = 15,
    PASSWORD_TEXT_SIZE = 32,
    SEALED_VERIFIER_TEXT_SIZE = 2 * SRP_SEALED_SIZE + 3,
    SEALED_TEXT_SIZE = 2 * SEALED_KEY_MAX + 3,
};

static int s_complain(const char *text)
{
    fprintf(stderr, "parley-store: %.*s\n", (int)strcspn(text, "\n"), text);
    return EXIT_FAILURE;
}

static int s_misused(const char *text)
{
    s_complain(text);
    return EXIT_USAGE;
}

/* ---- the database ---- */

/* NULL after a complaint. */
static PGconn *s_connect(const admin_options_t *options)
{
    PGconn *conn = PQconnectdb(options->database_url);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    s_complain(PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

/* Runs one statement, parameters as text up to a NULL … of `count`. NULL after a complaint. */
static PGresult *s_query(PGconn *conn, const char *sql, int count, const char *const *params)
{
    PGresult *result = PQexecParams(conn, sql, count, NULL, params, NULL, NULL, 0);
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    s_complain(message ? message : PQerrorMessage(conn));
    PQclear(result);
    return NULL;
}

/* The one statement of a command. */
static PGresult *
s_run(const admin_options_t *options, const char *sql, int count, const char *const *params)
{
    PGconn *conn = s_connect(options);
    PGresult *result = conn ? s_query(conn, sql, count, params) : NULL;
    PQfinish(conn);
    return result;
}

/* ---- output ---- */

/* The result's rows below the names of its columns. */
static void s_print_table(const PGresult *result)
{
    int columns = PQnfields(result), rows = PQntuples(result);
    for (int row = -1; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            size_t width = strlen(PQfname(result, column));
            for (int i = 0; i < rows; i++) {
                size_t size = strlen(PQgetvalue(result, i, column));
                width = size > width ? size : width;
            }
            const char *text = row < 0 ? PQfname(result, column) : PQgetvalue(result, row, column);
            if (column == columns - 1)
                printf("%s\n", text);
            else
                printf("%-*s  ", (int)width, text);
        }
}

/* sql gives columns for people; with --json, what it gives is printed as a list of objects. */
static int s_list(const admin_options_t *options, const char *sql)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    fprintf(out, options->as_json ? "SELECT coalesce(json_agg(x), '[]')::text FROM (%s) x" : "%s",
            sql);
    fclose(out);
    PGresult *result = s_run(options, text, 0, NULL);
    free(text);
    if (!result)
        return EXIT_FAILURE;
    if (options->as_json)
        puts(PQgetvalue(result, 0, 0));
    else
        s_print_table(result);
    PQclear(result);
    return EXIT_SUCCESS;
}

/* ---- API keys ---- */

static void s_make_key(char key[KEY_TEXT_SIZE], char hash_text[HASH_TEXT_SIZE])
{
    uint8_t bytes[KEY_BYTES], hash[crypto_hash_sha256_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    memcpy(key, "pk_", 3);
    sodium_bin2base64(key + 3, KEY_TEXT_SIZE - 3, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    crypto_hash_sha256(hash, (const uint8_t *)key, strlen(key));
    memcpy(hash_text, "\\x", 2);
    sodium_bin2hex(hash_text + 2, HASH_TEXT_SIZE - 2, hash, sizeof hash);
    sodium_memzero(bytes, sizeof bytes);
}

/* $1 name, $2 folded name, $3 hash, $4 can it write, $5 when it expires */
static const char s_insert_key[] =
    "WITH e AS (SELECT CASE WHEN $5 = 'never' THEN NULL WHEN $5 ~ '^[0-9]{4}-' THEN $5::timestamptz"
    " ELSE clock_timestamp() + $5::interval END AS at)"
    " INSERT INTO api_keys (name, name_key, hash, can_write, expires_at)"
    " SELECT $1, account_handle_key($2), $3::bytea, $4::boolean, e.at FROM e"
    " WHERE NOT EXISTS (SELECT FROM accounts WHERE handle_key = account_handle_key($2))"
    " AND (e.at IS NULL OR e.at > clock_timestamp())"
    " RETURNING id::text, coalesce(to_json(expires_at)::text, 'null'), to_json(name)::text";

static int s_print_new_key(const admin_options_t *options, const PGresult *row, const char *key)
{
    if (PQntuples(row) == 0)
        return s_complain("the name is an account's handle, or the time is over already");
    if (options->as_json)
        printf("{\"id\":\"%s\",\"name\":%s,\"rights\":\"%s\",\"expires\":%s,\"key\":\"%s\"}\n",
               PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 2), options->rights, PQgetvalue(row, 0, 1),
               key);
    else
        printf("%s\n", key);
    return EXIT_SUCCESS;
}

static int s_create_key(const admin_options_t *options)
{
    err_t err = ERR_INIT;
    char folded[HANDLE_FOLDED_SIZE], key[KEY_TEXT_SIZE], hash[HASH_TEXT_SIZE];
    if (!options->name || !*options->name)
        return s_misused("apikey create wants a --name");
    if (account_check_handle(options->name, strlen(options->name), &err) ||
        !account_fold(options->name, strlen(options->name), folded))
        return s_misused(err.text);
    s_make_key(key, hash);
    const char *params[] = {options->name, folded, hash,
                            strcmp(options->rights, "write") == 0 ? "true" : "false",
                            options->expires ? options->expires : "never"};
    PGresult *row = s_run(options, s_insert_key, 5, params);
    int status = row ? s_print_new_key(options, row, key) : EXIT_FAILURE;
    PQclear(row);
    sodium_memzero(key, sizeof key);
    return status;
}

static int s_revoke_key(const admin_options_t *options, const char *name)
{
    static const char sql[] =
        "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE revoked_at IS NULL"
        " AND (id::text = $1 OR name_key = account_handle_key($2)) RETURNING id::text";
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(name, strlen(name), folded);
    PGresult *rows = s_run(options, sql, 2, (const char *const[]){name, folded});
    int count = rows ? PQntuples(rows) : 0;
    if (rows && count == 0)
        s_complain("there is no API key of that name or id");
    for (int i = 0; i < count; i++)
        printf("revoked %s\n", PQgetvalue(rows, i, 0));
    PQclear(rows);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int admin_apikey(const admin_options_t *options, int count, char **words)
{
    if (count == 1 && strcmp(words[0], "create") == 0)
        return s_create_key(options);
    if (count == 1 && strcmp(words[0], "list") == 0)
        return s_list(options, "SELECT id, name, CASE WHEN can_write THEN 'write' ELSE 'read' END"
                               " AS rights, created_at, expires_at FROM api_keys"
                               " WHERE revoked_at IS NULL ORDER BY name, created_at");
    if (count == 2 && strcmp(words[0], "revoke") == 0)
        return s_revoke_key(options, words[1]);
    return s_misused("apikey wants create, list, or revoke NAME");
}

/* ---- users ---- */

/* Runs sql with $1 the folded handle (and $2), which gives a row if there is such an account; says
 * what was done, or that there is none. */
static int s_change_user(const admin_options_t *options,
                         const char *handle,
                         const char *sql,
                         const char *second,
                         const char *done)
{
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(handle, strlen(handle), folded);
    const char *params[] = {folded, second};
    PGresult *row = s_run(options, sql, second ? 2 : 1, params);
    int status = EXIT_FAILURE;
    if (row && PQntuples(row) == 0) {
        s_complain("there is no account with that handle");
    } else if (row) {
        printf("%s: %s\n", PQgetvalue(row, 0, 0), done);
        status = EXIT_SUCCESS;
    }
    PQclear(row);
    return status;
}

#define BY_HANDLE " WHERE handle_key = account_handle_key($1)"

static int s_disable(const admin_options_t *options, const char *handle)
{
    return s_change_user(options, handle,
                         "WITH a AS (UPDATE accounts SET disabled_at = coalesce(disabled_at,"
                         " clock_timestamp())" BY_HANDLE " RETURNING id, handle)"
                         " SELECT handle, account_end_sessions(id, 'disabled') FROM a",
                         NULL, "disabled");
}

/* A password that nobody knows yet. */
static void s_make_password(char password[PASSWORD_TEXT_SIZE])
{
    uint8_t bytes[PASSWORD_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    memcpy(password, "a1", 2);
    sodium_bin2base64(password + 2, PASSWORD_TEXT_SIZE - 2, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* Fills in what is stored of a password; without the master key, or without SRP, no verifier. */
static int s_compute(const admin_options_t *options,
                     const char *account,
                     new_password_t *work,
                     char sealed_text[SEALED_VERIFIER_TEXT_SIZE])
{
    err_t err = ERR_INIT;
    srp_keys_t keys;
    parley_uuid_t id;
    uint8_t sealed[SRP_SEALED_SIZE];
    work->wants_hash = true;
    work->wants_verifier = options->keys_dir && !options->no_srp;
    if (work->wants_verifier) {
        master_key_t *master = master_key_read(options->keys_dir, &err);
        if (!master)
            return s_complain(err.text);
        srp_keys_derive(master, &keys);
        master_key_destroy(&master);
        srp_salt(&keys, work->user, work->salt);
    }
    if (!new_password_compute(work))
        return s_complain("there is no memory for hashing a password");
    if (work->wants_verifier && uuid_parse_text(account, strlen(account), &id)) {
        srp_seal_verifier(&keys, &id, work->verifier, sealed);
        memcpy(sealed_text, "\\x", 2);
        sodium_bin2hex(sealed_text + 2, SEALED_VERIFIER_TEXT_SIZE - 2, sealed, sizeof sealed);
    }
    sodium_memzero(&keys, sizeof keys);
    return EXIT_SUCCESS;
}

static int s_set_password(const admin_options_t *options, PGconn *conn, const PGresult *account)
{
    static const char sql[] =
        "WITH a AS (UPDATE accounts SET password_hash = $2, srp_verifier = $3::bytea"
        " WHERE id = $1::uuid RETURNING id) SELECT account_end_sessions(id, 'reset') FROM a";
    char password[PASSWORD_TEXT_SIZE], sealed[SEALED_VERIFIER_TEXT_SIZE] = "";
    const char *id = PQgetvalue(account, 0, 0), *underscore = strchr(options->pool_id, '_');
    s_make_password(password);
    new_password_t *work = new_password_new(underscore ? underscore + 1 : options->pool_id,
                                            PQgetvalue(account, 0, 1), password, strlen(password));
    int status = s_compute(options, id, work, sealed);
    const char *params[] = {id, work->hash, *sealed ? sealed : NULL};
    PGresult *done = status == EXIT_SUCCESS ? s_query(conn, sql, 3, params) : NULL;
    if (done)
        printf("%s: the password is now %s\n", PQgetvalue(account, 0, 2), password);
    status = done ? EXIT_SUCCESS : EXIT_FAILURE;
    PQclear(done);
    new_password_free(work);
    sodium_memzero(password, sizeof password);
    return status;
}

static int s_reset(const admin_options_t *options, const char *handle)
{
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(handle, strlen(handle), folded);
    PGconn *conn = s_connect(options);
    PGresult *account =
        conn ? s_query(conn, "SELECT id::text, handle_key, handle FROM accounts" BY_HANDLE, 1,
                       (const char *const[]){folded})
             : NULL;
    int status = EXIT_FAILURE;
    if (account && PQntuples(account) == 0)
        s_complain("there is no account with that handle");
    else if (account)
        status = s_set_password(options, conn, account);
    PQclear(account);
    PQfinish(conn);
    return status;
}

static bool s_is_group(const char *name)
{
    size_t size = strlen(name);
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 127)
            return false;
    return size > 0 && size <= 128;
}

static int
s_group(const admin_options_t *options, const char *verb, const char *handle, const char *group)
{
    if (!s_is_group(group))
        return s_misused("a group's name has 1 to 128 bytes without blanks");
    if (strcmp(verb, "add") == 0)
        return s_change_user(options, handle,
                             "UPDATE accounts SET groups = CASE WHEN $2 = ANY (groups) THEN groups"
                             " ELSE groups || $2::text END" BY_HANDLE " RETURNING handle",
                             group, "its next token has the group");
    if (strcmp(verb, "remove") == 0)
        return s_change_user(options, handle,
                             "UPDATE accounts SET groups = array_remove(groups, $2::text)" BY_HANDLE
                             " RETURNING handle",
                             group, "its next token is without the group");
    return s_misused("user group wants add or remove, HANDLE and GROUP");
}

static int s_list_users(const admin_options_t *options)
{
    return s_list(options,
                  "SELECT handle, id, coalesce(email, '') AS email, created_at,"
                  " CASE WHEN disabled_at IS NULL THEN 'enabled' ELSE 'disabled' END AS state,"
                  " to_json(groups) AS groups FROM accounts ORDER BY handle_key");
}

int admin_user(const admin_options_t *options, int count, char **words)
{
    const char *verb = count > 0 ? words[0] : "";
    if (count == 1 && strcmp(verb, "list") == 0)
        return s_list_users(options);
    if (count == 4 && strcmp(verb, "group") == 0)
        return s_group(options, words[1], words[2], words[3]);
    if (count == 2 && strcmp(verb, "disable") == 0)
        return s_disable(options, words[1]);
    if (count == 2 && strcmp(verb, "reset") == 0)
        return s_reset(options, words[1]);
    if (count == 2 && strcmp(verb, "enable") == 0)
        return s_change_user(options, words[1],
                             "UPDATE accounts SET disabled_at = NULL" BY_HANDLE " RETURNING handle",
                             NULL, "enabled");
    if (count == 2 && strcmp(verb, "sign-out") == 0)
        return s_change_user(options, words[1],
                             "SELECT handle, account_end_sessions(id, 'administrator')"
                             " FROM accounts" BY_HANDLE,
                             NULL, "all sessions have ended");
    return s_misused("user wants list, disable, enable, sign-out or reset HANDLE, or"
                     " group add|remove HANDLE GROUP");
}

/* ---- signing keys ---- */

/* Gateways learn the new key before its first token: stores are notified, gateways ask
 * them every 2 s. A key verifies for as long as its last token lives, and a little. */
static const char s_insert_signing_key[] =
    "WITH n AS (SELECT coalesce(max(generation), 0) + 1 AS generation,"
    " count(*) FILTER (WHERE verifies_until IS NULL OR verifies_until > clock_timestamp()) AS live"
    " FROM signing_keys),"
    " o AS (UPDATE signing_keys SET verifies_until = clock_timestamp() + interval '70 minutes'"
    " FROM n WHERE verifies_until IS NULL AND n.live < $4::int)"
    " INSERT INTO signing_keys (generation, kid, alg, sealed, signs_from)"
    " SELECT n.generation, $1, $2, $3::bytea, clock_timestamp() + interval '30 seconds' FROM n"
    " WHERE n.live < $4::int RETURNING generation::text";

static int s_put_signing_key(const admin_options_t *options, const new_signing_key_t *key)
{
    char sealed[SEALED_TEXT_SIZE] = "\\x", most[16];
    snprintf(most, sizeof most, "%d", KEYRING_MAX);
    sodium_bin2hex(sealed + 2, sizeof sealed - 2, key->sealed, key->sealed_size);
    const char *params[] = {key->kid, key->alg, sealed, most};
    PGresult *row = s_run(options, s_insert_signing_key, 4, params);
    int status = EXIT_FAILURE;
    if (row && PQntuples(row) == 0) {
        s_complain("too many keys verify still: wait until tokens of the old ones have expired");
    } else if (row) {
        printf("key %s (generation %s) signs in 30 s\n", key->kid, PQgetvalue(row, 0, 0));
        status = EXIT_SUCCESS;
    }
    PQclear(row);
    return status;
}

int admin_rotate_key(const admin_options_t *options)
{
    err_t err = ERR_INIT;
    if (!options->keys_dir)
        return s_misused("rotate-key wants --keys, the folder of master.key");
    master_key_t *master = master_key_read(options->keys_dir, &err);
    if (!master)
        return s_complain(err.text);
    keyring_t *keyring = keyring_new(master);
    new_signing_key_t key;
    int status = keyring_generate(keyring, &key, &err) ? s_complain(err.text)
                                                       : s_put_signing_key(options, &key);
    keyring_destroy(&keyring);
    master_key_destroy(&master);
    return status;
}
