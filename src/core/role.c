// SPDX-License-Identifier: LGPL-3.0-only
#include "core/role.h"

#include <string.h>

static const char *const words[] = {
    [FR_ROLE_PUBLIC] = "public",
    [FR_ROLE_READ] = "read",
    [FR_ROLE_SUBMIT] = "submit",
    [FR_ROLE_ADMIN] = "admin",
};

const char *fr_role_word(enum fr_role role)
{
    return words[role];
}

bool fr_role_parse(const char *word, enum fr_role *ret)
{
    for (enum fr_role role = FR_ROLE_READ; role <= FR_ROLE_ADMIN; role++)
        if (strcmp(word, words[role]) == 0) {
            *ret = role;
            return true;
        }
    return false;
}
