// SPDX-License-Identifier: LGPL-3.0-only
/* The table. Rows are in the order in which help and the man page show them. */
#include "cli/command.h"

#include <stdint.h>

#include "base/util.h"
#include "cli/run.h"

#define FLAG .type = FR_OPTION_FLAG
#define TEXT .type = FR_OPTION_TEXT
#define COUNT .type = FR_OPTION_COUNT
#define DURATION .type = FR_OPTION_DURATION
#define PAIRS .type = FR_OPTION_PAIRS, .many = true
#define END                                                                                    \
    {                                                                                          \
        .name = NULL                                                                           \
    }

/* clang-format off */
const struct fr_option fr_common_options[] = {
    {0, "url", "URL",
     "Where the server is: http://HOST:PORT, https://HOST:PORT or unix:/PATH. Default: the "
     "variable FLUX_RESTFUL_HOST, else http://127.0.0.1:5000.", TEXT},
    {0, "token-file", "FILE",
     "Read the token from FILE, which no other user may be able to read. Default: the variable "
     "FLUX_TOKEN; with FLUX_USER it goes as name and password, else as a bearer token.",
     TEXT, .offer = FR_OFFER_FILES},
    {0, "cacert", "FILE", "For https: trust the certificates in FILE instead of the system's.",
     TEXT, .offer = FR_OFFER_FILES},
    {0, "timeout", "TIME", "Longest time to wait for one answer. Default: 60s.", DURATION},
    {0, "json", NULL, "Print the server's own JSON, untouched.", FLAG},
    {0, "color", "WHEN",
     "Colours: auto (in a terminal, unless NO_COLOR is set), always or never.", TEXT,
     .words = "auto always never"},
    {'h', "help", NULL, "Print this help and end.", FLAG},
    {'V', "version", NULL, "Print the version and end.", FLAG},
    END};

/* Those of enum fr_exit. */
const struct fr_meaning fr_exit_meanings[] = {
    {"0", "What was asked for was done; for run and wait, the jobs did well."},
    {"1", "The server refused it, or a job did not do well."},
    {"2", "The command line is wrong; nothing was asked."},
    {"3", "No server was reached, or it broke off its answer."},
    {"4", "The server does not let us in, or not so far."},
    {"5", "The request was sent and no answer came: it may have been done."},
    {"125", "run itself failed; every other status of run is the job's own."},
    {"130", "Interrupted by Ctrl-C (as seen by a shell)."},
    {NULL, NULL}};

const struct fr_meaning fr_variables[] = {
    {"FLUX_RESTFUL_HOST", "Where the server is, as for --url."},
    {"FLUX_USER, FLUX_TOKEN",
     "Who we are to the server. The user who runs a daemon on this machine needs neither."},
    {"NO_COLOR", "If set and not empty: no colours, unless --color=always."},
    {"FLUX_F58_FORCE_ASCII", "If set: ids begin with f, not with the letter of F58."},
    {"http_proxy, https_proxy, no_proxy",
     "Proxies, as curl(1) takes them; not asked for a server on this machine."},
    {NULL, NULL}};

