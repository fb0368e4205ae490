// SPDX-License-Identifier: LGPL-3.0-only
#include "base/settings_table.h"

#include <string.h>

#include "base/log.h"
#include "base/settings.h"
#include "base/text.h"
#include "base/util.h"

#define K 1024ULL
#define M (1024ULL * K)
#define G (1024ULL * M)

#define NAME_MAX_LEN 40 /* no name in the table is longer */

static const struct fr_setting_choice engines[] = {
    {"auto", FR_ENGINE_AUTO}, {"local", FR_ENGINE_LOCAL}, {"flux", FR_ENGINE_FLUX}, {NULL, 0}};

static const struct fr_setting_choice auths[] = {
    {"credentials", FR_AUTH_CREDENTIALS}, {"none", FR_AUTH_NONE}, {NULL, 0}};

static const struct fr_setting_choice log_levels[] = {
    {"error", FR_LOG_ERR}, {"warning", FR_LOG_WARNING}, {"notice", FR_LOG_NOTICE},
    {"info", FR_LOG_INFO}, {"debug", FR_LOG_DEBUG},     {NULL, 0}};

#define AT(member) .offset = offsetof(struct fr_settings, member)

#define STRING(member_) .type = FR_SETTING_STRING, AT(member_)
#define LIST(member_) .type = FR_SETTING_LIST, AT(member_)
#define BOOL(member_) .type = FR_SETTING_BOOL, AT(member_)
#define UINT(member_, min_, max_) .type = FR_SETTING_UINT, AT(member_), .min = min_, .max = max_
#define SIZE(member_, min_, max_) .type = FR_SETTING_SIZE, AT(member_), .min = min_, .max = max_
#define CHOICE(member_, list) .type = FR_SETTING_CHOICE, AT(member_), .choices = list

