/* store/embedded.h: texts that are compiled into the store. */
#ifndef PARLEY_STORE_EMBEDDED_H
#define PARLEY_STORE_EMBEDDED_H

/* proto/chat.graphql, NUL-terminated. */
extern const char embedded_sdl[];

#endif
