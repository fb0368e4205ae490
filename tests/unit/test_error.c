// SPDX-License-Identifier: LGPL-3.0-only
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void test_sets_and_returns(void **state)
{
    struct fr_error err;

    assert_int_equal(fr_error_set(&err, EINVAL, FR_CODE_INVALID, "%s is %d", "x", 3), -EINVAL);
    assert_int_equal(err.code, FR_CODE_INVALID);
    assert_string_equal(err.text, "x is 3");
    assert_int_equal(fr_error_set(NULL, EIO, FR_CODE_INTERNAL, "nobody asks"), -EIO);
}

static void test_cuts_between_characters(void **state)
{
    struct fr_error err;
    char text[2000] = "";

    for (int pad = 0; pad < 4; pad++) { /* wherever the cut falls within "ƒ🥞" */
        memset(text, 'a', (size_t)pad);
        text[pad] = '\0';
        for (size_t at = (size_t)pad; at < 1000; at += strlen("ƒ🥞"))
            memcpy(text + at, "ƒ🥞", sizeof "ƒ🥞");
        fr_error_set(&err, EINVAL, FR_CODE_INVALID, "%s", text);
        size_t len = strlen(err.text);
        assert_in_range(len, sizeof err.text - 4, sizeof err.text - 1);
        assert_memory_equal(err.text, text, len);
        assert_true(((unsigned char)text[len] & 0xc0) != 0x80);
    }
}

static void test_words_are_distinct(void **state)
{
    for (int i = 0; i < FR_CODE_COUNT; i++) {
        assert_true(strlen(fr_code_word(i)) > 0);
        assert_true(strlen(fr_code_title(i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(fr_code_word(i), fr_code_word(j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_and_returns),
        cmocka_unit_test(test_cuts_between_characters),
        cmocka_unit_test(test_words_are_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
