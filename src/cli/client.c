// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "base/version.h"
#include "cli/signals.h"

#define REPLY_MAX                                                                              \
    (256U << 20) /* 10,000 jobs with all that is known of them are some 15 MiB                 \
                  */
#define ERROR_MAX (1U << 20)
#define HEADER_MAX (64U << 10)
#define CONNECT_MS 10000L
#define SILENCE_SECONDS 30L /* of a stream, which says something every few seconds */

struct fr_client {
    CURLM *multi;
    char *url;    /* as a person would write it */
    char *base;   /* what a path is put behind */
    char *socket; /* of a Unix socket, or NULL */
    char *user, *token, *cacert;
    double timeout;
    bool local, answered;
};

/* One request on its way. */
struct transfer {
    CURL *easy;
    const struct fr_request *request;
    struct fr_reply *reply;
    struct curl_slist *headers;
    char message[CURL_ERROR_SIZE];
    bool done, stopped, too_large;
    CURLcode result;
};

FR_DEFINE_CLEANUP(CURLU *, url, curl_url_cleanup);
FR_DEFINE_CLEANUP(char *, part, curl_free);

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static int refuse_url(const char *url, const char *why, struct fr_error *err)
{
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "the server's URL '%.200s' %s; give http://HOST:PORT, "
                        "https://HOST:PORT or unix:/PATH",
                        url, why);
}

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

/* Whether a URL that can be read is one that we take. */
static int check_url(CURLU *url, const char *text, struct fr_error *err)
{
    _cleanup_(fr_cleanup_part) char *scheme = NULL, *user = NULL, *query = NULL;

    if (!curl_url_get(url, CURLUPART_USER, &user, 0)) /* without telling it again */
        return refuse_url("", "holds credentials: give them by FLUX_USER and FLUX_TOKEN", err);
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return refuse_url(text, "is of no kind that is known here", err);
    if (!curl_url_get(url, CURLUPART_QUERY, &query, 0))
        return refuse_url(text, "has a query", err);
    return 0;
}

/* A host without a scheme counts as http. */
static int parse_tcp(struct fr_client *client, const char *given, struct fr_error *err)
{
    _cleanup_(fr_cleanup_url) CURLU *url = curl_url();
    _cleanup_(fr_cleanup_part) char *host = NULL, *whole = NULL;
    _cleanup_(fr_cleanup_str) char *text = NULL;

    if (asprintf(&text, "%s%s", strstr(given, "://") ? "" : "http://", given) < 0)
        text = NULL;
    if (!url || !text)
        return -ENOMEM;
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
        return refuse_url(given, "cannot be read", err);
    int r = check_url(url, given, err);
    if (r < 0)
        return r;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) ||
        curl_url_get(url, CURLUPART_URL, &whole, 0))
        return refuse_url(given, "names no host", err);
    client->local = is_loopback(host);
    client->base = strdup(whole);
    if (!client->base)
        return -ENOMEM;
    for (size_t len = strlen(client->base); len > 0 && client->base[len - 1] == '/'; len--)
        client->base[len - 1] = '\0';
    return 0;
}

static int parse_unix(struct fr_client *client, const char *path, struct fr_error *err)
{
    if (strncmp(path, "//", 2) == 0)
        path += 2;
    if (*path != '/')
        return refuse_url(client->url, "names no absolute path", err);
    client->local = true;
    client->socket = strdup(path);
    client->base = strdup("http://localhost");
    return client->socket && client->base ? 0 : -ENOMEM;
}

static int copy(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return !text || *to ? 0 : -ENOMEM;
}

int fr_client_create(const struct fr_client_options *options, struct fr_client **ret,
                     struct fr_error *err)
{
    struct fr_client *client = calloc(1, sizeof *client);

    if (!client || curl_global_init(CURL_GLOBAL_DEFAULT)) {
        free(client);
        return -ENOMEM;
    }
    client->timeout = options->timeout;
    client->multi = curl_multi_init();
    int r = client->multi ? 0 : -ENOMEM;
    if (copy(&client->url, options->url) < 0 || copy(&client->user, options->user) < 0 ||
        copy(&client->token, options->token) < 0 || copy(&client->cacert, options->cacert) < 0)
        r = -ENOMEM;
    if (r == 0 && strncmp(options->url, "unix:", 5) == 0)
        r = parse_unix(client, options->url + 5, err);
    else if (r == 0)
        r = parse_tcp(client, options->url, err);
    if (r < 0) {
        fr_client_free(client);
        return r;
    }
    *ret = client;
    return 0;
}

void fr_client_free(struct fr_client *client)
{
    if (!client)
        return;
    curl_multi_cleanup(client->multi);
    free(client->url);
    free(client->base);
    free(client->socket);
    free(client->cacert);
    free_secret(client->user);
    free_secret(client->token);
    free(client);
    curl_global_cleanup();
}

