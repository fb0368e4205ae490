// SPDX-License-Identifier: LGPL-3.0-only
/* What of a jobspec the local engine accepts, and by which name it refuses the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/local/local.h"

FR_DEFINE_CLEANUP(struct fr_jobspec *, jobspec, fr_jobspec_free);

static struct fr_jobspec *spec_of(const char *resources, const char *tasks, const char *system,
                                  const char *attributes, const char *top)
{
    struct fr_jobspec *spec = NULL;
    struct fr_error err = {.text = ""};
    char text[2048];
    json_t *json;

    (void)snprintf(text, sizeof(text),
                   "{\"version\":1,\"resources\":%s,\"tasks\":%s,\"attributes\":{\"system\":{"
                   "\"duration\":0,\"cwd\":\"/\"%s}%s}%s}",
                   resources, tasks, system, attributes, top);
    json = json_loads(text, 0, NULL);
    if (!json || fr_jobspec_create(json, &spec, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return spec;
}

#define RESOURCES                                                                              \
    "[{\"type\":\"slot\",\"count\":1,\"label\":\"task\",\"with\":["                            \
    "{\"type\":\"core\",\"count\":1}]}]"
#define TASKS "[{\"command\":[\"true\"],\"slot\":\"task\",\"count\":{\"per_slot\":1}}]"

static void check(struct fr_jobspec *taken, const char *name, const char *remedy)
{
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec = taken;
    struct fr_error err = {.text = ""};

    if (!name) {
        if (fr_local_accept(spec, &err) != 0)
            fail_msg("%s", err.text);
        return;
    }
    assert_int_equal(fr_local_accept(spec, &err), -ENOSYS);
    assert_int_equal(err.code, FR_CODE_UNSUPPORTED);
    if (!strstr(err.text, name) || !strstr(err.text, remedy))
        fail_msg("neither %s nor %s in: %s", name, remedy, err.text);
}

static void check_system(const char *system, const char *name, const char *remedy)
{
    check(spec_of(RESOURCES, TASKS, system, "", ""), name, remedy);
}

static void test_accepts_what_it_does(void **state)
{
    check_system("", NULL, NULL);
    check_system(",\"environment\":{\"A\":\"b\"},\"job\":{\"name\":\"x\"},"
                 "\"shell\":{\"options\":{\"verbose\":1,\"ompi\":\"openmpi@5\"}}",
                 NULL, NULL);
    check_system(",\"queue\":null", NULL, NULL);
    check(spec_of(RESOURCES, TASKS, "", ",\"user\":{\"mine\":{\"a\":1}}", ""), NULL, NULL);
}

static void test_refuses_attributes(void **state)
{
    check_system(",\"queue\":\"batch\"", "queue", "leave queue out");
    check_system(",\"bank\":\"x\"", "bank", "leave bank out");
    check_system(",\"project\":\"x\"", "project", "leave project out");
    check_system(",\"constraints\":{\"properties\":[\"a\"]}", "constraints", "leave");
    check_system(",\"files\":{\"a\":{\"mode\":33152,\"data\":\"x\"}}", "files", "command");
    check_system(",\"whatever\":1", "attributes.system.whatever", "leave it out");
    check_system(",\"job\":{\"name\":\"x\",\"more\":1}", "attributes.system.job.more", "leave");
    check(spec_of(RESOURCES, TASKS, "", ",\"other\":{}", ""), "attributes.other", "leave");
    check(spec_of(RESOURCES, TASKS, "", "", ",\"more\":1"), "more", "leave");
}

static void test_refuses_shell_options(void **state)
{
    check_system(",\"shell\":{\"options\":{\"pty\":1}}", "shell.options.pty", "script");
    check_system(",\"shell\":{\"options\":{\"mpi\":\"x\"}}", "shell.options.mpi", "mpirun");
    check_system(",\"shell\":{\"other\":{}}", "attributes.system.shell.other", "leave");
}

static void test_refuses_tasks_and_resources(void **state)
{
    check(spec_of(RESOURCES, "[{\"command\":[\"a\"]},{\"command\":[\"b\"]}]", "", "", ""),
          "tasks has 2", "submit a job for each");
    check(spec_of(RESOURCES, "[{\"command\":[\"a\"],\"count\":{\"per_slot\":2}}]", "", "", ""),
          "per_slot", "more slots");
    check(spec_of(RESOURCES, "[{\"command\":[\"a\"],\"distribution\":\"x\"}]", "", "", ""),
          "tasks.distribution", "leave it out");
    check(spec_of("[{\"type\":\"slot\",\"count\":1,\"label\":\"task\",\"with\":["
                  "{\"type\":\"core\",\"count\":1},{\"type\":\"memory\",\"count\":1}]}]",
                  TASKS, "", "", ""),
          "memory", "core and gpu");
    check(spec_of("[{\"type\":\"slot\",\"count\":1,\"label\":\"task\",\"with\":["
                  "{\"type\":\"core\",\"count\":1,\"unit\":\"x\"}]}]",
                  TASKS, "", "", ""),
          "resources.unit", "leave it out");
}

/* Acknowledged, they could not be read again; refused, they are named. */
static void test_refuses_nul(void **state)
{
    struct fr_error err = {.text = ""};
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec =
        spec_of(RESOURCES, TASKS, ",\"environment\":{\"A\":\"b\"}",
                ",\"user\":{\"mine\":[\"x\",{\"deep\":\"y\"}]}", "");
    json_t *mine = json_object_get(
        json_object_get(json_object_get(spec->json, "attributes"), "user"), "mine");
    json_t *deep = json_array_get(mine, 1);

    assert_int_equal(json_object_set_new(deep, "deep", json_stringn("a\0b", 3)), 0);
    assert_int_equal(fr_local_accept(spec, &err), -EINVAL);
    assert_non_null(strstr(err.text, "attributes.user.mine[1].deep holds a NUL"));
    assert_int_equal(json_object_set_new(deep, "deep", json_string("ab")), 0);
    assert_int_equal(
        json_object_set_new((json_t *)(uintptr_t)spec->environment, "A", json_stringn("\0", 1)),
        0);
    assert_int_equal(fr_local_accept(spec, &err), -EINVAL);
    assert_non_null(strstr(err.text, "attributes.system.environment.A holds a NUL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_what_it_does),
        cmocka_unit_test(test_refuses_attributes),
        cmocka_unit_test(test_refuses_shell_options),
        cmocka_unit_test(test_refuses_tasks_and_resources),
        cmocka_unit_test(test_refuses_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
