#include "gateway/auth/jws.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const char *data;
    size_t size;
} part_t;

/* Exactly three parts, none of them empty. */
static bool s_split(const char *text, size_t size, part_t parts[3])
{
    const char *end = text + size;
    for (int i = 0; i < 3; i++) {
        const char *dot = memchr(text, '.', (size_t)(end - text));
        if ((i < 2) != (dot != NULL))
            return false;
        parts[i] = (part_t){.data = text, .size = (size_t)((dot ? dot : end) - text)};
        if (parts[i].size == 0)
            return false;
        text = dot ? dot + 1 : end;
    }
    return true;
}

/* Strict base64url without padding. */
static bool s_decode(part_t part, uint8_t *out, size_t capacity, size_t *size)
{
    return sodium_base642bin(out, capacity, part.data, part.size, NULL, size, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

static json_t *s_decode_object(part_t part)
{
    uint8_t bytes[JWS_MAX];
    size_t size;
    if (!s_decode(part, bytes, sizeof bytes, &size))
        return NULL;
    /* The whole text must be one object: jansson refuses what follows it, and other values. */
    json_t *value = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool s_typ_is_fine(const json_t *header)
{
    const json_t *typ = json_object_get(header, "typ");
    if (!typ)
        return true;
    const char *text = json_string_value(typ);
    if (text && strncasecmp(text, "application/", 12) == 0)
        text += 12;
    return text && (strcasecmp(text, "JWT") == 0 || strcasecmp(text, "at+jwt") == 0);
}

static const char *s_flaw(jws_t *self)
{
    self->algorithm = json_string_value(json_object_get(self->header, "alg"));
    self->kid = json_string_value(json_object_get(self->header, "kid"));
    if (!self->algorithm)
        return "the token names no algorithm";
    if (!self->kid)
        return "the token names no key";
    if (json_object_get(self->header, "crit"))
        return "the token has critical extensions";
    if (!s_typ_is_fine(self->header))
        return "the token is of another type";
    return NULL;
}

err_code_t jws_parse(jws_t *self, const char *text, size_t size, err_t *err)
{
    part_t parts[3];
    self->header = self->claims = NULL;
    if (size > JWS_MAX)
        return err_set(err, ERR_UNAUTHENTICATED, "the token is too long");
    if (!s_split(text, size, parts) ||
        !s_decode(parts[2], self->signature, sizeof self->signature, &self->signature_size) ||
        !(self->header = s_decode_object(parts[0])) ||
        !(self->claims = s_decode_object(parts[1]))) {
        jws_free(self);
        return err_set(err, ERR_UNAUTHENTICATED, "the token is malformed");
    }
    self->signed_text = text;
    self->signed_size = (size_t)(parts[2].data - 1 - text);
    const char *flaw = s_flaw(self);
    if (flaw) {
        jws_free(self);
        return err_set(err, ERR_UNAUTHENTICATED, "%s", flaw);
    }
    return ERR_OK;
}

void jws_free(jws_t *self)
{
    json_decref(self->header);
    json_decref(self->claims);
    self->header = self->claims = NULL;
}
