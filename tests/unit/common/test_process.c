/* clock, uuid, err, config, metrics, net: what a process is told and what it tells. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/err.h"
#include "common/json.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/net.h"
#include "common/uuid.h"

static void s_test_clock_prints_iso(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_us;
        const char *want;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {951827696789000, "2000-02-29T12:34:56.789Z"},
                 {1795392000000000 - 1, "2026-11-22T23:59:59.999Z"},
                 {-1, "1969-12-31T23:59:59.999Z"},
                 {4102444800000000, "2100-01-01T00:00:00.000Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CLOCK_ISO_SIZE];
        clock_iso(cases[i].unix_us, text);
        assert_string_equal(text, cases[i].want);
    }
    clock_test_set(5000, 7);
    assert_int_equal(clock_unix_ms(), 5);
    assert_int_equal(clock_mono_us(), 7);
    clock_test_off();
    assert_true(clock_unix_us() > 1700000000000000);
}

static void s_test_uuid(void **state)
{
    (void)state;
    parley_uuid_t a = uuid_v7(0x0123456789ab), b;
    char text[UUID_TEXT_SIZE];
    uuid_print(&a, text);
    assert_memory_equal(text, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", text[19]));
    assert_true(uuid_parse_text(text, 36, &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(uuid_parse_text("ABCDEFab-0000-0000-0000-000000000000", 36, &b));
    uuid_print(&b, text);
    assert_string_equal(text, "abcdefab-0000-0000-0000-000000000000");
    static const char *const bad[] = {"",
                                      "abcdefab-0000-0000-0000-00000000000",
                                      "abcdefab00000-0000-0000-000000000000",
                                      "abcdefag-0000-0000-0000-000000000000",
                                      "abcdefab-0000-0000-0000-0000000000000",
                                      "{bcdefab-0000-0000-0000-000000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(uuid_parse_text(bad[i], strlen(bad[i]), &b));
}

static void s_test_the_first_error_stands(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    assert_int_equal(err_set(&err, ERR_CONFLICT, "a %d", 1), ERR_CONFLICT);
    err_set(&err, ERR_INTERNAL, "b");
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_string_equal(err.text, "a 1");
    assert_int_equal(err_set(NULL, ERR_TIMEOUT, "x"), ERR_TIMEOUT);
    for (int code = ERR_BAD_USER_INPUT; code <= ERR_INTERNAL; code++) {
        const char *name = err_code_name((err_code_t)code);
        assert_int_equal(err_code_from_name(name, strlen(name)), code);
    }
    assert_string_equal(err_code_name(ERR_SYSTEM), "INTERNAL");
    assert_int_equal(err_code_from_name("NONSENSE", 8), ERR_INTERNAL);
}

static const char *s_listen;
static const char *s_secret;
static const char *s_word;
static char *s_list;
static int64_t s_number;
static bool s_flag;
static const config_option_t s_options[] = {
    {.name = "unit-listen",
     .type = CONFIG_STRING,
     .target = &s_listen,
     .fallback = "*:1",
     .help = "h"},
    {.name = "unit-number",
     .type = CONFIG_INT,
     .target = &s_number,
     .fallback = "5",
     .min = 1,
     .max = 10},
    {.name = "unit-word",
     .type = CONFIG_WORD,
     .target = &s_word,
     .fallback = "json",
     .unit = "json|text"},
    {.name = "unit-flag", .type = CONFIG_FLAG, .target = &s_flag},
    {.name = "unit-list", .type = CONFIG_LIST, .target = &s_list},
    {.name = "unit-secret", .type = CONFIG_STRING, .target = &s_secret, .env_only = true},
    {.name = NULL},
};

static err_code_t s_config(err_t *err, int *rest_count, char **rest, int argc, char **argv)
{
    s_listen = s_secret = NULL;
    s_number = 0;
    s_flag = false;
    *err = (err_t)ERR_INIT;
    return config_read(s_options, argc, argv, rest, rest_count, err);
}

#define CONFIG(...)                                                                                \
    s_config(&err, &count, rest, (int)(sizeof((char *[]){"p", __VA_ARGS__}) / sizeof(char *)),     \
             (char *[]){"p", __VA_ARGS__})

static void s_test_config(void **state)
{
    (void)state;
    err_t err;
    int count;
    char *rest[8];
    assert_int_equal(CONFIG("run"), ERR_OK);
    assert_string_equal(s_listen, "*:1");
    assert_int_equal(s_number, 5);
    assert_int_equal(count, 1);
    assert_string_equal(rest[0], "run");
    setenv("PARLEY_UNIT_NUMBER", "7", 1);
    setenv("PARLEY_UNIT_SECRET", "s3cret", 1);
    setenv("PARLEY_UNIT_FLAG", "yes", 1);
    assert_int_equal(CONFIG("--unit-listen", "a:2"), ERR_OK);
    assert_string_equal(s_listen, "a:2");
    assert_string_equal(s_secret, "s3cret");
    assert_int_equal(s_number, 7);
    assert_true(s_flag);
    assert_int_equal(CONFIG("--unit-number=3", "--unit-flag=off", "--", "--x"), ERR_OK);
    assert_int_equal(s_number, 3);
    assert_false(s_flag);
    assert_string_equal(rest[0], "--x");

    assert_int_equal(CONFIG("--unit-number", "11"), ERR_CONFIG);
    assert_string_equal(err.text, "--unit-number: '11' is no number from 1 to 10");
    assert_int_equal(CONFIG("--unit-lisen", "x"), ERR_CONFIG);
    assert_string_equal(err.text, "unknown option --unit-lisen, did you mean --unit-listen?");
    assert_int_equal(CONFIG("--unit-secret", "x"), ERR_CONFIG);
    assert_int_equal(CONFIG("--unit-listen"), ERR_CONFIG);
    assert_string_equal(err.text, "--unit-listen wants a value");
    assert_int_equal(CONFIG("-l"), ERR_CONFIG);
    setenv("PARLEY_UNIT_NUMBER", "x", 1);
    assert_int_equal(CONFIG("a"), ERR_CONFIG);
    assert_string_equal(err.text, "PARLEY_UNIT_NUMBER: 'x' is no number from 1 to 10");
    unsetenv("PARLEY_UNIT_NUMBER");

    assert_int_equal(CONFIG("--unit-word=text"), ERR_OK);
    assert_string_equal(s_word, "text");
    static const char *const no_words[] = {"", "tex", "texts", "json|text", "|"};
    for (size_t i = 0; i < sizeof no_words / sizeof *no_words; i++)
        assert_int_equal(CONFIG("--unit-word", (char *)(uintptr_t)no_words[i]), ERR_CONFIG);
    setenv("PARLEY_UNIT_WORD", "loud", 1);
    assert_int_equal(CONFIG("a"), ERR_CONFIG);
    assert_string_equal(err.text, "PARLEY_UNIT_WORD: 'loud' is none of json|text");
    unsetenv("PARLEY_UNIT_WORD");

    assert_int_equal(CONFIG("a"), ERR_OK);
    assert_null(s_list);
    setenv("PARLEY_UNIT_LIST", "x;y", 1);
    assert_int_equal(CONFIG("a"), ERR_OK);
    assert_string_equal(s_list, "x;y");
    assert_int_equal(CONFIG("--unit-list", "b", "--unit-list=c,d"), ERR_OK);
    assert_string_equal(s_list, "b;c,d");
    unsetenv("PARLEY_UNIT_LIST");
}

static int s_scrapes;

static void s_on_scrape(void *arg)
{
    (void)arg;
    s_scrapes++;
}

static void s_test_metrics(void **state)
{
    (void)state;
    buffer_t labels = BUFFER_INIT(256), out = BUFFER_INIT(1 << 20);
    metrics_label(&labels, "field", "a\"b\\c\nd", 7);
    buffer_put_char(&labels, '\0');
    metric_t *counter = metrics_counter("t_total", "Things.", labels.data);
    assert_ptr_equal(counter, metrics_counter("t_total", "Things.", labels.data));
    metric_add(counter, 2);
    metric_inc(counter);
    metric_set(metrics_gauge("g", "A gauge.", NULL), -4);
    metric_t *latency = metrics_latency("l_seconds", "Time.", "k=\"v\"");
    metric_observe(latency, 50);
    metric_observe(latency, 51);
    metric_observe(latency, 99000000);
    metrics_on_scrape(s_on_scrape, NULL);
    metrics_print(&out);
    buffer_put_char(&out, '\0');
    assert_int_equal(s_scrapes, 1);
    static const char *const lines[] = {
        "# TYPE t_total counter\nt_total{field=\"a\\\"b\\\\c\\nd\"} 3\n",
        "\ng -4\n",
        "l_seconds_bucket{k=\"v\",le=\"5e-05\"} 1\n",
        "l_seconds_bucket{k=\"v\",le=\"0.0001\"} 2\n",
        "l_seconds_bucket{k=\"v\",le=\"+Inf\"} 3\n",
        "l_seconds_count{k=\"v\"} 3\n",
        "\nprocess_resident_memory_bytes "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(out.data, lines[i]) == NULL)
            fail_msg("not there: %s\n%s", lines[i], out.data);
    for (int i = 0; i < 1100; i++) {
        char label[32];
        snprintf(label, sizeof label, "n=\"%d\"", i);
        metric_inc(metrics_counter("many_total", "Many.", label));
    }
    assert_int_equal(metric_value(metrics_counter("many_total", "Many.", "overflow=\"true\"")),
                     100);
    /* What is gone leaves room; what the overflow shares stays. */
    metric_t *gone = metrics_counter("many_total", "Many.", "n=\"0\"");
    metric_t *shared = metrics_counter("many_total", "Many.", "n=\"5000\"");
    metrics_remove(&gone);
    assert_null(gone);
    metrics_remove(&gone);
    gone = metrics_counter("many_total", "Many.", "n=\"999\""); /* the last one */
    metrics_remove(&gone);
    metrics_remove(&shared);
    assert_int_equal(metric_value(metrics_counter("many_total", "Many.", "overflow=\"true\"")),
                     100);
    metric_inc(metrics_counter("many_total", "Many.", "n=\"5000\""));
    buffer_clear(&out);
    metrics_print(&out);
    buffer_put_char(&out, '\0');
    assert_null(strstr(out.data, "many_total{n=\"0\"}"));
    assert_null(strstr(out.data, "many_total{n=\"999\"}"));
    assert_non_null(strstr(out.data, "many_total{n=\"998\"} 1\n"));
    assert_non_null(strstr(out.data, "many_total{n=\"5000\"} 1\n"));
    buffer_free(&labels);
    buffer_free(&out);
    metrics_shutdown();
}