const char *fr_client_url(const struct fr_client *client)
{
    return client->url;
}

bool fr_client_is_local(const struct fr_client *client)
{
    return client->local;
}

bool fr_client_has_answered(const struct fr_client *client)
{
    return client->answered;
}

/* --- one request --- */

static bool is_good(const struct transfer *transfer)
{
    long status = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    const struct fr_request *request = transfer->request;
    struct fr_buf *body = &transfer->reply->body;
    size_t len = size * count;

    if (request->on_data && is_good(transfer)) {
        transfer->reply->delivered = true;
        transfer->stopped = request->on_data(request->arg, data, len) != 0;
        return transfer->stopped ? CURL_WRITEFUNC_ERROR : len;
    }
    if (!is_good(transfer))
        body->max = ERROR_MAX;
    fr_buf_put(body, data, len);
    transfer->too_large = fr_buf_status(body) < 0;
    return transfer->too_large ? CURL_WRITEFUNC_ERROR : len;
}

static int add_header(struct transfer *transfer, const char *name, const char *value)
{
    _cleanup_(fr_cleanup_str) char *line = NULL;
    struct curl_slist *grown;

    if (!value)
        return 0;
    if (asprintf(&line, "%s: %s", name, value) < 0) {
        line = NULL;
        return -ENOMEM;
    }
    grown = curl_slist_append(transfer->headers, line);
    if (!grown)
        return -ENOMEM;
    transfer->headers = grown;
    return 0;
}

/* Options that cannot fail but for lack of memory. */
#define SET(easy, option, value) (curl_easy_setopt((easy), (option), (value)) ? -ENOMEM : 0)

static int set_connection(const struct fr_client *client, CURL *easy)
{
    int r = 0;

    r |= SET(easy, CURLOPT_NOSIGNAL, 1L);
    r |= SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    r |= SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    r |= SET(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    r |= SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    r |= SET(easy, CURLOPT_USERAGENT, "flux-rest/" FR_VERSION);
    if (client->socket)
        r |= SET(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    /* What is meant for this machine goes through no proxy, whatever http_proxy says. */
    if (client->local)
        r |= SET(easy, CURLOPT_NOPROXY, "*");
    if (client->cacert)
        r |= SET(easy, CURLOPT_CAINFO, client->cacert);
    return r;
}

static int set_credentials(const struct fr_client *client, CURL *easy)
{
    if (!client->token)
        return 0;
    if (client->user)
        return SET(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) |
               SET(easy, CURLOPT_USERNAME, client->user) |
               SET(easy, CURLOPT_PASSWORD, client->token);
    return SET(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) |
           SET(easy, CURLOPT_XOAUTH2_BEARER, client->token);
}

static int set_body(struct transfer *transfer, CURL *easy)
{
    const struct fr_request *request = transfer->request;

    if (strcmp(request->method, "GET") == 0)
        return 0;
    int r = SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
    /*
     * Where a connection that is used again is closed before an answer, curl sends the request
     * once more on a new one, whatever its method: on a new one from the start it does not.
     */
    if (!request->key && !request->keys_inside)
        r |= SET(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (!request->body && strcmp(request->method, "POST") != 0)
        return r;
    r |= SET(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    r |= SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    /* No Content-Type of curl's own where there is no body. */
    if (!request->body)
        r |= add_header(transfer, "Content-Type", "");
    return r | add_header(transfer, "Expect", "");
}

static int set_request(const struct fr_client *client, struct transfer *transfer)
{
    const struct fr_request *request = transfer->request;
    CURL *easy = transfer->easy;
    _cleanup_(fr_cleanup_str) char *url = NULL;
    double seconds = client->timeout + request->wait_seconds;
    int r = 0;

    if (asprintf(&url, "%s%s", client->base, request->path) < 0) {
        url = NULL;
        return -ENOMEM;
    }
    r |= SET(easy, CURLOPT_URL, url);
    r |= SET(easy, CURLOPT_PATH_AS_IS, 1L); /* an id may be ".." */
    r |= SET(easy, CURLOPT_ERRORBUFFER, transfer->message);
    r |= SET(easy, CURLOPT_PRIVATE, transfer);
    r |= SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    r |= SET(easy, CURLOPT_WRITEDATA, transfer);
    if (request->stream) {
        r |= SET(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        r |= SET(easy, CURLOPT_LOW_SPEED_TIME, SILENCE_SECONDS);
    } else {
        r |=
            SET(easy, CURLOPT_TIMEOUT_MS, seconds < 1e6 ? (long)(seconds * 1000) : 1000000000L);
    }
    r |= set_body(transfer, easy);
    r |= add_header(transfer, "Accept", request->accept ? request->accept : "application/json");
    r |= add_header(transfer, "Content-Type", request->type);
    r |= add_header(transfer, "Idempotency-Key", request->key);
    r |= add_header(transfer, "Last-Event-ID", request->place);
    r |= SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
    return r < 0 ? -ENOMEM : 0;
}

/* Notes which transfers have ended: of all, for one may be asked while another streams. */
static void note_ended(struct fr_client *client)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left))) {
        char *arg = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &arg);
        struct transfer *transfer = (struct transfer *)(void *)arg;
        transfer->done = true;
        transfer->result = message->data.result;
    }
}

