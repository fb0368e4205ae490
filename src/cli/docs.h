// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Man pages and completions out of the tables; for the program that makes them at build time.
 */
#ifndef FR_CLI_DOCS_H
#define FR_CLI_DOCS_H

#include "base/buf.h"

void fr_docs_put_man_client(struct fr_buf *out);
void fr_docs_put_man_daemon(struct fr_buf *out);
void fr_docs_put_settings(struct fr_buf *out);
void fr_docs_put_bash(struct fr_buf *out);
void fr_docs_put_zsh(struct fr_buf *out);

#endif