/* What a job is to be; named as for flux-submit(1). */
static const struct fr_option job_options[] = {
    {'n', "ntasks", "N", "Tasks to start. Default: 1.", COUNT, .field = "num_tasks"},
    {'N', "nodes", "N", "Nodes to run on.", COUNT, .field = "num_nodes"},
    {'c', "cores-per-task", "N", "Cores for each task. Default: 1.", COUNT,
     .field = "cores_per_task"},
    {'g', "gpus-per-task", "N", "GPUs for each task.", COUNT, .field = "gpus_per_task"},
    {'x', "exclusive", NULL, "With --nodes: have the nodes to itself.", FLAG,
     .field = "exclusive"},
    {'t', "time-limit", "TIME",
     "End the job after TIME: minutes, or a duration such as 90s, 1.5h or 2d.", TEXT},
    {'q', "queue", "NAME", "The queue to submit to.", TEXT, .field = "queue"},
    {'B', "bank", "NAME", "The bank to charge.", TEXT, .field = "bank"},
    {0, "urgency", "N", "0 to 31, hold, default or expedite.", TEXT, .field = "urgency",
     .words = "hold default expedite"},
    {0, "job-name", "NAME", "The job's name. Default: that of the program.", TEXT,
     .alias = "name", .field = "name"},
    {0, "cwd", "DIR",
     "The directory to run in. Default: the present one where the server is on this machine, "
     "else the server's.", TEXT, .field = "workdir", .offer = FR_OFFER_DIRS},
    {0, "env", "RULE",
     "A variable for the job: NAME=VALUE; NAME or a pattern of * and ?, with the values found "
     "here; -NAME takes it away.", TEXT, .many = true},
    {0, "dependency", "URI",
     "Wait for another job, such as afterok:ID.", TEXT, .many = true},
    {0, "requires", "CONSTRAINT",
     "Properties that the nodes must have, separated by commas, or an RFC 31 object in JSON.",
     TEXT, .alias = "constraint", .field = "constraints"},
    {'o', "setopt", "KEY[=VALUE]", "An option of the job shell.", PAIRS},
    {'S', "setattr", "user.KEY[=VALUE]", "A user attribute of the job; VALUE may be JSON.",
     PAIRS},
    {0, "rlimit", "NAME=VALUE", "A resource limit of the job, such as nofile=1024.", PAIRS},
    {0, "input", "FILE", "Standard input of the job: a text of at most 1 MiB; - is ours.", TEXT,
     .offer = FR_OFFER_FILES},
    {0, "output", "FILE", "Write standard output there, on the job's node.", TEXT,
     .field = "output", .offer = FR_OFFER_FILES},
    {0, "error", "FILE", "Write standard error there, on the job's node.", TEXT,
     .field = "error", .offer = FR_OFFER_FILES},
    {'l', "label-io", NULL, "Begin each line of output with its task's rank.", FLAG,
     .field = "label_io"},
    {'u', "unbuffered", NULL, "Pass output on at once.", FLAG, .field = "unbuffered"},
    END};

/* Which jobs; named as for flux-jobs(1). */
static const struct fr_option filter_options[] = {
    {'f', "filter", "WORDS",
     "Jobs in these states (depend, priority, sched, run, cleanup, inactive, pending, running, "
     "active) or with these results (completed, failed, canceled, timeout).", TEXT,
     .words = "pending running active inactive depend priority sched run cleanup completed "
              "failed canceled timeout"},
    {0, "name", "PATTERN", "Jobs whose name matches a pattern of * and ?.", TEXT},
    {'q', "queue", "NAME", "Jobs of that queue.", TEXT},
    {'u', "user", "NAME", "Jobs of that user; all: of everyone.", TEXT},
    END};

static const struct fr_option list_options[] = {
    {'a', "all", NULL, "Jobs in all states; without this, those that have not ended.", FLAG},
    {'c', "count", "N", "Most jobs to show. Default: 1000.", COUNT},
    {0, "since", "TIME",
     "Jobs submitted or ended since then: seconds since the epoch, 'YYYY-MM-DD HH:MM' or -90m. "
     "Implies --all.", TEXT},
    {0, "search", "TEXT", "Jobs with this text in id, name, command or nodes.", TEXT},
    {'o', "format", "FORMAT",
     "Columns: default, narrow, long, or a format such as "
     "'{id} {name:<20} {runtime!F:>8}'; 'help' lists the fields.", TEXT,
     .words = "default narrow long help"},
    {'n', "no-header", NULL, "No line of headings.", FLAG},
    {'w', "watch", NULL,
     "Show the list again as it changes, told by the server's events, until Ctrl-C.", FLAG},
    END};

static const struct fr_option submit_options[] = {
    {0, "key", "TEXT",
     "The request's Idempotency-Key: the same key again gives the first job's id, never a "
     "second job. Default: a random one.", TEXT},
    {0, "dry-run", NULL, "Only say whether the job could run.", FLAG},
    END};

static const struct fr_option bulk_options[] = {
    {0, "dry-run", NULL, "Only say whether the jobs could run.", FLAG},
    {0, "wait", NULL, "Wait until all have ended, and tell how many did well.", FLAG},
    END};

static const struct fr_option follow_options[] = {
    {'f', "follow", NULL, "Go on with what comes, until the job ends.", FLAG},
    END};

static const struct fr_option events_options[] = {
    {0, "event", "NAMES", "These events alone, with commas between them, such as start,clean.",
     TEXT},
    {0, "since", "CURSOR",
     "Begin after this place: the cursor of a list or of an event, or 0 for all that the server "
     "keeps.", TEXT},
    END};

static const struct fr_option cancel_options[] = {
    {0, "all", NULL, "All jobs of --filter, --name, --queue and --user that have not ended.",
     FLAG},
    {'m', "message", "TEXT", "Why, as a note that the job keeps.", TEXT},
    END};