/* Has the request's turn, and waits for what comes. */
static void wait_for_more(struct fr_client *client, struct transfer *transfer)
{
    const struct fr_request *request = transfer->request;
    struct curl_waitfd wait = {.fd = fr_signals_fd(), .events = CURL_WAIT_POLLIN};
    double seconds = 1;

    if (request->on_turn && request->on_turn(request->arg, &seconds) != 0) {
        transfer->done = transfer->stopped = true;
        transfer->result = CURLE_WRITE_ERROR;
    }
    seconds = seconds < 1 ? seconds : 1;
    if (!transfer->done)
        (void)curl_multi_poll(client->multi, &wait, wait.fd >= 0 ? 1 : 0,
                              (int)(seconds * 1000) + 1, NULL);
}

/* Until the transfer has ended; false if Ctrl-C came first. */
static bool drive(struct fr_client *client, struct transfer *transfer)
{
    int running;

    while (!transfer->done) {
        if (curl_multi_perform(client->multi, &running) != CURLM_OK) {
            transfer->result = CURLE_FAILED_INIT;
            return true;
        }
        note_ended(client);
        if (transfer->done)
            break;
        if (fr_signals_gave_up())
            return false;
        if (transfer->request->on_interrupt && fr_signals_take())
            transfer->request->on_interrupt(transfer->request->arg);
        else
            wait_for_more(client, transfer);
    }
    return true;
}

static void read_head(const struct transfer *transfer)
{
    struct fr_reply *reply = transfer->reply;
    const char *type = NULL;
    curl_off_t retry = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry);
    reply->retry_after = (double)retry;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
    if (type)
        snprintf(reply->type, sizeof reply->type, "%.*s", (int)strcspn(type, "; "), type);
    for (char *c = reply->type; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

static enum fr_outcome judge(struct fr_client *client, const struct transfer *transfer,
                             struct fr_error *err)
{
    const char *why =
        *transfer->message ? transfer->message : curl_easy_strerror(transfer->result);
    curl_off_t connected = 0;

    if (transfer->reply->status > 0)
        client->answered = true;
    if (transfer->result == CURLE_OK)
        return FR_ANSWERED;
    if (transfer->stopped)
        return FR_STOPPED;
    fr_error_set(err, EIO, FR_CODE_UNAVAILABLE, "%s%s", why,
                 transfer->result == CURLE_PEER_FAILED_VERIFICATION
                     ? "; --cacert names a file of certificates to trust"
                     : "");
    if (transfer->too_large)
        return FR_TOO_LARGE;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    return connected > 0 ? FR_BROKEN_OFF : FR_NOT_THERE;
}

enum fr_outcome fr_client_ask(struct fr_client *client, const struct fr_request *request,
                              struct fr_reply *reply, struct fr_error *err)
{
    struct transfer transfer = {.request = request, .reply = reply, .easy = curl_easy_init()};
    enum fr_outcome outcome = FR_NOT_THERE;

    *reply = (struct fr_reply){.body = FR_BUF_INIT(REPLY_MAX)};
    if (!transfer.easy || set_connection(client, transfer.easy) < 0 ||
        set_credentials(client, transfer.easy) < 0 || set_request(client, &transfer) < 0 ||
        curl_multi_add_handle(client->multi, transfer.easy) != CURLM_OK) {
        fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "out of memory");
    } else {
        bool whole = drive(client, &transfer);
        read_head(&transfer);
        outcome = whole ? judge(client, &transfer, err) : FR_INTERRUPTED;
        (void)curl_multi_remove_handle(client->multi, transfer.easy);
    }
    curl_easy_cleanup(transfer.easy);
    curl_slist_free_all(transfer.headers);
    return outcome;
}

void fr_reply_done(struct fr_reply *reply)
{
    fr_buf_done(&reply->body);
}

void fr_client_put_escaped(struct fr_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-._~", c))
            fr_buf_putc(out, (char)c);
        else
            fr_buf_printf(out, "%%%02X", c);
    }
}
