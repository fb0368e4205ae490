// SPDX-License-Identifier: LGPL-3.0-only
#include "api/order.h"

#include <string.h>

#include "base/util.h"
#include "model/job.h"

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

/* One comparison per column that can be sorted by; equal jobs keep the newest first. */
#define DEFINE_COMPARE(column, expression)                                                     \
    static int compare_##column(const void *left, const void *right)                           \
    {                                                                                          \
        const struct fr_job *a = *(const struct fr_job *const *)left;                          \
        const struct fr_job *b = *(const struct fr_job *const *)right;                         \
        int order = (expression);                                                              \
        return order ? order : (a->id < b->id) - (a->id > b->id);                              \
    }

DEFINE_COMPARE(id, (a->id > b->id) - (a->id < b->id))
DEFINE_COMPARE(name, compare_texts(a->name, b->name))
DEFINE_COMPARE(state, (int)a->state - (int)b->state)
DEFINE_COMPARE(result, compare_texts(fr_result_word(a->result), fr_result_word(b->result)))
DEFINE_COMPARE(userid, (a->userid > b->userid) - (a->userid < b->userid))
DEFINE_COMPARE(urgency, (a->urgency > b->urgency) - (a->urgency < b->urgency))
DEFINE_COMPARE(priority, (a->priority > b->priority) - (a->priority < b->priority))
DEFINE_COMPARE(ntasks, (a->ntasks > b->ntasks) - (a->ntasks < b->ntasks))
DEFINE_COMPARE(ncores, (a->ncores > b->ncores) - (a->ncores < b->ncores))
DEFINE_COMPARE(nnodes, (a->nnodes > b->nnodes) - (a->nnodes < b->nnodes))
DEFINE_COMPARE(nodelist, compare_texts(a->nodelist, b->nodelist))
DEFINE_COMPARE(duration, (a->duration > b->duration) - (a->duration < b->duration))
DEFINE_COMPARE(t_submit, (a->t_submit > b->t_submit) - (a->t_submit < b->t_submit))
DEFINE_COMPARE(t_run, (a->t_run > b->t_run) - (a->t_run < b->t_run))
DEFINE_COMPARE(t_inactive, (a->t_inactive > b->t_inactive) - (a->t_inactive < b->t_inactive))
DEFINE_COMPARE(returncode, fr_job_returncode(a) - fr_job_returncode(b))

static const struct {
    const char *field;
    fr_order_f compare;
} orders[] = {
    {"id", compare_id},
    {"jobid", compare_id},
    {"name", compare_name},
    {"state", compare_state},
    {"result", compare_result},
    {"userid", compare_userid},
    {"username", compare_userid},
    {"urgency", compare_urgency},
    {"priority", compare_priority},
    {"ntasks", compare_ntasks},
    {"ncores", compare_ncores},
    {"nnodes", compare_nnodes},
    {"nodelist", compare_nodelist},
    {"duration", compare_duration},
    {"t_submit", compare_t_submit},
    {"t_run", compare_t_run},
    {"t_inactive", compare_t_inactive},
    {"returncode", compare_returncode},
};

/* The same names, for offering the nearest. */
const char *const fr_order_names[] = {
    "id",       "jobid",    "name",     "state",  "result",     "userid",
    "username", "urgency",  "priority", "ntasks", "ncores",     "nnodes",
    "nodelist", "duration", "t_submit", "t_run",  "t_inactive", "returncode"};
const size_t fr_order_count = FR_ARRAY_SIZE(fr_order_names);
_Static_assert(FR_ARRAY_SIZE(fr_order_names) == FR_ARRAY_SIZE(orders), "a name is missing");

fr_order_f fr_order_find(const char *field)
{
    for (size_t i = 0; i < FR_ARRAY_SIZE(orders); i++)
        if (strcmp(orders[i].field, field) == 0)
            return orders[i].compare;
    return NULL;
}