static const struct fr_option kill_options[] = {
    {'s', "signal", "NAME", "The signal, by name or number. Default: TERM.", TEXT,
     .words = "TERM INT HUP KILL USR1 USR2 STOP CONT QUIT"},
    END};

static const struct fr_option nodes_options[] = {
    {'o', "format", "FORMAT", "Columns, such as '{name} {state}'.", TEXT},
    {'n', "no-header", NULL, "No line of headings.", FLAG},
    END};

static const struct fr_option drain_options[] = {
    {'m', "message", "TEXT", "Why, for those who list the nodes.", TEXT},
    END};

static const struct fr_option wait_options[] = {
    {'q', "quiet", NULL, "Say nothing of jobs that failed.", FLAG},
    END};

static const struct fr_option token_options[] = {
    {0, "role", "ROLE",
     "What a new token may: read, submit (and all that jobs can do) or admin. Default: read.",
     TEXT, .words = "read submit admin"},
    {0, "expires", "TIME",
     "When a new token ends: a duration such as 12h or 30d. Default: 90d.", DURATION},
    END};

static const struct fr_option stop_options[] = {
    {0, "keep-instance", NULL, "End the daemon alone, not the Flux instance.", FLAG},
    {0, "drain", NULL, "When no job runs any more; nothing is submitted meanwhile.", FLAG},
    {0, "cancel", NULL,
     "When all jobs have ended, for which they are cancelled; nothing is submitted meanwhile.",
     FLAG},
    END};

