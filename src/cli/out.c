// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/out.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/display.h"
#include "cli/signals.h"

#define SAY_MAX (64 * 1024)
#define BAR_MAX 40 /* columns of the bar itself */

static bool bar_is_shown;

int fr_out_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EPIPE) {
            fr_signals_die(SIGPIPE);
        } else if (errno == EAGAIN) { /* whoever shares it made it so */
            struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
            (void)poll(&pollfd, 1, 1000);
        } else if (errno != EINTR) {
            int saved = errno;
            if (fd != STDERR_FILENO)
                fr_say("cannot write standard output: %s", strerror(saved));
            return -saved;
        }
        if (len > 0 && fr_signals_gave_up())
            return -EINTR;
    }
    return 0;
}

int fr_out_flush(struct fr_buf *buf)
{
    int r = fr_buf_status(buf);

    if (r == 0)
        r = fr_out_write(STDOUT_FILENO, buf->data, buf->len);
    else
        fr_say("out of memory");
    fr_buf_reset(buf);
    return r;
}

static __attribute__((format(printf, 2, 0))) void say(const char *before, const char *fmt,
                                                      va_list ap)
{
    struct fr_buf text = FR_BUF_INIT(SAY_MAX), line = FR_BUF_INIT(4 * SAY_MAX);

    fr_progress_clear();
    fr_buf_vprintf(&text, fmt, ap);
    fr_buf_puts(&line, before);
    fr_display_put(&line, text.data ? text.data : "(no memory to say it)");
    fr_buf_putc(&line, '\n');
    if (fr_buf_status(&line) == 0)
        (void)fr_out_write(STDERR_FILENO, line.data, line.len);
    fr_buf_done(&text);
    fr_buf_done(&line);
}

void fr_say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("flux-rest: ", fmt, ap);
    va_end(ap);
}

void fr_say_more(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("  ", fmt, ap);
    va_end(ap);
}

/* The size of the terminal at fd; all zero if it is none. */
static struct winsize terminal_size(int fd)
{
    struct winsize size = {0};

    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return (struct winsize){0};
    if (size.ws_col == 0) /* a terminal that does not know */
        size.ws_col = 80;
    if (size.ws_row == 0)
        size.ws_row = 24;
    return size;
}

size_t fr_out_columns(void)
{
    return terminal_size(STDOUT_FILENO).ws_col;
}

size_t fr_out_lines(void)
{
    return terminal_size(STDOUT_FILENO).ws_row;
}

bool fr_out_color(const char *when)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return fr_out_columns() > 0 && !(no_color && *no_color) &&
           !(term && strcmp(term, "dumb") == 0);
}

void fr_progress_show(size_t done, size_t total, const char *note)
{
    struct fr_buf line = FR_BUF_INIT(4096), tail = FR_BUF_INIT(1024);
    size_t columns = terminal_size(STDERR_FILENO).ws_col;

    if (columns < 10)
        return;
    if (total > 0)
        fr_buf_printf(&tail, " %zu/%zu", done, total);
    else
        fr_buf_printf(&tail, "%zu", done);
    fr_buf_printf(&tail, "%s%s", *note ? "  " : "", note);
    fr_buf_puts(&line, "\r\033[K");
    size_t room = tail.len + 4 < columns ? columns - tail.len - 3 : 0;
    if (room > BAR_MAX)
        room = BAR_MAX;
    if (total > 0 && room >= 5) {
        size_t full = done < total ? done * room / total : room;
        fr_buf_putc(&line, '[');
        for (size_t i = 0; i < room; i++)
            fr_buf_putc(&line, i < full ? '#' : '.');
        fr_buf_putc(&line, ']');
    }
    fr_display_put_cut(&line, tail.data ? tail.data : "", columns - 1);
    if (fr_buf_status(&line) == 0)
        (void)fr_out_write(STDERR_FILENO, line.data, line.len);
    bar_is_shown = true;
    fr_buf_done(&line);
    fr_buf_done(&tail);
}

void fr_progress_clear(void)
{
    if (bar_is_shown)
        (void)fr_out_write(STDERR_FILENO, "\r\033[K", 4);
    bar_is_shown = false;
}
