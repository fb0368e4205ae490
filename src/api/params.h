// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Query parameters, typed. The route's table has checked them before the handler runs, so that
 * reading one cannot fail.
 */
#ifndef FR_API_PARAMS_H
#define FR_API_PARAMS_H

#include <stdbool.h>

#include "api/routes.h"
#include "http/message.h"
#include "model/problems.h"

/* Adds a problem if the value is not of the type. */
void fr_param_check(enum fr_param_type type, const char *name, const char *value,
                    struct fr_problems *problems);

/* 1, 0, or -1 if it is neither. Python's and JavaScript's spellings are taken. */
int fr_param_read_bool(const char *value);

/* The parameter, or fallback if it is not given (or, where nothing was checked, not readable).
 * A boolean without a value is true. */
bool fr_param_bool(const struct fr_req *req, const char *name, bool fallback);
long fr_param_count(const struct fr_req *req, const char *name, long fallback);

#endif
