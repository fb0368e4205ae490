// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What went wrong, in a form that a program and a person can act on.
 *
 * Functions of this project that can fail return 0 or a negative errno. Where the reason is
 * worth more than a number they take, as their last argument, a `struct fr_error *` that may be
 * NULL. On success it is left alone. Library code never logs an error: its caller does, once.
 */
#ifndef FR_BASE_ERROR_H
#define FR_BASE_ERROR_H

/*
 * The one table of error codes, shared by the daemon, its clients and the documentation.
 * The word is what a client may compare with (`code` in a problem document, and the end of its
 * `type` urn:flux-restd:<code>); it never changes its meaning. How a code maps to an HTTP
 * status is the API's business (api/problem.c).
 *
 *   X(enumerator, word, title)
 */
#define FR_CODES(X)                                                                            \
    X(FR_CODE_INTERNAL, "internal", "Internal error")                                          \
    X(FR_CODE_MALFORMED, "malformed", "The request cannot be read")                            \
    X(FR_CODE_INVALID, "invalid", "The request is not valid")                                  \
    X(FR_CODE_UNKNOWN_FIELD, "unknown-field", "The request has a field that is not known")     \
    X(FR_CODE_UNSATISFIABLE, "unsatisfiable", "The request can never be satisfied here")       \
    X(FR_CODE_UNAUTHORIZED, "unauthorized", "Credentials are required")                        \
    X(FR_CODE_FORBIDDEN, "forbidden", "Not allowed")                                           \
    X(FR_CODE_HOST, "host-not-served", "This server is not known by that name")                \
    X(FR_CODE_ORIGIN, "origin-refused", "A page of another origin may not do this")            \
    X(FR_CODE_NOT_FOUND, "not-found", "There is nothing at this address")                      \
    X(FR_CODE_JOB_NOT_FOUND, "job-not-found", "There is no such job")                          \
    X(FR_CODE_METHOD, "method-not-allowed", "This address does not take that method")          \
    X(FR_CODE_JOB_INACTIVE, "job-inactive", "The job is not active any more")                  \
    X(FR_CODE_JOB_STATE, "job-state", "The job is in a state that does not allow this")        \
    X(FR_CODE_KEY_REUSED, "key-reused", "The idempotency key was used for another request")    \
    X(FR_CODE_KEY_IN_FLIGHT, "key-in-flight", "A request with this key is being submitted")    \
    X(FR_CODE_NAME_TAKEN, "name-taken", "There is one of that name already")                   \
    X(FR_CODE_GONE, "cursor-gone", "The cursor is too old or of another instance")             \
    X(FR_CODE_TOO_LARGE, "too-large", "The request is larger than the limit")                  \
    X(FR_CODE_MEDIA_TYPE, "media-type", "The body has a type that is not taken here")          \
    X(FR_CODE_TOO_MANY, "too-many", "Too many requests")                                       \
    X(FR_CODE_UNSUPPORTED, "unsupported", "This engine cannot do that")                        \
    X(FR_CODE_UNAVAILABLE, "unavailable", "The engine cannot be reached")                      \
    X(FR_CODE_NOT_SENT, "not-sent", "The engine was not reached: nothing was submitted")       \
    X(FR_CODE_OUTCOME_UNKNOWN, "outcome-unknown", "It is not known whether it was done")       \
    X(FR_CODE_STOPPING, "stopping", "The service is stopping")                                 \
    X(FR_CODE_STORAGE, "storage-full", "There is no room to store this")                       \
    X(FR_CODE_REFUSED, "refused", "The engine refused this")

enum fr_code {
#define FR_CODE_ENUM(sym, word, title) sym,
    FR_CODES(FR_CODE_ENUM)
#undef FR_CODE_ENUM
        FR_CODE_COUNT
};

/* One error. Plain data: needs no initialising and no freeing. */
struct fr_error {
    enum fr_code code;
    char text[512]; /* one sentence or two, UTF-8, names the field, the value and the remedy */
};

/*
 * Fills err (which may be NULL; the text is cut on a character border if too long) and returns
 * -errnum, so that a caller can end with `return fr_error_set(err, EINVAL, FR_CODE_…, "…")`.
 * errnum is positive.
 */
int fr_error_set(struct fr_error *err, int errnum, enum fr_code code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), nonnull(4)));

/* The code's word, such as "job-not-found". Static storage. */
const char *fr_code_word(enum fr_code code);

/* The code's title, a short sentence without a full stop. Static storage. */
const char *fr_code_title(enum fr_code code);

#endif
