// SPDX-License-Identifier: LGPL-3.0-only
/* Writes one of the files that are made out of the tables. Not installed. */
#include "cli/docs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define DOC_MAX (1U << 20)

static const struct {
    const char *name;
    void (*put)(struct fr_buf *out);
} docs[] = {
    {"flux-rest.1", fr_docs_put_man_client}, {"flux-restd.8", fr_docs_put_man_daemon},
    {"settings.md", fr_docs_put_settings},   {"flux-rest.bash", fr_docs_put_bash},
    {"_flux-rest", fr_docs_put_zsh},
};

int main(int argc, char **argv)
{
    struct fr_buf out = FR_BUF_INIT(DOC_MAX);

    for (size_t i = 0; argc == 2 && i < FR_ARRAY_SIZE(docs); i++) {
        if (strcmp(argv[1], docs[i].name) == 0)
            docs[i].put(&out);
    }
    if (out.len == 0 || fr_buf_status(&out) < 0) {
        fprintf(stderr, "usage: flux-rest-docs flux-rest.1|flux-restd.8|flux-rest.bash|"
                        "_flux-rest|settings.md\n");
        return EXIT_FAILURE;
    }
    bool good = fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    fr_buf_done(&out);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
