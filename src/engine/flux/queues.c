// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/flux/thread.h"

/* A request's questions. */
enum { LIST, STATUS, CONFIG };

#define QUEUES_MAX 4096u
#define TEXTS_MAX ((size_t)16 << 20)

/* A text's place in a buffer that still grows, plus one; 0 is none. */
struct places {
    size_t name, disable_reason, stop_reason;
};

static size_t put_text(struct fr_buf *texts, const char *text)
{
    size_t place = texts->len + 1;

    if (!text || !*text)
        return 0;
    fr_buf_put(texts, text, strlen(text) + 1);
    return place;
}

static int read_queue(flux_future_t *all, const char *name, struct fr_queue *queue,
                      struct places *places, struct fr_buf *texts)
{
    flux_future_t *f = flux_future_get_child(all, name);
    const char *disable_reason = NULL, *stop_reason = NULL;
    int enabled, started;

    if (!f ||
        flux_rpc_get_unpack(f, "{s:b s:b s?s s?s}", "enable", &enabled, "start", &started,
                            "disable_reason", &disable_reason, "stop_reason", &stop_reason) < 0)
        return -errno;
    queue->enabled = enabled;
    queue->started = started;
    places->name = put_text(texts, name);
    places->disable_reason = put_text(texts, disable_reason);
    places->stop_reason = put_text(texts, stop_reason);
    return 0;
}

static const char *text_at(const struct fr_flux_queues *queues, size_t place)
{
    return place ? queues->texts + place - 1 : NULL;
}

/* What limits says; what it does not say stays as it is. RFC 33: 0 and -1 are no limit. */
static void read_limits(const json_t *limits, struct fr_limits *out)
{
    static const char *const sizes[FR_SIZES] = {
        [FR_SIZE_NODES] = "nnodes", [FR_SIZE_CORES] = "ncores", [FR_SIZE_GPUS] = "ngpus"};
    const json_t *duration = json_object_get(limits, "duration");
    const json_t *size = json_object_get(limits, "job-size");
    double seconds;

    if (json_is_string(duration) && fr_fsd_parse(json_string_value(duration), &seconds) == 0)
        out->duration = seconds > 0 ? seconds : -1;
    for (int i = 0; i < FR_SIZES; i++) {
        const json_t *max = json_object_get(json_object_get(size, "max"), sizes[i]);
        const json_t *min = json_object_get(json_object_get(size, "min"), sizes[i]);
        if (json_is_integer(max))
            out->max[i] = (int)json_integer_value(max);
        if (json_is_integer(min))
            out->min[i] = (int)json_integer_value(min);
    }
}

static const json_t *limits_of(const json_t *table)
{
    return json_object_get(json_object_get(table, "policy"), "limits");
}

/* A queue's own limits go before those of all. */
static int read_config(flux_future_t *f, struct fr_flux_queues *queues)
{
    const json_t *config, *own;

    if (flux_rpc_get_unpack(f, "o", &config) < 0)
        return -errno;
    for (size_t i = 0; i < queues->count; i++) {
        struct fr_queue *queue = &queues->queues[i];
        queue->limits = (struct fr_limits){-1, {-1, -1, -1}, {-1, -1, -1}};
        read_limits(limits_of(config), &queue->limits);
        own =
            json_object_get(json_object_get(config, "queues"), queue->name ? queue->name : "");
        read_limits(limits_of(own), &queue->limits);
    }
    return 0;
}

static int read_all(flux_future_t *all, struct fr_flux_queues *queues, struct places *places,
                    struct fr_buf *texts)
{
    const char *name = flux_future_first_child(all);
    size_t len, i = 0;
    int rc = 0;

