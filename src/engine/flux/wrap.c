// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/flux/wrap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *fr_flux_base64_encode(const void *data, size_t len, char *out)
{
    const unsigned char *in = data;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= left > 2 ? in[i + 2] : 0;
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[bits & 63] : '=';
    }
    return out;
}

static int digit_value(char c)
{
    const char *place = c ? strchr(digits, c) : NULL;

    return place ? (int)(place - digits) : -1;
}

ssize_t fr_flux_base64_decode(const char *text, size_t len, char *out)
{
    size_t n = 0, padding = 0;
    uint32_t bits = 0;

    if (len % 4 != 0)
        return -EPROTO;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < len; i++) {
        int value = i < len - padding ? digit_value(text[i]) : 0;
        if (value < 0)
            return -EPROTO;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            out[n++] = (char)(bits >> 16);
            out[n++] = (char)(bits >> 8);
            out[n++] = (char)bits;
        }
    }
    return (ssize_t)(n - padding);
}

/*
 * flux_job_submit() can do this itself, but up to 0.88 it leaks the result where flux-core was
 * built without flux-security, and a daemon submits for ever.
 */
char *fr_flux_wrap(const char *jobspec, uint32_t userid)
{
    size_t len = strlen(jobspec), header_len;
    char header[64], *J, *end;
    int n = snprintf(header, sizeof header, "version:i1:userid:i%u:mechanism:snone:", userid);

    header_len = (size_t)n;
    for (size_t i = 0; i < header_len; i++) /* its words are ended by NULs */
        header[i] = header[i] == ':' ? '\0' : header[i];
    J = malloc(FR_FLUX_BASE64_LEN(header_len) + FR_FLUX_BASE64_LEN(len) + sizeof "..none");
    if (!J)
        return NULL;
    end = fr_flux_base64_encode(header, header_len, J);
    *end++ = '.';
    end = fr_flux_base64_encode(jobspec, len, end);
    memcpy(end, ".none", sizeof ".none");
    return J;
}
