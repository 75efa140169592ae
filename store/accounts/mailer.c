#include "store/accounts/mailer.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/uuid.h"

enum {
    TRIES = 4,
    RETRY_MS = 2000, /* after the first failure; then twice as long each time */
    CONNECT_TIMEOUT_S = 10,
    TIMEOUT_S = 30,
};

typedef struct mail {
    uv_work_t work;
    mailer_t *owner;
    struct mail *next; /* waiting */
    char *to, *message;
    size_t size, sent;
    int failures;
    int64_t not_before_ms; /* on the clock that does not step */
    CURLcode code;         /* set by the thread, read after it */
} mail_t;

struct mailer {
    uv_loop_t *loop;
    loop_timer_t *retry_timer;
    char *url, *from;
    mail_t *waiting, *busy;
    size_t count;
    atomic_bool is_ending; /* destroyed: the thread gives up, and its end frees self */
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
    mail->owner->count--;
    sodium_memzero(mail->message, mail->size);
    free(mail->message);
    free(mail->to);
    free(mail);
}

static void s_remove(mail_t **list, const mail_t *mail)
{
    while (*list != mail)
        list = &(*list)->next;
    *list = mail->next;
}

static void s_enqueue(mailer_t *self, mail_t *mail)
{
    mail_t **end = &self->waiting;
    while (*end)
        end = &(*end)->next;
    mail->next = NULL;
    *end = mail;
}

/* ---- in the thread: touches the mail, and what of its owner never changes ---- */

static size_t s_on_read(char *buffer, size_t size, size_t count, void *arg)
{
    mail_t *mail = arg;
    size_t left = mail->size - mail->sent;
    size_t part = size * count < left ? size * count : left;
    memcpy(buffer, mail->message + mail->sent, part);
    mail->sent += part;
    return part;
}

/* About once a second: is there still somebody who wants it? */
static int
s_on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    const mail_t *mail = arg;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up;
    return atomic_load(&mail->owner->is_ending);
}

static void s_on_thread(uv_work_t *work)
{
    mail_t *mail = (mail_t *)work->data;
    const mailer_t *self = mail->owner;
    CURL *transfer = curl_easy_init();
    struct curl_slist *recipients = curl_slist_append(NULL, mail->to);
    if (!transfer || !recipients)
        abort();
    mail->sent = 0;
    curl_easy_setopt(transfer, CURLOPT_URL, self->url);
    curl_easy_setopt(transfer, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(transfer, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    curl_easy_setopt(transfer, CURLOPT_MAIL_FROM, self->from);
    curl_easy_setopt(transfer, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(transfer, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(transfer, CURLOPT_READFUNCTION, s_on_read);
    curl_easy_setopt(transfer, CURLOPT_READDATA, mail);
    curl_easy_setopt(transfer, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(transfer, CURLOPT_XFERINFOFUNCTION, s_on_progress);
    curl_easy_setopt(transfer, CURLOPT_XFERINFODATA, mail);
    curl_easy_setopt(transfer, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(transfer, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(transfer, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(transfer, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    mail->code = curl_easy_perform(transfer);
    curl_easy_cleanup(transfer);
    curl_slist_free_all(recipients);
}

/* ---- in the loop ---- */

static void s_free(mailer_t *self)
{
    sodium_memzero(self->url, strlen(self->url));
    free(self->url);
    free(self->from);
    free(self);
    curl_global_cleanup();
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

static void s_on_done(uv_work_t *work, int status);

static void s_start_due(void *arg)
{
    mailer_t *self = arg;
    int64_t wait_ms;
    metric_set(self->gauge, (int64_t)self->count);
    if (self->busy)
        return;
    mail_t *mail = s_next_due(self, &wait_ms);
    if (mail) {
        s_remove(&self->waiting, mail);
        self->busy = mail;
        mail->work.data = mail;
        if (uv_queue_work(self->loop, &mail->work, s_on_thread, s_on_done) != 0)
            abort(); /* only with bad arguments */
    } else if (wait_ms > 0) {
        loop_timer_start(self->retry_timer, (uint64_t)wait_ms, 0);
    }
}

static void s_fail(mailer_t *self, mail_t *mail)
{
    mail->failures++;
    log_warn("a mail could not be sent", log_str("error", curl_easy_strerror(mail->code)),
             log_int("try", mail->failures), LOG_END);
    if (mail->failures == TRIES) {
        metric_inc(self->failed);
        s_mail_free(mail);
        return;
    }
    mail->not_before_ms = clock_mono_us() / 1000 + ((int64_t)RETRY_MS << (mail->failures - 1));
    s_enqueue(self, mail);
}

static void s_on_done(uv_work_t *work, int status)
{
    mail_t *mail = (mail_t *)work->data;
    mailer_t *self = mail->owner;
    (void)status; /* never cancelled */
    self->busy = NULL;
    if (atomic_load(&self->is_ending)) {
        s_mail_free(mail);
        s_free(self);
        return;
    }
    if (mail->code != CURLE_OK) {
        s_fail(self, mail);
    } else {
        metric_inc(self->sent);
        s_mail_free(mail);
    }
    s_start_due(self);
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
    if (!self || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    self->loop = loop_uv(loop);
    self->url = s_copy(url);
    self->from = s_copy(from);
    self->retry_timer = loop_timer_new(loop, s_start_due, self);
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
    s_enqueue(self, mail);
    self->count++;
    s_start_due(self);
}

void mailer_destroy(mailer_t **self_p)
{
    mailer_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    loop_timer_destroy(&self->retry_timer);
    for (mail_t *mail = self->waiting, *next; mail; mail = next) {
        next = mail->next;
        s_mail_free(mail);
    }
    self->waiting = NULL;
    atomic_store(&self->is_ending, true);
    if (!self->busy)
        s_free(self);
}