static void s_test_net(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    int fd = net_listen("127.0.0.1:0", false, 0, &err);
    assert_true(fd >= 0);
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(bound.sin_port));
    assert_int_equal(net_listen(address, false, 0, &err), -1);
    assert_non_null(strstr(err.text, address));
    assert_non_null(strstr(err.text, "Address already in use"));
    assert_int_equal(net_http_status(address, "/", 50), -1); /* nobody answers */
    close(fd);
    struct sockaddr_storage storage;
    socklen_t length;
    static const char *const good[] = {"*:80", ":80", "[::1]:80", "10.0.0.1:65535"};
    static const char *const bad[] = {"",         "80", "localhost:80", "1.2.3.4:", "1.2.3.4:65536",
                                      "1.2.3.4:x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(net_parse_address(good[i], &storage, &length, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(net_parse_address(bad[i], &storage, &length, NULL), ERR_CONFIG);
}

/* What was written to stderr since the last call; the descriptor is a pipe for the test. */
static const char *s_read_log(int fd)
{
    static char text[8192];
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void s_test_log_lines(void **state)
{
    (void)state;
    int ends[2], real = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    log_init("unit", "n1", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    clock_test_set(0, 0);
    log_debug("unseen", LOG_END);
    log_info("seen", log_str("text", "a\"\n\xff"), log_str("none", NULL), log_int("n", -5),
             log_bool("yes", true), log_num("x", 0.5), LOG_END);
    char one[512];
    snprintf(one, sizeof one, "%s", s_read_log(ends[0]));
    log_hold(true);
    log_info("first", LOG_END);
    size_t held = strlen(s_read_log(ends[0]));
    log_warn("second", LOG_END);
    char both[512];
    snprintf(both, sizeof both, "%s", s_read_log(ends[0]));
    log_info("third", LOG_END);
    log_hold(false);
    char last[512];
    snprintf(last, sizeof last, "%s", s_read_log(ends[0]));
    clock_test_off();
    dup2(real, STDERR_FILENO);
    close(real);
    close(ends[0]);
    close(ends[1]);
    assert_string_equal(
        one, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"program\":\"unit\","
             "\"node\":\"n1\",\"message\":\"seen\",\"text\":\"a\\u0022\\u000a\\u00ff\","
             "\"none\":null,\"n\":-5,\"yes\":true,\"x\":0.5}\n");
    assert_int_equal(held, 0);
    assert_non_null(strstr(both, "first"));
    assert_true(strstr(both, "second") > strstr(both, "first"));
    assert_non_null(strstr(last, "third"));
}

/* Whatever byte a value has, wherever: the line is JSON, and tells the value. */
static void s_test_log_bytes(void **state)
{
    (void)state;
    int ends[2], real = dup(STDERR_FILENO);
    size_t wrong = 0;
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    log_init("unit", NULL, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (int byte = 1; byte < 256; byte++) {
        for (size_t at = 0; at < 17; at++) {
            char value[18] = "abcdefghijklmnopq", plain[32];
            value[at] = (char)byte;
            log_info("m", log_str("v", value), LOG_END);
            const char *line = s_read_log(ends[0]);
            bool as_it_is = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            snprintf(plain, sizeof plain, "\"v\":\"%s\"", value);
            wrong += !json_validate(line, strlen(line), 8, NULL) ||
                     (strstr(line, plain) != NULL) != as_it_is;
        }
    }
    dup2(real, STDERR_FILENO);
    close(real);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s_test_clock_prints_iso),
        cmocka_unit_test(s_test_uuid),
        cmocka_unit_test(s_test_the_first_error_stands),
        cmocka_unit_test(s_test_config),
        cmocka_unit_test(s_test_metrics),
        cmocka_unit_test(s_test_net),
        cmocka_unit_test(s_test_log_lines),
        cmocka_unit_test(s_test_log_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
