// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Any body as a submit request. What is built can be read again, and says the same; what is
 * refused is refused with a reason.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/jobspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_built(const struct fr_jobspec *spec)
{
    char *text = json_dumps(spec->json, JSON_COMPACT);
    char *command = fr_jobspec_command(spec);
    struct fr_jobspec *again = NULL;

    check(text && command);
    check(fr_jobspec_create(json_loads(text, JSON_ALLOW_NUL, NULL), &again, NULL) == 0);
    check(json_equal(again->argv, spec->argv) == 1);
    check(again->ntasks == spec->ntasks && again->ncores == spec->ncores);
    check(again->nnodes == spec->nnodes && again->ngpus == spec->ngpus);
    check(spec->ntasks >= 1 && spec->ncores >= 1 && spec->duration >= 0);
    check(json_array_size(spec->argv) >= 1 && spec->name);
    fr_jobspec_free(again);
    free(command);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *environ_[] = {"PATH=/bin:/usr/bin", "HOME=/", NULL};
    struct fr_jobspec_place place = {
        .nodes = 4, .cores = 64, .gpus = (int)(size % 3), .cwd = "/", .environ = environ_};
    struct fr_jobspec_submit submit = {.spec = NULL};
    struct fr_problems problems;
    json_t *fields =
        json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    int r;

    if (!fields)
        return 0;
    fr_problems_init(&problems);
    r = fr_jobspec_build(fields, &place, &submit, &problems);
    json_decref(fields);
    if (r == 0)
        check_built(submit.spec);
    else
        check(!submit.spec && problems.count + problems.left_out > 0);
    fr_jobspec_free(submit.spec);
    fr_problems_done(&problems);
    return 0;
}
