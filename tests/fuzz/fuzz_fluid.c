// SPDX-License-Identifier: LGPL-3.0-only
/* Any text as a job id: what can be read comes back the same from its F58 form. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/fluid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char f58[FR_FLUID_TEXT];
    uint64_t id, again;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (fr_fluid_parse(text, &id) == 0) {
        if (id == FR_FLUID_ANY)
            abort();
        if (fr_fluid_parse(fr_fluid_f58(id, f58), &again) != 0 || again != id)
            abort();
    }
    free(text);
    return 0;
}