/* clang-format off */
const struct fr_setting fr_settings_table[] = {
    {"Listening", "listen", "ADDRESS",
     "Listen at ADDR:PORT, [V6]:PORT or unix:PATH. May be given several times (separated by "
     "commas in the environment). Replaces --host and --port. Sockets that a service manager "
     "passes (LISTEN_FDS) replace all three.",
     {"FLUX_RESTD_LISTEN"}, LIST(listen), .preset_doc = "host and port below"},
    {"Listening", "host", "ADDR", "Address to listen at.",
     {"FLUX_RESTD_HOST", "HOST"}, STRING(host), .preset = "127.0.0.1"},
    {"Listening", "port", "NUMBER", "Port to listen at; 0 takes a free one.",
     {"FLUX_RESTD_PORT", "PORT"}, UINT(port, 0, 65535), .preset = "5000"},
    {"Listening", "allow-host", "NAME",
     "One more name by which clients may address this server (the Host header). May be given "
     "several times.",
     {"FLUX_RESTD_ALLOW_HOST"}, LIST(allow_host)},

    {"Listening", "tls-cert", "FILE",
     "Speak TLS, 1.2 or 1.3, at every address that is no Unix socket: the certificate in PEM form, "
     "followed by those between it and its authority. Read again on SIGUSR1, like the key. Links are "
     "followed to both.",
     {"FLUX_RESTD_TLS_CERT"}, STRING(tls_cert)},
    {"Listening", "tls-key", "FILE",
     "The certificate's key in PEM form, which no other user may be able to read (mode 0600).",
     {"FLUX_RESTD_TLS_KEY"}, STRING(tls_key)},

    {"Engine", "engine", "NAME",
     "What runs the jobs: flux, local (this machine), or auto: flux where an instance is found "
     "and local otherwise.",
     {"FLUX_RESTD_ENGINE"}, CHOICE(engine, engines), .preset = "auto"},
    {"Engine", "flux-uri", "URI", "The Flux instance to serve.",
     {"FLUX_RESTD_FLUX_URI"}, STRING(flux_uri), .preset_doc = "as Flux finds it, by FLUX_URI"},
    {"Engine", "flux-requests", "NUMBER",
     "Most requests to Flux that wait for their answer at a time; more are refused.",
     {"FLUX_RESTD_FLUX_REQUESTS"}, UINT(flux_requests, 1, 16384), .preset = "4096"},
    {"Engine", "flux-seconds", "NUMBER",
     "Time for Flux to answer a request. Flux counts as lost when nothing is heard of it for a "
     "third of that.",
     {"FLUX_RESTD_FLUX_SECONDS"}, UINT(flux_seconds, 1, 30), .preset = "30"},
    {"Engine", "state-dir", "DIR", "Where the local engine keeps its jobs, and the daemon the hashes of its scoped tokens.",
     {"FLUX_RESTD_STATE_DIR"}, STRING(state_dir),
     .preset_doc = "flux-restd in XDG_STATE_HOME or ~/.local/state"},
    {"Engine", "shell", "FILE", "The local engine's job shell.",
     {"FLUX_RESTD_SHELL"}, STRING(shell), .preset_doc = "the one built with the daemon"},
    {"Engine", "cores", "NUMBER", "Cores that the local engine may give to jobs; 0: all.",
     {"FLUX_RESTD_CORES"}, UINT(cores, 0, 65536), .preset = "0"},
    {"Engine", "gpus", "NUMBER",
     "GPUs that the local engine may give to jobs, make-believe ones where there are fewer; 0: all.",
     {"FLUX_RESTD_GPUS"}, UINT(gpus, 0, 65536), .preset = "0"},
    {"Engine", "keep-jobs", "NUMBER",
     "Ended jobs that the local engine keeps, with their output; 0: all.",
     {"FLUX_RESTD_KEEP_JOBS"}, UINT(keep_jobs, 0, 100000000), .preset = "100000"},
    {"Engine", "keep-days", "NUMBER",
     "Days that the local engine keeps a job after its end; 0: for ever.",
     {"FLUX_RESTD_KEEP_DAYS"}, UINT(keep_days, 0, 36500), .preset = "30"},
    {"Engine", "check-store", NULL,
     "Read all that the local engine keeps in --state-dir, say what is wrong with it, and end: with "
     "0 if nothing is, with 1 otherwise. No daemon may be using it.",
     {"FLUX_RESTD_CHECK_STORE"}, BOOL(check_store), .preset = "false"},
    {"Engine", "output-max", "SIZE",
     "Output that the local engine keeps of one job; more is cut off, with a mark.",
     {"FLUX_RESTD_OUTPUT_MAX"}, SIZE(output_max, 4 * K, 1024 * G), .preset = "256M"},

    {"Access", "require-auth", NULL,
     "Demand credentials of everyone, also of this user on this machine.",
     {"FLUX_RESTD_REQUIRE_AUTH", "FLUX_REQUIRE_AUTH", "FLUX_USER_AUTH"}, BOOL(require_auth),
     .preset = "false"},
    {"Access", "user", "NAME", "User name that goes with the token.",
     {"FLUX_RESTD_USER", "FLUX_USER"}, STRING(user)},
    {"Access", "token", "TEXT",
     "The token that clients present. A secret: taken from the environment or from a private "
     "config file, never from the command line.",
     {"FLUX_RESTD_TOKEN", "FLUX_TOKEN"}, STRING(token), .secret = true},
    {"Access", "token-file", "FILE",
     "Read the token from FILE, which no other user may be able to read (mode 0600).",
     {"FLUX_RESTD_TOKEN_FILE"}, STRING(token_file)},
    {"Access", "secret-key", "TEXT",
     "The key with which clients of release 0.2 sign what they ask POST /v1/token for an access "
     "token with. A secret, as the token is.",
     {"FLUX_RESTD_SECRET_KEY", "FLUX_SECRET_KEY"}, STRING(secret_key), .secret = true},
    {"Access", "secret-key-file", "FILE",
     "Read the secret key from FILE, which no other user may be able to read (mode 0600).",
     {"FLUX_RESTD_SECRET_KEY_FILE"}, STRING(secret_key_file)},
    {"Access", "access-minutes", "NUMBER", "How long such an access token holds.",
     {"FLUX_RESTD_ACCESS_MINUTES", "FLUX_ACCESS_TOKEN_EXPIRES_MINUTES"},
     UINT(access_minutes, 1, 525600), .preset = "600"},
    {"Access", "auth", "WHO",
     "credentials: no one beyond this machine gets in without them; none: anyone who reaches "
     "the server may run commands as its user.",
     {"FLUX_RESTD_AUTH"}, CHOICE(auth, auths), .preset = "credentials"},

    {"Limits", "header-max", "SIZE", "Largest request line and headers together.",
     {"FLUX_RESTD_HEADER_MAX"}, SIZE(header_max, 4 * K, 16 * M), .preset = "8K"},
    {"Limits", "body-max", "SIZE", "Largest body of a request. Lines of jobs are taken as they come, 1 MiB each at most.",
     {"FLUX_RESTD_BODY_MAX"}, SIZE(body_max, K, 4 * G), .preset = "16M"},
    {"Limits", "replies-max", "SIZE", "Memory for replies that wait to be sent, in all.",
     {"FLUX_RESTD_REPLIES_MAX"}, SIZE(replies_max, M, 64 * G), .preset = "512M"},
    {"Limits", "parameters", "NUMBER", "Most query parameters, and most headers, of a request.",
     {"FLUX_RESTD_PARAMETERS"}, UINT(parameters, 16, 10000), .preset = "128"},
    {"Limits", "json-depth", "NUMBER", "Deepest nesting of a JSON body.",
     {"FLUX_RESTD_JSON_DEPTH"}, UINT(json_depth, 8, 1024), .preset = "64"},
    {"Limits", "bulk-jobs", "NUMBER", "Most jobs of one request.",
     {"FLUX_RESTD_BULK_JOBS"}, UINT(bulk_jobs, 1, 1000000), .preset = "100000"},
    {"Limits", "connections", "NUMBER", "Most connections at a time.",
     {"FLUX_RESTD_CONNECTIONS"}, UINT(connections, 1, 100000), .preset = "1000"},
    {"Limits", "connections-per-address", "NUMBER",
     "Most connections of one peer at a time: of a user on this machine, else of an address.",
     {"FLUX_RESTD_CONNECTIONS_PER_ADDRESS"}, UINT(connections_per_address, 1, 100000),
     .preset = "500"},
    {"Limits", "streams", "NUMBER",
     "Most streams of events and of output at a time, plain text apart.",
     {"FLUX_RESTD_STREAMS"}, UINT(streams, 1, 100000), .preset = "800"},
    {"Limits", "streams-per-client", "NUMBER", "Most of them of one user at one address.",
     {"FLUX_RESTD_STREAMS_PER_CLIENT"}, UINT(streams_per_client, 1, 100000), .preset = "200"},
    {"Limits", "failed-sign-ins", "NUMBER",
     "Most sign-ins of one peer that may fail in a minute, the same wrong ones counted once; then "
     "no credentials are taken from there for a while.",
     {"FLUX_RESTD_FAILED_SIGN_INS"}, UINT(sign_ins, 1, 1000000), .preset = "10"},
    {"Limits", "request-seconds", "NUMBER", "Time for a whole request to arrive.",
     {"FLUX_RESTD_REQUEST_SECONDS"}, UINT(request_seconds, 1, 86400), .preset = "60"},
    {"Limits", "handshake-seconds", "NUMBER",
     "Of that, time for a new connection's TLS handshake and first request line.",
     {"FLUX_RESTD_HANDSHAKE_SECONDS"}, UINT(handshake_seconds, 1, 86400), .preset = "10"},
    {"Limits", "idle-seconds", "NUMBER", "Time that a connection may stay without a request.",
     {"FLUX_RESTD_IDLE_SECONDS"}, UINT(idle_seconds, 1, 86400), .preset = "75"},
    {"Limits", "reply-seconds", "NUMBER",
     "Time that a client may take nothing of a reply that is being sent.",
     {"FLUX_RESTD_REPLY_SECONDS"}, UINT(reply_seconds, 1, 86400), .preset = "60"},
    {"Limits", "grace-seconds", "NUMBER", "Time for replies to finish when the daemon ends.",
     {"FLUX_RESTD_GRACE_SECONDS"}, UINT(grace_seconds, 0, 3600), .preset = "5"},
    {"Limits", "events-max", "SIZE", "Memory for the texts of past events.",
     {"FLUX_RESTD_EVENTS_MAX"}, SIZE(events_max, 64 * K, 64 * G), .preset = "64M"},

    {"General", "config", "FILE",
     "Read settings from FILE: lines of `name = value` with the names of these options, # "
     "begins a comment. No one else may be able to write it, nor to read it if it holds a "
     "secret.",
     {"FLUX_RESTD_CONFIG"}, .type = FR_SETTING_FILE},
    {"General", "log-level", "LEVEL", "Least level of messages to log on standard error.",
     {"FLUX_RESTD_LOG_LEVEL"}, CHOICE(log_level, log_levels), .preset = "info"},
    {"General", "access-log", NULL, "Log each request.",
     {"FLUX_RESTD_ACCESS_LOG"}, BOOL(access_log), .preset = "true"},
    {"General", "audit-log", "FILE",
     "Note in FILE who did what to which job from where, as lines of JSON; none: nowhere; -: on "
     "standard error, where jobs, which run as the same user, cannot change it.",
     {"FLUX_RESTD_AUDIT_LOG"}, STRING(audit_log), .preset_doc = "audit.log in --state-dir"},
    {"General", "audit-max", "SIZE",
     "Largest audit log: beyond that it is renamed to FILE.1, in place of the one before.",
     {"FLUX_RESTD_AUDIT_MAX"}, SIZE(audit_max, 64 * K, 64 * G), .preset = "16M"},
    {"General", "confine", NULL,
     "Leave no core and let no debugger in; beside Flux, give up starting programs and more for "
     "good. --no-confine is for debugging.",
     {"FLUX_RESTD_CONFINE"}, BOOL(confine), .preset = "true"},
};
/* clang-format on */

