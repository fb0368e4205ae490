// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Small files and directories that nobody else may have a hand in: settings, secrets, what the
 * daemon keeps beside its jobs. All of it blocks.
 */
#ifndef FR_BASE_FILE_H
#define FR_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Reads a file, at most max bytes, as text without NUL bytes. Links are not followed; it must
 * be a regular file of this user or of root that nobody else can write, else -EPERM.
 * *ret_private tells whether nobody else can read it either. The caller wipes and frees *ret.
 * 0, or a negative errno with err (-ENOENT where there is no such file).
 */
int fr_file_slurp(const char *path, size_t max, char **ret, bool *ret_private,
                  struct fr_error *err);

/* The same, but links are followed: the rest holds for the file that they lead to. */
int fr_file_slurp_linked(const char *path, size_t max, char **ret, bool *ret_private,
                         struct fr_error *err);

/*
 * Puts a file with these bytes and mode 0600 in the place of path: whole, or not at all, also
 * if the machine stops. Not for two writers at a time. 0 or a negative errno with err; after
 * one the file may be the old or, where only the last sync failed, the new one.
 */
int fr_file_replace(const char *path, const char *data, size_t len, struct fr_error *err);

/*
 * Makes a directory and its parents (mode 0700) where they are missing. what: how messages call
 * it, such as "state directory". 0; -EPERM if it belongs to somebody else or can be written by
 * others; another negative errno with err.
 */
int fr_file_make_directory(const char *what, const char *path, struct fr_error *err);

#endif
