// SPDX-License-Identifier: LGPL-3.0-only
// The table of jobs with 100,000 of them. Run by tools/run-tests web.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { closeBrowser, Daemon, openPage, until } from "./restd.mjs";

const MANY = 100_000;
const NEEDLES = 30;
const ROW = 34;
let daemon;

before(async () => {
    daemon = new Daemon();
    daemon.fill(MANY);
    await daemon.start();
    await daemon.many(Array.from({ length: NEEDLES }, (_, i) => ({ command: "false", name: `needle-${i}` })));
    await until("they have ended", async () => (await daemon.ask("GET", "/v1/jobs?state=active")).jobs.length === 0);
});

after(async () => {
    await closeBrowser();
    await daemon.finish();
});

async function open(path) {
    const page = await openPage(daemon);
    await page.goto(daemon.url + path);
    await page.locator(".link.live").waitFor();
    return page;
}

/** What the table shows: ids by row, once every row in sight is here. */
function rowsOf(page) {
    return until("the rows in sight are here", async () => {
        const rows = await page.locator(".jobs-space [role=row]").evaluateAll((all) =>
            all.map((row) => [Number(row.getAttribute("aria-rowindex")) - 2, row.dataset.id]),
        );
        return rows.length && rows.every(([, id]) => id) && rows;
    });
}

const scrollTo = (page, top) =>
    page.getByRole("grid").evaluate(async (grid, to) => {
        grid.scrollTo(0, to);
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    }, top);

async function heap(page) {
    const client = await page.context().newCDPSession(page);
    await client.send("HeapProfiler.collectGarbage");
    const { usedSize } = await client.send("Runtime.getHeapUsage");
    await client.detach();
    return usedSize;
}

test("100,000 jobs are scrolled to any place and to the end, and a window of them is kept", async () => {
    const page = await open("/jobs");
    await page.locator("#counted", { hasText: "100,030 jobs" }).waitFor();
    await rowsOf(page);
    const before = await heap(page);
    for (const at of [0, 40, 5000, 50_000, 99_000, 12_345, ...Array.from({ length: 20 }, (_, i) => i * 5000)]) {
        await scrollTo(page, at * ROW);
        const rows = await rowsOf(page);
        assert.ok(rows.some(([index]) => index === at), `row ${at} is drawn`);
        assert.ok(rows.length < 120, "only what is in sight is in the document");
    }
    for (const at of [0, 70_000]) {
        await scrollTo(page, at * ROW);
        const rows = await rowsOf(page);
        const { jobs, total } = await daemon.ask("GET", `/v1/jobs?user=all&sort=-t_submit&start=${rows[0][0]}&limit=${rows.length}&fields=jobid`);
        assert.equal(total, MANY + NEEDLES);
        assert.deepEqual(rows.map(([, id]) => id), jobs.map((job) => job.jobid));
    }
    const grid = page.getByRole("grid");
    await grid.focus();
    await grid.press("End");
    await page.locator(`[aria-rowindex='${MANY + NEEDLES + 1}'].active`).waitFor();
    await rowsOf(page);
    const grown = (await heap(page)) - before;
    assert.ok(grown < 16e6, `${grown} bytes more`);
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("100,000 jobs are sorted and filtered, and the address keeps it", async () => {
    const page = await open("/jobs?sort=-name");
    const grid = page.getByRole("grid");
    await page.locator("#counted", { hasText: "100,030 jobs" }).waitFor();
    await page.getByRole("button", { name: "Name" }).click();
    await page.locator("[aria-rowindex='2']", { hasText: "needle-" }).waitFor();
    assert.match(page.url(), /sort=name/);
    await page.getByRole("button", { name: "Name" }).click();
    await page.locator("[aria-rowindex='2']", { hasText: "python3" }).waitFor();
    await grid.focus();
    await grid.press("End");
    await page.locator(`[aria-rowindex='${MANY + NEEDLES + 1}']`, { hasText: "needle-" }).waitFor();

    await page.getByLabel("Search").fill("--seed 9999");
    await page.locator("#counted", { hasText: /^11 jobs/ }).waitFor();
    await page.reload();
    await page.locator("#counted", { hasText: /^11 jobs/ }).waitFor();
    assert.equal(await page.getByLabel("Search").inputValue(), "--seed 9999");
    await page.getByRole("combobox", { name: "State" }).selectOption("pending");
    await page.getByText("No job matches these filters.").waitFor();
    await page.getByRole("link", { name: "Clear filters" }).click();
    await page.locator("#counted", { hasText: "100,030 jobs" }).waitFor();
    await page.getByRole("combobox", { name: "Result" }).selectOption("failed");
    await page.locator("#counted", { hasText: /^30 jobs/ }).waitFor();
    await page.locator("[aria-rowindex='2']", { hasText: "needle-" }).waitFor();

    // A new job appears at the top; where one looks further down, nothing moves.
    await page.goto(`${daemon.url}/jobs`);
    await page.locator("#counted", { hasText: "100,030 jobs" }).waitFor();
    await scrollTo(page, 30_000 * ROW);
    await rowsOf(page);
    const places = () =>
        page.locator(".jobs-space [role=row]").evaluateAll((all) => {
            const top = document.querySelector(".jobs").getBoundingClientRect().top;
            return all.map((row) => [row.dataset.id, Math.round(row.getBoundingClientRect().top - top)]).filter(([, y]) => y > 40 && y < 300);
        });
    const was = await places();
    await daemon.submit("true", { name: "one more" });
    await page.locator("#counted", { hasText: "100,031 jobs" }).waitFor();
    await rowsOf(page);
    assert.deepEqual(await places(), was);
    await scrollTo(page, 0);
    await page.locator("[aria-rowindex='2']", { hasText: "one more" }).waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("all of 100,000 jobs are selected", async () => {
    const page = await open("/jobs?result=completed&name=python3");
    await page.locator("#counted", { hasText: "100,000 jobs" }).waitFor();
    await page.getByRole("grid").focus();
    await page.getByRole("grid").press("Control+a");
    await page.getByText("100,000 selected").waitFor();
    assert.ok(await page.getByRole("button", { name: "Cancel 0…" }).isDisabled());
    await page.getByRole("grid").press("Escape");
    await page.getByText("100,000 selected").waitFor({ state: "detached" });
    assert.deepEqual(page.faults, []);
    await page.context().close();
});
