// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What somebody may do. Each role may do what those before it may.
 */
#ifndef FR_CORE_ROLE_H
#define FR_CORE_ROLE_H

#include <stdbool.h>

enum fr_role {
    FR_ROLE_PUBLIC, /* nothing that needs to be known who it is */
    FR_ROLE_READ,
    FR_ROLE_SUBMIT, /* jobs: start, change and end them, which is to be the user */
    FR_ROLE_ADMIN   /* stop, drain, tokens */
};

/* "public", "read", "submit" or "admin". Static. */
const char *fr_role_word(enum fr_role role);

/* The role of that word, PUBLIC not among them; false if there is none. */
bool fr_role_parse(const char *word, enum fr_role *ret);

#endif