const size_t fr_settings_count = FR_ARRAY_SIZE(fr_settings_table);

const struct fr_setting *fr_settings_find(const char *name, size_t len)
{
    for (size_t i = 0; i < fr_settings_count; i++) {
        const char *known = fr_settings_table[i].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return &fr_settings_table[i];
    }
    return NULL;
}

const char *fr_settings_nearest(const char *name, size_t len)
{
    const char *names[FR_ARRAY_SIZE(fr_settings_table)];
    char text[NAME_MAX_LEN + 1];

    if (len > NAME_MAX_LEN)
        return NULL;
    memcpy(text, name, len);
    text[len] = '\0';
    for (size_t i = 0; i < fr_settings_count; i++)
        names[i] = fr_settings_table[i].name;
    return fr_text_nearest(text, names, fr_settings_count);
}

const char *const *fr_settings_private_env(void)
{
    /* Not settings, but as little of a job's business: the service manager's. */
    static const char *const others[] = {
        "NOTIFY_SOCKET", "WATCHDOG_PID",   "WATCHDOG_USEC",
        "LISTEN_PID",    "LISTEN_FDS",     "LISTEN_FDNAMES",
        "INVOCATION_ID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY",
    };
    static const char *names[FR_ARRAY_SIZE(fr_settings_table) * FR_SETTING_ENV_MAX +
                             FR_ARRAY_SIZE(others) + 1];
    size_t n = 0;

    if (names[0])
        return names;
    for (size_t i = 0; i < fr_settings_count; i++) {
        const char *const *env = fr_settings_table[i].env;
        for (size_t k = 0; k < FR_SETTING_ENV_MAX && env[k]; k++)
            names[n++] = env[k];
    }
    for (size_t i = 0; i < FR_ARRAY_SIZE(others); i++)
        names[n++] = others[i];
    return names;
}