const struct fr_command fr_commands[] = {
    {"submit", "PROGRAM [ARGUMENT]...", "Submit a job and print its id.",
     "Submits a job and prints its id. Where no answer comes, the request is sent again with "
     "the same key, so that the job is never doubled.",
     "flux-rest submit -n4 ./simulate --steps 100\n"
     "flux-rest submit --dependency=afterok:f2oU -t 10 ./evaluate",
     {job_options, submit_options}, 1, SIZE_MAX, true, fr_run_submit},
    {"run", "PROGRAM [ARGUMENT]...", "Run a job: show its output, end with its exit code.",
     "Submits a job, shows what it writes as it comes, and ends with the job's exit code: 128 "
     "and the signal's number for a job that a signal ended, 125 where flux-rest itself could "
     "not do it. Ctrl-C cancels the job; pressed twice it leaves the job as it is.\n"
     "With --json the job's output is not shown, and the job as it ended is printed.",
     "flux-rest run -n2 hostname\n"
     "flux-rest run --env=OMP_NUM_THREADS=4 -c4 ./solver input.dat",
     {job_options, submit_options}, 1, SIZE_MAX, true, fr_run_run},
    {"bulksubmit", "[FILE]", "Submit a job for each line of a file.",
     "Reads FILE, or standard input, and submits each line as a job: a command as a shell "
     "would split it, or a JSON object with the fields of a submit. Blank lines and those that "
     "begin with # are passed over; options count for every line that does not say otherwise. "
     "Prints the ids in the order of the lines; a line that is refused is told on standard "
     "error, and the others are submitted all the same.",
     "seq 100 | sed 's/^/.\\/simulate --seed /' | flux-rest bulksubmit -n2\n"
     "flux-rest bulksubmit --wait jobs.txt",
     {job_options, bulk_options}, 0, 1, false, fr_run_bulksubmit},
    {"jobs", "[ID]...", "List jobs.",
     "Lists the jobs that have not ended, or those that are named: waiting, running, then "
     "finished with the newest first.",
     "flux-rest jobs -a --name 'sim*'\n"
     "flux-rest jobs -f failed --since=-1d -o '{id} {returncode} {command}'",
     {list_options, filter_options}, 0, 1000, false, fr_run_jobs},
    {"job", "ID...", "Show one job in detail.",
     "Shows all that matters of a job; of one that waits, also what it waits for.",
     "flux-rest job f2oWjGy5m",
     {NULL}, 1, 1000, false, fr_run_job},
    {"output", "ID", "Show what a job has written.",
     "Shows what a job has written so far, as the bytes that it wrote, on standard output and "
     "standard error as it did. With --follow it goes on until the job ends, also over "
     "connections that break and a daemon that is started again: no byte is lost or comes "
     "twice.",
     "flux-rest output f2oWjGy5m\n"
     "flux-rest output --follow f2oWjGy5m | grep step",
     {follow_options}, 1, 1, false, fr_run_output},
    {"events", "[ID]", "Show what happens to jobs, as it happens.",
     "Shows the events of jobs, a line each: time, job, the job's state after it, and what "
     "happened; from now on, or after --since, until Ctrl-C. With an ID all events of that job, "
     "from its first on, until it has ended. A connection that breaks is made anew, and no event "
     "is missed or comes twice, also when the daemon is started again.\n"
     "With --json each line is an event as the server tells it; its cursor is what --since "
     "takes.",
     "flux-rest events --event=start,clean\n"
     "flux-rest events --json --name 'sim*' | jq -r .name",
     {events_options, filter_options}, 0, 1, false, fr_run_events},
    {"wait", "ID...", "Wait until jobs have ended.",
     "Waits until all the jobs have ended, with a progress bar in a terminal. Ends with 0 if "
     "all did well, with 1 if one failed, timed out or was canceled; with one id that job is "
     "named.",
     "flux-rest wait $(flux-rest bulksubmit jobs.txt)",
     {wait_options}, 1, 1000000, false, fr_run_wait},
    {"cancel", "[ID]...", "Cancel jobs.",
     "Asks for jobs to be cancelled: those named, or with --all those that the filter picks.",
     "flux-rest cancel f2oWjGy5m f2oWk8zR\n"
     "flux-rest cancel --all --name 'sim*' -f pending",
     {cancel_options, filter_options}, 0, 1000000, false, fr_run_cancel},
    {"kill", "ID...", "Send a signal to running jobs.",
     "Sends a signal to the tasks of running jobs.",
     "flux-rest kill -s USR1 f2oWjGy5m",
     {kill_options}, 1, 1000000, false, fr_run_kill},
    {"urgency", "ID VALUE", "Set a job's urgency.",
     "Sets the urgency of a waiting job: 0 to 31, hold, default or expedite.",
     "flux-rest urgency f2oWjGy5m hold\n"
     "flux-rest urgency f2oWjGy5m 20",
     {NULL}, 2, 2, false, fr_run_urgency},
    {"duration", "ID TIME", "Set a job's time limit.",
     "Sets the time limit of a waiting or running job, counted from its start: seconds or a "
     "duration such as 90s, 1.5h or 2d; 0: none.",
     "flux-rest duration f2oWjGy5m 2h",
     {NULL}, 2, 2, false, fr_run_duration},
    {"nodes", "", "List nodes and what is free on them.",
     "Lists the nodes with state, cores and GPUs, in use and in all.",
     "flux-rest nodes\n"
     "flux-rest nodes -n -o '{name} {state}'",
     {nodes_options}, 0, 0, false, fr_run_nodes},
    {"drain", "NODES", "Take nodes out of service.",
     "Takes nodes out of service, by hostlist or ranks: jobs that run there go on, and no other "
     "is started.",
     "flux-rest drain -m 'new memory' node[3-5]",
     {drain_options}, 1, 1, false, fr_run_drain},
    {"undrain", "NODES", "Put nodes back into service.",
     "Puts nodes that are drained back into service.",
     "flux-rest undrain node[3-5]",
     {NULL}, 1, 1, false, fr_run_undrain},
    {"queues", "", "List queues.",
     "Lists the queues: whether they take and start jobs, limits, and jobs.",
     "flux-rest queues",
     {nodes_options}, 0, 0, false, fr_run_queues},
    {"token", "list|create|revoke [NAME]", "Make, list and revoke tokens.",
     "Lists the server's tokens, makes one and prints it, or revokes one. A token lets whoever "
     "has it do what its role says until it ends. It is told once: the server keeps a hash "
     "alone. Use it as FLUX_TOKEN, or from a file with --token-file.",
     "flux-rest token create --role=submit --expires=30d nightly\n"
     "flux-rest token revoke nightly",
     {token_options}, 1, 2, false, fr_run_token},
    {"info", "", "Show what runs at the other end, and who you are to it.",
     "Shows the server's version, engine, size and jobs, and what you may do there.",
     "flux-rest info\n"
     "flux-rest --url unix:/run/user/1000/flux-restd.sock info",
     {NULL}, 0, 0, false, fr_run_info},
    {"stop", "", "Stop the server, and with Flux the instance.",
     "Stops the daemon. Beside Flux the instance ends too, and with it its jobs; jobs of the "
     "local engine go on. With --drain or --cancel it goes on until jobs have ended; 'flux-rest "
     "stop' without them ends it at once all the same.",
     "flux-rest stop\n"
     "flux-rest stop --keep-instance --drain",
     {stop_options}, 0, 0, false, fr_run_stop},
};
/* clang-format on */

const size_t fr_commands_count = FR_ARRAY_SIZE(fr_commands);
