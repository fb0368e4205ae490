// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The folder of one job: how the local engine and the job shell speak with each other.
 *
 * This is a format on disk. Shells of an older version meet a newer daemon (they live as long
 * as their jobs), so a change here needs a new FR_FOLDER_VERSION and code for both. It is plain
 * C without any library, for the shell links nothing but libc.
 *
 *   job     written by the daemon before it spawns a shell: records, each a tag character and a
 *           text that ends with NUL; see FR_TAG_. The last is FR_TAG_END.
 *   claim   who runs the job: lines "flux-restd claim <version>", "pid <pid>", "start <time>",
 *           "place <fr_folder_place()>". The shell leads a session.
 *           The shell writes and locks (flock) a file of another name and links it to this one,
 *           so the name is given once in a job's life and never without its lock. The lock is
 *           held for as long as the shell lives. pid 0: nobody, the job is never to start.
 *   output  frames, see struct fr_frame. Only the holder of the claim writes it.
 *   limit   appears by rename when the time limit is changed: seconds from the start of the
 *           job, 0 is none. The shell reads it when it is told to by FR_RELAY_LIMIT.
 *   result  appears by rename when all is over: lines "flux-restd result <version>",
 *           "status <wait status>", "end <time>", and for each exception
 *           "exception <time> <type> <note>".
 *   news    such exception lines, as they happen; the result has them all again.
 *   stdin   written by the daemon, if the job has a text for its standard input.
 *   tmp     a directory for the job, gone when it has ended (FLUX_JOB_TMPDIR).
 *   bell    a FIFO that the daemon listens at. The shell puts a byte into it when it has
 *           claimed the job and when there are news; if nobody listens, the next daemon looks
 *           by itself.
 *
 * Times are seconds since the epoch with six decimals.
 *
 * Signals to the shell: SIGTERM ends the job (SIGTERM to its tasks, SIGKILL five seconds
 * later); FR_SIGNAL_RELAY with a value (sigqueue) sends the signal of that number to the tasks,
 * or, with the value FR_RELAY_LIMIT, says that there is a new time limit.
 */
#ifndef FR_SHELL_FOLDER_H
#define FR_SHELL_FOLDER_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FR_FOLDER_VERSION 1

#define FR_FOLDER_JOB "job"
#define FR_FOLDER_CLAIM "claim"
#define FR_FOLDER_OUTPUT "output"
#define FR_FOLDER_RESULT "result"
#define FR_FOLDER_LIMIT "limit"
#define FR_FOLDER_NEWS "news"
#define FR_FOLDER_BELL "bell"
#define FR_FOLDER_TMP "tmp"
#define FR_FOLDER_STDIN "stdin"

#define FR_CLAIM_TITLE "flux-restd claim "
#define FR_RESULT_TITLE "flux-restd result "

#define FR_SIGNAL_RELAY (SIGRTMIN + 1)
#define FR_RELAY_LIMIT 0

/* Exit code of a shell that could not take the job for a lack that passes: start it later. */
#define FR_SHELL_LATER 75

/* Tags of the records of a job's description. Unknown ones are passed over. */
enum fr_tag {
    FR_TAG_VERSION = 'V', /* FR_FOLDER_VERSION; the first record */
    FR_TAG_JOBID = 'i',   /* F58 */
    FR_TAG_NTASKS = 'n',
    FR_TAG_CWD = 'd',
    FR_TAG_TMPDIR = 'T',     /* the folder's tmp as an absolute path */
    FR_TAG_LIMIT = 't',      /* seconds, 0 is none */
    FR_TAG_OUTPUT_MAX = 'o', /* bytes of the output file */
    FR_TAG_CPUS = 'c',       /* CPU numbers with commas; absent: not bound */
    FR_TAG_UMASK = 'u',      /* octal */
    FR_TAG_NOFILE = 'f',     /* soft limit of open files */
    FR_TAG_STDIN = 's',      /* a file to read; absent: nothing */
    /*
     * Files to write, absent: the output. {{taskid}}, {{task.id}}, {{task.rank}},
     * {{task.index}} and {{task.localid}} stand for the task's rank.
     */
    FR_TAG_STDOUT = 'O',
    FR_TAG_STDERR = 'E',
    FR_TAG_FILES = 'm',  /* how they are written: 'a' append, 'l' and 'L' label each line of
                            stdout and stderr, 'b' and 'B' whole lines alone of stdout, stderr */
    FR_TAG_RLIMIT = 'r', /* NAME=soft limit, names as in RFC 25's shell option; -1: none */
    FR_TAG_ARG = 'a',    /* one word of the command */
    FR_TAG_ENV = 'e',    /* NAME=value */
    FR_TAG_END = 'z'
};

/*
 * One piece of output: this header, then len bytes. Numbers are in the machine's own order,
 * for the file does not leave it. The mark tells where in the file the frame stands, so that a
 * reader can tell a border between frames from any other place.
 */
struct fr_frame {
    uint32_t mark;   /* fr_frame_mark() of the header's place in the file */
    uint32_t stream; /* enum fr_stream */
    uint32_t rank;
    uint32_t len; /* at most FR_FRAME_MAX */
};

enum fr_stream {
    FR_STREAM_OUT = 1,
    FR_STREAM_ERR = 2,
    FR_STREAM_OUT_FILE = 3, /* stdout goes to the file of this name */
    FR_STREAM_ERR_FILE = 4
};

#define FR_FRAME_MAX 32768U

#define FR_PLACE_TEXT 80

/*
 * Where process ids mean what they mean here: this boot of the machine and this PID namespace.
 * Writes "<boot id> <namespace>", or "" where that cannot be known.
 */
static inline void fr_folder_place(char text[FR_PLACE_TEXT])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, 36) : -1;
    struct stat st;

    if (fd >= 0)
        (void)close(fd);
    if (n == 36 && stat("/proc/self/ns/pid", &st) == 0)
        (void)snprintf(text + n, FR_PLACE_TEXT - 36, " %llu", (unsigned long long)st.st_ino);
    else
        text[0] = '\0';
}

static inline uint32_t fr_frame_mark(uint64_t place)
{
    return 0x46724f31U ^ (uint32_t)place ^ (uint32_t)(place >> 32);
}

#endif
