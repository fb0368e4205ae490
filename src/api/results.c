// SPDX-License-Identifier: LGPL-3.0-only
#include "api/results.h"

#include <stdlib.h>
#include <string.h>

#include "api/problem.h"
#include "model/fluid.h"

/* Of all texts together. */
#define TEXTS_MAX (4u * 1024 * 1024)
/* Of one: as many problems as are kept of a job, with long words in them. */
#define TEXT_MAX 16384
/* Written to the stream at a time. */
#define CHUNK 32768

/* In place of a code: only tried, and could run. */
#define VALID FR_CODE_COUNT

struct result {
    uint64_t value;  /* the job's id, or where its text begins */
    uint32_t len;    /* of its text; 0: none was kept */
    uint16_t status; /* 0: not known yet */
    uint16_t code;   /* enum fr_code, of a failure; VALID */
};

struct fr_results {
    size_t count, told;
    bool as_list;
    struct fr_buf texts, scratch, out;
    struct result list[];
};

size_t fr_results_size(size_t most)
{
    return sizeof(struct fr_results) + most * sizeof(struct result) + TEXTS_MAX + CHUNK;
}

struct fr_results *fr_results_create(size_t most, bool as_list)
{
    /* Memory that is not touched costs nothing. */
    struct fr_results *results = calloc(1, sizeof *results + most * sizeof results->list[0]);

    if (!results)
        return NULL;
    results->as_list = as_list;
    fr_buf_init(&results->texts, TEXTS_MAX);
    fr_buf_init(&results->scratch, TEXT_MAX);
    fr_buf_init(&results->out, CHUNK + TEXT_MAX + 1024);
    return results;
}

void fr_results_free(struct fr_results *results)
{
    if (!results)
        return;
    fr_buf_done(&results->texts);
    fr_buf_done(&results->scratch);
    fr_buf_done(&results->out);
    free(results);
}

size_t fr_results_add(struct fr_results *results)
{
    return results->count++;
}

size_t fr_results_count(const struct fr_results *results)
{
    return results->count;
}

void fr_results_set_id(struct fr_results *results, size_t index, unsigned int status,
                       uint64_t id)
{
    results->list[index] = (struct result){.value = id, .status = (uint16_t)status};
}

void fr_results_set_valid(struct fr_results *results, size_t index)
{
    results->list[index] = (struct result){.status = 200, .code = VALID};
}

static void put_failure(enum fr_code code, const char *detail, struct fr_buf *to)
{
    fr_buf_printf(to, ",\"code\":\"%s\",\"detail\":", fr_code_word(code));
    fr_buf_put_json_string(to, detail);
}

/* Keeps the text in scratch, if it came to be and there is room for it. */
static void set_failure(struct fr_results *results, size_t index, enum fr_code code)
{
    struct fr_buf *text = &results->scratch, *texts = &results->texts;
    struct result result = {.status = (uint16_t)fr_problem_status(code),
                            .code = (uint16_t)code};

    if (fr_buf_status(text) == 0 && text->len <= TEXTS_MAX - texts->len) {
        result.value = texts->len;
        fr_buf_put(texts, text->data, text->len);
        if (fr_buf_status(texts) == 0)
            result.len = (uint32_t)text->len;
        else
            texts->failed = 0; /* what is there is still good */
    }
    results->list[index] = result;
}

void fr_results_set_error(struct fr_results *results, size_t index, const struct fr_error *err)
{
    fr_buf_reset(&results->scratch);
    put_failure(err->code, err->text, &results->scratch);
    fr_buf_puts(&results->scratch, ",\"errors\":[]");
    set_failure(results, index, err->code);
}

void fr_results_set_problems(struct fr_results *results, size_t index,
                             const struct fr_problems *problems)
{
    enum fr_code code = problems->count ? problems->items[0].code : FR_CODE_INVALID;

    fr_buf_reset(&results->scratch);
    put_failure(code, problems->count ? problems->items[0].detail : fr_code_title(code),
                &results->scratch);
    fr_problem_put_errors(&results->scratch, problems);
    set_failure(results, index, code);
}

static void put_result(const struct fr_results *results, size_t index, struct fr_buf *out)
{
    const struct result *result = &results->list[index];
    char f58[FR_FLUID_TEXT];

    if (results->as_list)
        fr_buf_putc(out, index ? ',' : '[');
    fr_buf_printf(out, "{\"index\":%zu,\"status\":%u", index, (unsigned int)result->status);
    if (result->len) {
        fr_buf_put(out, results->texts.data + result->value, result->len);
    } else if (result->status >= 300) {
        put_failure(result->code, fr_code_title(result->code), out);
        fr_buf_puts(out, ",\"errors\":[]");
    } else if (result->code == VALID) {
        fr_buf_puts(out, ",\"valid\":true");
    } else {
        fr_buf_puts(out, ",\"id\":");
        fr_buf_put_u64(out, result->value);
        fr_buf_printf(out, ",\"jobid\":\"%s\"", fr_fluid_f58(result->value, f58));
    }
    fr_buf_puts(out, "}\n");
}

int fr_results_tell(struct fr_results *results, struct fr_stream *stream)
{
    struct fr_buf *out = &results->out;

    for (;;) {
        while (out->len < CHUNK && results->told < results->count &&
               results->list[results->told].status)
            put_result(results, results->told++, out);
        if (out->len == 0)
            return 0;
        if (fr_buf_status(out) < 0)
            return fr_buf_status(out);
        int rc = fr_stream_write(stream, out->data, out->len);
        if (rc < 0)
            return rc;
        fr_buf_reset(out);
    }
}

bool fr_results_are_told(const struct fr_results *results)
{
    return results->told == results->count && results->out.len == 0;
}

int fr_results_tell_end(const struct fr_results *results, struct fr_stream *stream)
{
    const char *text = results->count ? "]\n" : "[]\n";

    return results->as_list ? fr_stream_write(stream, text, strlen(text)) : 0;
}
