// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/fluid.h"

/* Vectors of Flux's own converter. */
static const struct {
    uint64_t id;
    const char *f58;
} vectors[] = {
    {0, "ƒ1"},
    {1, "ƒ2"},
    {57, "ƒz"},
    {58, "ƒ21"},
    {16777216000, "ƒSZYcoq"},
    {209060888576, "ƒ6VWzhbu"},
    {UINT64_C(1) << 63, "ƒNQm6nKp8qFD"},
    {UINT64_MAX - 1, "ƒjpXCZedGfVP"},
};

static void test_f58(void **state)
{
    for (size_t i = 0; i < FR_ARRAY_SIZE(vectors); i++) {
        char text[FR_FLUID_TEXT];
        uint64_t id = 1234567;

        assert_string_equal(fr_fluid_f58(vectors[i].id, text), vectors[i].f58);
        assert_int_equal(fr_fluid_parse(text, &id), 0);
        assert_true(id == vectors[i].id);
    }
}

static void test_spellings(void **state)
{
    static const struct {
        const char *text;
        uint64_t id;
    } good[] = {
        {"16777216000", 16777216000},
        {"ƒSZYcoq", 16777216000},
        {"fSZYcoq", 16777216000},
        {"0x3e8000000", 16777216000},
        {"0000.0003.e800.0000", 16777216000},
        {"0.3.E800.0", 16777216000},
        {"job.0000.0003.e800.0000", 16777216000},
        {"fedc.0.0.1", UINT64_C(0xfedc000000000001)}, /* begins like an F58 */
        {" \tƒSZYcoq\n", 16777216000},
        {"0", 0},
        {"18446744073709551614", UINT64_MAX - 1},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(good); i++) {
        uint64_t id = 1;

        assert_int_equal(fr_fluid_parse(good[i].text, &id), 0);
        assert_true(id == good[i].id);
    }
}

static void test_no_id(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "f",
        "ƒ",
        "ƒ0", /* 0, O, I and l are no digits of base 58 */
        "-1",
        "+1",
        "12 34",
        "12x",
        "0x",
        "0xg",
        "0xffffffffffffffff", /* FR_FLUID_ANY */
        "18446744073709551615",
        "18446744073709551616", /* 2^64 */
        "fjpXCZedGfVQ",         /* FR_FLUID_ANY */
        "fjpXCZedGfVR",         /* 2^64 */
        "fzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
        "1.2.3",
        "1.2.3.4.5",
        "00000.0.0.1",
        "job.",
        "nonsense",
    };

    assert_int_equal(fr_fluid_parse(NULL, NULL), -EINVAL);
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        uint64_t id = 77;

        assert_int_equal(fr_fluid_parse(bad[i], &id), -EINVAL);
        assert_true(id == 77);
    }
}

static void test_next_follows_the_clock(void **state)
{
    struct fr_fluid_gen gen = {.epoch_ms = 1000};

    assert_true(fr_fluid_next(&gen, 1000) == 1);
    assert_true(fr_fluid_next(&gen, 1003) == UINT64_C(3) << 24);
    assert_true(fr_fluid_next(&gen, 1003) == (UINT64_C(3) << 24) + 1);
    assert_true(fr_fluid_next(&gen, 1005) == UINT64_C(5) << 24);
}

static void test_next_rises_whatever_the_clock_does(void **state)
{
    struct fr_fluid_gen gen = {.epoch_ms = 5000};
    static const uint64_t clocks[] = {6000, 5500, 0, 6000, UINT64_MAX, 7000};
    uint64_t last = 0;

    for (size_t c = 0; c < FR_ARRAY_SIZE(clocks); c++) {
        for (int i = 0; i < 3000; i++) { /* more than fit into a millisecond */
            uint64_t id = fr_fluid_next(&gen, clocks[c]);

            assert_true(id > last);
            assert_true((id >> 10 & 0x3fff) == 0); /* never runs over into the generator's id */
            last = id;
        }
    }
    assert_true(last >> 24 >= 2000 && last >> 24 < 2010);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f58),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_no_id),
        cmocka_unit_test(test_next_follows_the_clock),
        cmocka_unit_test(test_next_rises_whatever_the_clock_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
