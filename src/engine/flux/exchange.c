// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/flux/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static void link_free(struct fr_flux_link *link)
{
    fr_queue_free(link->to_flux);
    fr_queue_free(link->to_loop);
    free(link->uri);
    free(link);
}

int fr_flux_link_create(const char *uri, struct fr_flux_link **ret)
{
    struct fr_flux_link *link = calloc(1, sizeof *link);
    int rc = link ? 0 : -ENOMEM;

    if (rc == 0 && uri && !(link->uri = strdup(uri)))
        rc = -ENOMEM;
    /* One place more than is ever used, for the stop. */
    if (rc == 0)
        rc = fr_queue_create(FR_FLUX_REQUESTS_MAX + FR_FLUX_COMMANDS_MAX + 1, &link->to_flux);
    if (rc == 0)
        rc = fr_queue_create(FR_FLUX_NEWS_MAX, &link->to_loop);
    if (rc < 0) {
        if (link)
            link_free(link);
        return rc;
    }
    atomic_init(&link->holders, 2);
    atomic_init(&link->abandoned, false);
    atomic_init(&link->stopping, false);
    atomic_init(&link->ncommands, 0);
    link->stop.kind = FR_FLUX_STOP;
    link->exited.kind = FR_FLUX_EXITED;
    *ret = link;
    return 0;
}

void fr_flux_item_drop(struct fr_flux_link *link, struct fr_flux_item *item)
{
    if (!fr_flux_is_request(item))
        fr_flux_item_free(item);
    else if (atomic_load(&link->abandoned))
        fr_flux_request_free((struct fr_flux_request *)item);
}

static void empty(struct fr_flux_link *link, struct fr_queue *queue)
{
    struct fr_flux_item *item;

    while ((item = fr_queue_pop(queue)))
        fr_flux_item_drop(link, item);
}

void fr_flux_link_drop(struct fr_flux_link *link)
{
    if (!link || atomic_fetch_sub(&link->holders, 1) > 1)
        return;
    empty(link, link->to_flux);
    empty(link, link->to_loop);
    link_free(link);
}

static void entry_free(struct fr_flux_entry *entry)
{
    struct fr_flux_entry *next;

    for (; entry; entry = next) {
        next = entry->next;
        fr_jobspec_free(entry->jobspec);
        fr_rset_free(entry->R);
        free(entry->events);
        free(entry->texts);
        free(entry);
    }
}

void fr_flux_item_free(struct fr_flux_item *item)
{
    if (!item || fr_flux_is_request(item))
        return;
    switch (item->kind) {
    case FR_FLUX_STOP:
    case FR_FLUX_EXITED:
        break; /* part of the link */
    case FR_FLUX_ENTRY:
        entry_free((struct fr_flux_entry *)item);
        break;
    default:
        free(item);
    }
}

void fr_flux_nodes_free(struct fr_flux_nodes *nodes)
{
    if (!nodes)
        return;
    free(nodes->nodes);
    free(nodes->texts);
    free(nodes);
}

void fr_flux_queues_free(struct fr_flux_queues *queues)
{
    if (!queues)
        return;
    free(queues->queues);
    free(queues->texts);
    free(queues);
}

void fr_flux_request_free(struct fr_flux_request *request)
{
    if (!request)
        return;
    free(request->text);
    free(request->reason);
    free(request->found);
    fr_flux_queues_free(request->queues);
    fr_flux_nodes_free(request->nodes);
    free(request);
}

void fr_flux_request_unanswered(struct fr_flux_request *request, bool sent, const char *why)
{
    request->failed = true;
    if (fr_flux_only_asks(&request->item))
        (void)fr_error_set(&request->err, EAGAIN, FR_CODE_UNAVAILABLE, "%s", why);
    else if (sent)
        (void)fr_error_set(
            &request->err, EAGAIN, FR_CODE_OUTCOME_UNKNOWN,
            "%s It was sent to Flux, but no answer came; look before you repeat it.", why);
    else
        (void)fr_error_set(&request->err, EAGAIN, FR_CODE_NOT_SENT,
                           "%s It was not sent and can be repeated safely.", why);
}
