#include "common/bus_record.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* Offsets of the header's fields, proto/bus.md 2. */
enum { AT_VERSION = 3, AT_VERB = 4, AT_FLAGS = 5, AT_SIZE = 8, AT_ID = 12, AT_DEADLINE = 28 };

static const unsigned char s_magic[3] = {'P', 'R', 'L'};

static void s_put_be(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        at[i] = (unsigned char)value;
        value >>= 8;
    }
}

static uint64_t s_get_be(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static void s_write_header(buffer_t *out,
                           bus_verb_t verb,
                           uint8_t flags,
                           const bus_id_t *id,
                           int64_t deadline_ms,
                           size_t size)
{
    unsigned char header[BUS_HEADER_SIZE] = {0};
    memcpy(header, s_magic, sizeof s_magic);
    header[AT_VERSION] = BUS_VERSION;
    header[AT_VERB] = (unsigned char)verb;
    header[AT_FLAGS] = flags;
    s_put_be(header + AT_SIZE, size, 4);
    if (id != NULL)
        memcpy(header + AT_ID, id->bytes, BUS_ID_SIZE);
    s_put_be(header + AT_DEADLINE, (uint64_t)deadline_ms, 8);
    buffer_put(out, header, sizeof header);
}

void bus_record_write(buffer_t *out, const bus_record_t *record)
{
    assert(record->body_size <= BUS_BODY_MAX);
    s_write_header(out, record->verb, record->flags, &record->id, record->deadline_ms,
                   record->body_size);
    buffer_put(out, record->body, record->body_size);
}

size_t bus_record_begin(
    buffer_t *out, bus_verb_t verb, uint8_t flags, const bus_id_t *id, int64_t deadline_ms)
{
    size_t offset = out->size;
    s_write_header(out, verb, flags, id, deadline_ms, 0);
    return offset;
}

void bus_record_end(buffer_t *out, size_t offset)
{
    if (out->failed)
        return;
    size_t size = out->size - offset - BUS_HEADER_SIZE;
    assert(size <= BUS_BODY_MAX);
    s_put_be((unsigned char *)out->data + offset + AT_SIZE, size, 4);
}

err_code_t
bus_record_read(const void *message, size_t size, size_t *offset, bus_record_t *record, err_t *err)
{
    assert(*offset < size);
    const unsigned char *header = (const unsigned char *)message + *offset;
    size_t left = size - *offset;
    if (left < BUS_HEADER_SIZE)
        return err_set(err, ERR_PROTOCOL, "%zu bytes are no header", left);
    if (memcmp(header, s_magic, sizeof s_magic) != 0)
        return err_set(err, ERR_PROTOCOL, "wrong magic at byte %zu", *offset);
    record->version = header[AT_VERSION];
    record->verb = (bus_verb_t)header[AT_VERB];
    record->flags = header[AT_FLAGS];
    if (record->version == BUS_VERSION) {
        if (record->verb < BUS_HELLO || record->verb > BUS_EVENT)
            return err_set(err, ERR_PROTOCOL, "unknown verb %u", (unsigned)header[AT_VERB]);
        if (record->flags > 3 || record->flags == BUS_FLAG_ERROR)
            return err_set(err, ERR_PROTOCOL, "flags %u are not allowed", (unsigned)record->flags);
    }
    size_t body_size = (size_t)s_get_be(header + AT_SIZE, 4);
    if (body_size > BUS_BODY_MAX || body_size > left - BUS_HEADER_SIZE)
        return err_set(err, ERR_PROTOCOL, "a body of %zu bytes in a message of %zu", body_size,
                       size);
    memcpy(record->id.bytes, header + AT_ID, BUS_ID_SIZE);
    uint64_t deadline = s_get_be(header + AT_DEADLINE, 8);
    record->deadline_ms = deadline > INT64_MAX ? INT64_MAX : (int64_t)deadline;
    record->body = (const char *)header + BUS_HEADER_SIZE;
    record->body_size = body_size;
    *offset += BUS_HEADER_SIZE + body_size;
    return ERR_OK;
}

void bus_record_write_error(buffer_t *out,
                            bus_verb_t verb,
                            const bus_id_t *id,
                            err_code_t code,
                            const char *message,
                            const char *extensions)
{
    size_t offset = bus_record_begin(out, verb, BUS_FLAG_ANSWER | BUS_FLAG_ERROR, id, 0);
    buffer_printf(out, "{\"code\":\"%s\",\"message\":", err_code_name(code));
    buffer_put_json_string(out, message, strlen(message));
    if (extensions != NULL && *extensions != '\0')
        buffer_printf(out, ",\"extensions\":{%s}", extensions);
    buffer_put_char(out, '}');
    bus_record_end(out, offset);
}

bus_id_t bus_id_random(void)
{
    bus_id_t id;
    randombytes_buf(id.bytes, sizeof id.bytes);
    return id;
}

bool bus_id_equal(const bus_id_t *a, const bus_id_t *b)
{
    return memcmp(a->bytes, b->bytes, BUS_ID_SIZE) == 0;
}

void bus_id_print(const bus_id_t *id, char out[33])
{
    sodium_bin2hex(out, 33, id->bytes, BUS_ID_SIZE);
}