    for (; rc == 0 && name && i < queues->count; i++) {
        rc = read_queue(all, name, &queues->queues[i], &places[i], texts);
        name = flux_future_next_child(all);
    }
    queues->count = i;
    fr_buf_putc(texts, '\0');
    if (rc == 0)
        rc = fr_buf_take(texts, &queues->texts, &len);
    for (i = 0; rc == 0 && i < queues->count; i++) {
        queues->queues[i].name = text_at(queues, places[i].name);
        queues->queues[i].disable_reason = text_at(queues, places[i].disable_reason);
        queues->queues[i].stop_reason = text_at(queues, places[i].stop_reason);
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const char *left = ((const struct fr_queue *)a)->name;
    const char *right = ((const struct fr_queue *)b)->name;

    return strcmp(left ? left : "", right ? right : "");
}

static void read_answers(struct fr_flux_request *request)
{
    flux_future_t *f = request->futures[STATUS];
    struct fr_buf texts = FR_BUF_INIT(TEXTS_MAX);
    size_t count = (size_t)request->number;
    struct fr_flux_queues *queues = calloc(1, sizeof *queues);
    struct places *places = calloc(count, sizeof *places);
    int rc = -ENOMEM;

    if (queues)
        queues->queues = calloc(count, sizeof *queues->queues);
    if (queues && queues->queues && places) {
        queues->count = count;
        rc = read_all(f, queues, places, &texts);
    }
    if (rc == 0) {
        f = request->futures[CONFIG];
        rc = read_config(f, queues);
    }
    fr_buf_done(&texts);
    free(places);
    if (rc < 0) {
        fr_flux_refused(request, f, -rc);
        fr_flux_queues_free(queues);
    } else {
        qsort(queues->queues, queues->count, sizeof *queues->queues, by_name);
        request->queues = queues;
    }
    fr_flux_answered(request);
}

/* Comes for each of the two; acts once both are there. */
static void on_answer(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;

    if (request->futures[STATUS] && flux_future_is_ready(request->futures[STATUS]) &&
        flux_future_is_ready(request->futures[CONFIG]))
        read_answers(request);
}

/* Adds one question; a queue that has no name is the only one. */
static int ask(flux_t *h, flux_future_t *all, const char *name)
{
    flux_future_t *f = flux_rpc_pack(h, "job-manager.queue-status", FLUX_NODEID_ANY, 0,
                                     "{s:s*}", "name", name);

    if (f && flux_future_push(all, name ? name : "", f) == 0)
        return 0;
    flux_future_destroy(f);
    return -1;
}

static int ask_each(struct fr_flux_request *request, const json_t *names)
{
    flux_t *h = request->thread->h;
    flux_future_t *all = flux_future_wait_all_create();
    size_t count = json_array_size(names), i;
    const json_t *name;
    int rc = all ? 0 : -1;

    if (rc == 0)
        flux_future_set_flux(all, h);
    if (rc == 0 && count == 0)
        rc = ask(h, all, NULL);
    json_array_foreach (names, i, name) {
        if (rc == 0 && i < QUEUES_MAX && json_is_string(name))
            rc = ask(h, all, json_string_value(name));
    }
    /* How many there can be, for when the answers are read. */
    request->number = count == 0 ? 1 : count < QUEUES_MAX ? (int)count : (int)QUEUES_MAX;
    request->futures[STATUS] = all; /* destroyed with the request, whatever becomes of it */
    return rc == 0 ? fr_flux_then(request, STATUS, all, on_answer) : -1;
}

static void on_list(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;
    json_t *names;

    if (flux_rpc_get_unpack(f, "{s:o}", "queues", &names) == 0 && ask_each(request, names) == 0)
        return;
    fr_flux_refused(request, f, errno);
    fr_flux_answered(request);
}

int fr_flux_queues_send(struct fr_flux_request *request)
{
    flux_t *h = request->thread->h;
    flux_future_t *config = flux_rpc(h, "config.get", NULL, FLUX_NODEID_ANY, 0);
    flux_future_t *list;

    if (fr_flux_then(request, CONFIG, config, on_answer) < 0)
        return -1;
    list = flux_rpc(h, "job-manager.queue-list", NULL, FLUX_NODEID_ANY, 0);
    return fr_flux_then(request, LIST, list, on_list);
}
