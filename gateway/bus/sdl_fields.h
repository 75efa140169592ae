/* gateway/bus/sdl_fields.h: which fields an SDL text has, found without a parser: the bus must know
 * whether an instance of another version serves a field, and knows no GraphQL beyond that. Pure. */
#ifndef PARLEY_GATEWAY_BUS_SDL_FIELDS_H
#define PARLEY_GATEWAY_BUS_SDL_FIELDS_H

#include <czmq.h>
#include <stddef.h>

/* The set of "Type.field" of all object types and their extensions in sdl (size bytes); keys only.
 * A text that is no SDL gives some set. The caller's, with zhashx_destroy. */
zhashx_t *sdl_fields(const char *sdl, size_t size);

#endif
