// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the daemon is measured against: the same work on libflux-core, with nothing around it.
 *
 *   flux_bare submit SECONDS IN_FLIGHT <JOBSPEC   submits; prints how many were answered
 *   flux_bare journal                             reads the backlog; prints how many jobs it
 * has
 */
#include <flux/core.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char jobspec[65536];
static long answered;
static double deadline;
static flux_t *h;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void submit_one(void);

static void on_submitted(flux_future_t *f, void *arg)
{
    flux_jobid_t id;

    if (flux_job_submit_get_id(f, &id) < 0)
        fail("submit");
    flux_future_destroy(f);
    if (now() >= deadline) {
        flux_reactor_stop(flux_get_reactor(h));
        return;
    }
    answered++;
    submit_one();
}

static void submit_one(void)
{
    flux_future_t *f = flux_job_submit(h, jobspec, FLUX_JOB_URGENCY_DEFAULT, 0);

    if (!f || flux_future_then(f, -1., on_submitted, NULL) < 0)
        fail("submit");
}

static void on_response(flux_future_t *f, void *arg)
{
    json_int_t id;
    json_t *events;

    if (flux_rpc_get_unpack(f, "{s:I s:o}", "id", &id, "events", &events) < 0)
        fail("journal");
    if ((flux_jobid_t)id == FLUX_JOBID_ANY)
        flux_reactor_stop(flux_get_reactor(h));
    else
        answered++;
    flux_future_reset(f);
}

int main(int argc, char **argv)
{
    flux_future_t *f;

    h = flux_open(NULL, 0);
    if (!h)
        fail("flux_open");
    if (argc == 4 && strcmp(argv[1], "submit") == 0) {
        if (fread(jobspec, 1, sizeof jobspec - 1, stdin) == 0)
            fail("jobspec");
        deadline = now() + atof(argv[2]);
        for (int i = atoi(argv[3]); i > 0; i--)
            submit_one();
    } else if (argc == 2 && strcmp(argv[1], "journal") == 0) {
        f = flux_rpc_pack(h, "job-manager.events-journal", FLUX_NODEID_ANY, FLUX_RPC_STREAMING,
                          "{s:b}", "full", 1);
        if (!f || flux_future_then(f, -1., on_response, NULL) < 0)
            fail("journal");
    } else {
        fprintf(stderr, "usage: flux_bare submit SECONDS IN_FLIGHT | journal\n");
        return 2;
    }
    if (flux_reactor_run(flux_get_reactor(h), 0) < 0)
        fail("reactor");
    printf("%ld\n", answered);
    return 0;
}
