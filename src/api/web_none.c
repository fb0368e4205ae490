// SPDX-License-Identifier: LGPL-3.0-only
/* What stands for the page where the daemon is built without it. */
#include "api/web.h"

const struct fr_web_file fr_web_files[1] = {{.name = ""}};
const size_t fr_web_count = 0;
