// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Cleanup attributes and two or three words that every file uses.
 *
 * `_cleanup_(f)` calls f with the address of the variable when it goes out of scope;
 * `fr_take(p)` hands a pointer on and leaves NULL, so that the cleanup finds nothing.
 */
#ifndef FR_BASE_UTIL_H
#define FR_BASE_UTIL_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _unused_ __attribute__((unused))

/* Defines fr_cleanup_<name>, for use in _cleanup_, out of a function that frees a pointer. */
#define FR_DEFINE_CLEANUP(type, name, free_fn)                                                 \
    _unused_ static inline void fr_cleanup_##name(type *p)                                     \
    {                                                                                          \
        free_fn(*p);                                                                           \
    }                                                                                          \
    struct fr_swallow_semicolon

FR_DEFINE_CLEANUP(char *, str, free);

/* Closes a descriptor; -1 is none. errno is kept. */
static inline void fr_cleanup_fd(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd);
        errno = saved;
    }
}

#define fr_take(p)                                                                             \
    ({                                                                                         \
        __typeof__(p) *fr_take_p = &(p);                                                       \
        __typeof__(p) fr_take_v = *fr_take_p;                                                  \
        *fr_take_p = NULL;                                                                     \
        fr_take_v;                                                                             \
    })

#define fr_container_of(ptr, type, member)                                                     \
    ((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

#define FR_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
