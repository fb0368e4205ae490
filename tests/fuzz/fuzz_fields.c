// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A request body of any of the types that are taken, read into fields and built into a jobspec.
 * The first byte chooses the type.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/fields.h"
#include "model/jobspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void build(const json_t *fields)
{
    char *environ_of_job[] = {NULL};
    struct fr_jobspec_place place = {
        .nodes = 2, .gpus = 1, .cwd = "/", .environ = environ_of_job};
    struct fr_jobspec_submit submit = {0};
    struct fr_problems problems;

    fr_problems_init(&problems);
    int rc = fr_jobspec_build(fields, &place, &submit, &problems);
    assert((rc == 0) == (problems.count + problems.left_out == 0));
    if (rc == 0)
        fr_jobspec_free(submit.spec);
    fr_problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/json", "application/x-www-form-urlencoded",
                                        "text/plain", NULL};
    struct fr_problems problems;
    json_t *fields = json_object();

    if (size == 0 || !fields) {
        json_decref(fields);
        return 0;
    }
    char *body = malloc(size); /* of its exact size, so that a step beyond it is seen */
    memcpy(body, data + 1, size - 1);
    body[size - 1] = '\0';
    fr_problems_init(&problems);
    int rc = fr_fields_read_body(types[data[0] % 4], body, size - 1, 32, fields, &problems);
    assert(rc == 0 || problems.count > 0);
    if (rc == 0 && problems.count == 0)
        build(fields);
    fr_problems_done(&problems);
    json_decref(fields);
    free(body);
    return 0;
}
