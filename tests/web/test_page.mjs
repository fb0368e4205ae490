// SPDX-License-Identifier: LGPL-3.0-only
// The page in a browser, against a daemon of its own. Run by tools/run-tests web.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { closeBrowser, Daemon, openPage, until, violations } from "./restd.mjs";

let daemon;

before(async () => {
    daemon = await new Daemon().start();
});

after(async () => {
    await closeBrowser();
    await daemon.finish();
});

const rowOf = (page, id) => page.locator(`.jobs [data-id="${id}"]`);

async function inTime(page, path) {
    await page.goto(daemon.url + path);
    await page.locator(".link.live").waitFor();
}

test("the table of jobs is live", async () => {
    const page = await openPage(daemon);
    await inTime(page, "/jobs");
    await page.getByText("There is no job yet.").waitFor();
    const id = await daemon.submit("sleep 600");
    await rowOf(page, id).getByText("running").waitFor();
    await daemon.ask("POST", `/v1/jobs/${encodeURIComponent(id)}/cancel`);
    await rowOf(page, id).getByText("canceled").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("a job is submitted by the form and its output followed to the end", async () => {
    const page = await openPage(daemon);
    await inTime(page, "/jobs/submit");
    const flag = `${daemon.folder}/go`;
    await page.getByLabel("Command").fill(`sh -c 'echo first; echo wrong >&2; while [ ! -e ${flag} ]; do sleep 0.1; done; echo last'`);
    await page.locator(".verdict.good").waitFor();
    await page.getByRole("button", { name: "Submit" }).click();
    await page.locator(".line", { hasText: "first" }).waitFor();
    await page.locator(".line.err", { hasText: "wrong" }).waitFor();
    await daemon.submit(["touch", flag]);
    await page.locator(".line", { hasText: "last" }).waitFor();
    await page.locator("[data-ended=true]").waitFor();
    await page.locator(".story .badge.completed").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});
