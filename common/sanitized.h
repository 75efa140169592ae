/* common/sanitized.h: defines HAS_SANITIZER if this is built with AddressSanitizer. Memory is not
 * kept to be used again then: only on the heap are leaks and late uses seen. */
#ifndef PARLEY_COMMON_SANITIZED_H
#define PARLEY_COMMON_SANITIZED_H

#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__) /* gcc */
#define HAS_SANITIZER
#endif

#endif
