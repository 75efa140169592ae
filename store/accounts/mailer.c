#include "store/accounts/mailer.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/uuid.h"

enum {
    TRANSFERS_MAX = 4, /* at a time */
    TRIES = 4,
    RETRY_MS = 2000, /* after the first failure; then twice as long each time */
    CONNECT_TIMEOUT_S = 10,
    TIMEOUT_S = 30,
};

/* A socket that libcurl looks after. */
typedef struct {
    mailer_t *owner;
    loop_fd_t *fd;
    int socket;
} watch_t;

typedef struct mail {
    mailer_t *owner;
    struct mail *next; /* waiting, or under way */
    CURL *transfer;    /* NULL: waiting */
    struct curl_slist *recipients;
    char *to, *message;
    size_t size, sent;
    int failures;
    int64_t not_before_ms; /* on the clock that does not step */
} mail_t;

struct mailer {
    loop_t *loop;
    CURLM *multi;
    loop_timer_t *curl_timer, *retry_timer;
    char *url, *from;
    mail_t *waiting, *active;
    size_t count, active_count;
    metric_t *sent, *failed, *dropped, *gauge;
};

/* ---- mails ---- */

static char *s_copy(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

/* RFC 5322: the text with CR LF at its lines' ends, behind a head. */
static char *s_compose(const mailer_t *self, const char *to, const char *subject, const char *text)
{
    char *message = NULL, date[64], id[UUID_TEXT_SIZE];
    size_t size = 0;
    time_t now = (time_t)(clock_unix_ms() / 1000);
    struct tm utc;
    parley_uuid_t uuid = uuid_v7(clock_unix_ms());
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
    uuid_print(&uuid, id);
    FILE *out = open_memstream(&message, &size);
    if (!out)
        abort();
    fprintf(out,
            "Date: %s\r\nFrom: <%s>\r\nTo: <%s>\r\nMessage-ID: <%s@parley>\r\nSubject: %s\r\n"
            "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            date, self->from, to, id, subject);
    for (const char *at = text; *at; at++) {
        if (*at == '\n')
            fputc('\r', out);
        fputc(*at, out);
    }
    fclose(out);
    return message;
}

static void s_mail_free(mail_t *mail)
{
    mailer_t *self = mail->owner;
    if (mail->transfer) {
        curl_multi_remove_handle(self->multi, mail->transfer);
        curl_easy_cleanup(mail->transfer);
    }
    curl_slist_free_all(mail->recipients);
    sodium_memzero(mail->message, mail->size);
    free(mail->message);
    free(mail->to);
    free(mail);
    self->count--;
    metric_set(self->gauge, (int64_t)self->count);
}

static void s_remove(mail_t **list, const mail_t *mail)
{
    while (*list != mail)
        list = &(*list)->next;
    *list = mail->next;
}

/* ---- transfers ---- */

static size_t s_on_read(char *buffer, size_t size, size_t count, void *arg)
{
    mail_t *mail = arg;
    size_t left = mail->size - mail->sent;
    size_t part = size * count < left ? size * count : left;
    memcpy(buffer, mail->message + mail->sent, part);
    mail->sent += part;
    return part;
}

static void s_set_up(mail_t *mail)
{
    const mailer_t *self = mail->owner;
    CURL *transfer = mail->transfer;
    curl_easy_setopt(transfer, CURLOPT_URL, self->url);
    curl_easy_setopt(transfer, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(transfer, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    curl_easy_setopt(transfer, CURLOPT_MAIL_FROM, self->from);
    curl_easy_setopt(transfer, CURLOPT_MAIL_RCPT, mail->recipients);
    curl_easy_setopt(transfer, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(transfer, CURLOPT_READFUNCTION, s_on_read);
    curl_easy_setopt(transfer, CURLOPT_READDATA, mail);
    curl_easy_setopt(transfer, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(transfer, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(transfer, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(transfer, CURLOPT_PRIVATE, mail);
}

/* The first that may go, or NULL; *wait_ms: until the next one may (-1: none waits). */
static mail_t *s_next_due(const mailer_t *self, int64_t *wait_ms)
{
    int64_t now_ms = clock_mono_us() / 1000;
    *wait_ms = -1;
    for (mail_t *mail = self->waiting; mail; mail = mail->next) {
        int64_t left_ms = mail->not_before_ms - now_ms;
        if (left_ms <= 0)
            return mail;
        if (*wait_ms < 0 || left_ms < *wait_ms)
            *wait_ms = left_ms;
    }
    return NULL;
}

static void s_start_due(void *arg)
{
    mailer_t *self = arg;
    int64_t wait_ms = -1;
    while (self->active_count < TRANSFERS_MAX) {
        mail_t *mail = s_next_due(self, &wait_ms);
        if (!mail)
            break;
        s_remove(&self->waiting, mail);
        mail->next = self->active;
        self->active = mail;
        self->active_count++;
        mail->sent = 0;
        mail->transfer = curl_easy_init();
        if (!mail->transfer)
            abort();
        s_set_up(mail);
        curl_multi_add_handle(self->multi, mail->transfer);
    }
    if (wait_ms > 0)
        loop_timer_start(self->retry_timer, (uint64_t)wait_ms, 0);
}

static void s_fail(mailer_t *self, mail_t *mail, CURLcode code)
{
    mail->failures++;
    log_warn("a mail could not be sent", log_str("error", curl_easy_strerror(code)),
             log_int("try", mail->failures), LOG_END);
    if (mail->failures == TRIES) {
        metric_inc(self->failed);
        s_mail_free(mail);
        return;
    }
    curl_multi_remove_handle(self->multi, mail->transfer);
    curl_easy_cleanup(mail->transfer);
    mail->transfer = NULL;
    mail->not_before_ms = clock_mono_us() / 1000 + ((int64_t)RETRY_MS << (mail->failures - 1));
    mail->next = self->waiting;
    self->waiting = mail;
}

/* Takes what is done out of libcurl. */
static void s_collect(mailer_t *self)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(self->multi, &left))) {
        mail_t *mail;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &mail);
        s_remove(&self->active, mail);
        self->active_count--;
        if (code != CURLE_OK) {
            s_fail(self, mail, code);
            continue;
        }
        metric_inc(self->sent);
        s_mail_free(mail);
    }
    s_start_due(self);
}

/* ---- libcurl in the loop ---- */

static void s_on_ready(void *arg, int events)
{
    watch_t *watch = arg;
    mailer_t *self = watch->owner;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(self->multi, watch->socket, flags, &running); /* may free watch */
    s_collect(self);
}

static void s_on_curl_timer(void *arg)
{
    mailer_t *self = arg;
    int running;
    curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    s_collect(self);
}

static int s_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    mailer_t *self = arg;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_stop(self->curl_timer);
    else
        loop_timer_start(self->curl_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static int s_set_socket(CURL *transfer, curl_socket_t socket, int what, void *arg, void *socket_arg)
{
    mailer_t *self = arg;
    watch_t *watch = socket_arg;
    (void)transfer;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            loop_fd_destroy(&watch->fd);
        free(watch);
        curl_multi_assign(self->multi, socket, NULL);
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch)
            abort();
        watch->owner = self;
        watch->socket = socket;
        watch->fd = loop_fd_new(self->loop, socket, s_on_ready, watch);
        curl_multi_assign(self->multi, socket, watch);
    }
    loop_fd_want(watch->fd, (what & CURL_POLL_IN ? UV_READABLE : 0) |
                                (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
    return 0;
}

/* ---- life ---- */

static void s_make_metrics(mailer_t *self)
{
    const char *help = "Mails by how they ended";
    self->sent = metrics_counter("parley_mails_total", help, "outcome=\"sent\"");
    self->failed = metrics_counter("parley_mails_total", help, "outcome=\"failed\"");
    self->dropped = metrics_counter("parley_mails_total", help, "outcome=\"dropped\"");
    self->gauge = metrics_gauge("parley_mails_waiting", "Mails that are not sent yet", NULL);
}

mailer_t *mailer_new(loop_t *loop, const char *url, const char *from, err_t *err)
{
    if (strncmp(url, "smtp://", 7) != 0 && strncmp(url, "smtps://", 8) != 0) {
        err_set(err, ERR_CONFIG, "PARLEY_SMTP_URL must begin with smtp:// or smtps://");
        return NULL;
    }
    if (strpbrk(from, "<>\r\n \t") || !strchr(from, '@')) {
        err_set(err, ERR_CONFIG, "--smtp-from must be an address like parley@example.com");
        return NULL;
    }
    mailer_t *self = calloc(1, sizeof *self);
    if (!self || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        !(self->multi = curl_multi_init()))
        abort();
    self->loop = loop;
    self->url = s_copy(url);
    self->from = s_copy(from);
    self->curl_timer = loop_timer_new(loop, s_on_curl_timer, self);
    self->retry_timer = loop_timer_new(loop, s_start_due, self);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, s_set_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, s_set_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    s_make_metrics(self);
    return self;
}

void mailer_send(mailer_t *self, const char *to, const char *subject, const char *text)
{
    if (self->count >= MAILS_MAX) {
        metric_inc(self->dropped);
        return;
    }
    mail_t *mail = calloc(1, sizeof *mail);
    if (!mail)
        abort();
    mail->owner = self;
    mail->to = s_copy(to);
    mail->message = s_compose(self, to, subject, text);
    mail->size = strlen(mail->message);
    mail->recipients = curl_slist_append(NULL, to);
    if (!mail->recipients)
        abort();
    mail_t **end = &self->waiting;
    while (*end)
        end = &(*end)->next;
    *end = mail;
    self->count++;
    metric_set(self->gauge, (int64_t)self->count);
    s_start_due(self);
}

void mailer_destroy(mailer_t **self_p)
{
    mailer_t *self = *self_p;
    if (!self)
        return;
    mail_t *lists[] = {self->waiting, self->active};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (mail_t *mail = lists[i], *next; mail; mail = next) {
            next = mail->next;
            s_mail_free(mail);
        }
    curl_multi_cleanup(self->multi);
    loop_timer_destroy(&self->curl_timer);
    loop_timer_destroy(&self->retry_timer);
    sodium_memzero(self->url, strlen(self->url));
    free(self->url);
    free(self->from);
    free(self);
    curl_global_cleanup();
    *self_p = NULL;
}
