// SPDX-License-Identifier: LGPL-3.0-only
// The page in Chromium, with 100,000 jobs, over loopback.
//
// Usage: node tests/bench/web.mjs [DAEMON]        (build/flux-restd)
//
// - from the call of the address, with nothing cached, until the filters can be used, and until
//   the first rows are there: the median of the rounds;
// - frames that took over 50 ms (the browser's own count of long animation frames) while the
//   table is scrolled and jumped in, filtered and sorted;
// - the same while 100 MB of output come in, which is told only;
// - the packed size of all that the views but /docs load.
//
// Fails if one of the limits is missed.
import { resolve } from "node:path";

if (process.argv[2]) process.env.FLUX_RESTD = resolve(process.argv[2]);
const { closeBrowser, Daemon, openPage, until } = await import("../web/restd.mjs");

const MANY = 100_000;
const ROUNDS = 7;
const MOST = { interactive: 300, rows: 1000, frame: 50, bytes: 250_000 };

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Runs in the page before all else: notes when things are there, and each long frame. */
function watch() {
    const seen = (globalThis.seen = { frames: [], worst: 0 });
    const note = (name, selector) => {
        if (seen[name] || !document.querySelector(selector)) return;
        seen[name] = -1;
        // Once it is drawn, and the page takes the next event.
        requestAnimationFrame(() => setTimeout(() => (seen[name] = performance.now())));
    };
    new MutationObserver(() => {
        note("interactive", "#search");
        note("rows", ".jobs-space [data-id]");
    }).observe(document, { childList: true, subtree: true, attributes: true });
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) seen.frames.push(Math.round(entry.duration));
    }).observe({ type: "long-animation-frame", buffered: true });
}

async function openings(daemon) {
    const times = [];
    for (let i = 0; i < ROUNDS; i++) {
        const page = await openPage(daemon);
        await page.addInitScript(watch);
        await page.goto(`${daemon.url}/jobs`);
        await page.waitForFunction(() => seen.interactive > 0 && seen.rows > 0);
        times.push(await page.evaluate(() => [seen.interactive, seen.rows]));
        await page.context().close();
    }
    return { interactive: median(times.map(([a]) => a)), rows: median(times.map(([, b]) => b)) };
}

const settled = (page) =>
    until("the rows in sight are here", () =>
        page.locator(".jobs-space [role=row]").evaluateAll((all) => all.every((row) => row.dataset.id)),
    );

async function framesOf(page, what) {
    await page.evaluate(() => void (seen.frames = []));
    await what();
    await page.evaluate(() => new Promise((done) => setTimeout(done, 200)));
    return page.evaluate(() => seen.frames);
}

async function scrolling(page) {
    const box = await page.getByRole("grid").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    for (let i = 0; i < 150; i++) await page.mouse.wheel(0, i % 50 < 40 ? 400 : -900);
    await settled(page);
    for (let i = 0; i < 40; i++)
        await page.getByRole("grid").evaluate(
            (grid, part) =>
                new Promise((done) => {
                    grid.scrollTop = grid.scrollHeight * part;
                    requestAnimationFrame(() => requestAnimationFrame(done));
                }),
            ((i * 37) % 40) / 40,
        );
    await settled(page);
}

async function filtering(page) {
    const counted = (text) => page.locator("#counted", { hasText: text }).waitFor();
    await page.getByLabel("Search").pressSequentially("--seed 9999", { delay: 60 });
    await counted(/^11 jobs/);
    await page.getByRole("combobox", { name: "Result" }).selectOption("failed");
    await counted(/^0 jobs/);
    await page.getByRole("link", { name: "Clear filters" }).click();
    await counted(/^100,000 jobs/);
    for (const column of ["Name", "Status", "Submitted"]) {
        await page.getByRole("columnheader", { name: column }).getByRole("button").click();
        await settled(page);
    }
}

async function output(daemon) {
    const id = await daemon.submit(["sh", "-c", "seq -f 'line %.0f of very many, with some more text to it' 2000000"]);
    const page = await openPage(daemon);
    await page.addInitScript(watch);
    const begun = performance.now();
    await page.goto(`${daemon.url}/jobs/${encodeURIComponent(id)}`);
    await page.locator("[data-ended=true]").waitFor({ timeout: 240_000 });
    const seconds = (performance.now() - begun) / 1000;
    const frames = await page.evaluate(() => seen.frames);
    await page.context().close();
    return { seconds, frames };
}

async function sizeOf(daemon) {
    const page = await openPage(daemon);
    const bytes = new Map();
    page.on("response", (reply) => {
        if (reply.url().includes("/assets/")) bytes.set(reply.url(), Number(reply.headers()["content-length"]));
    });
    for (const path of ["/", "/jobs", "/jobs/f1", "/jobs/submit", "/nodes"]) {
        await page.goto(daemon.url + path);
        await page.locator("h1").waitFor();
    }
    await page.context().close();
    return [...bytes.values()].reduce((sum, n) => sum + n, 0);
}

const told = (frames) => (frames.length ? `${frames.length}, the longest ${Math.max(...frames)} ms` : "none");

async function bench(daemon) {
    const { interactive, rows } = await openings(daemon);
    const page = await openPage(daemon);
    await page.addInitScript(watch);
    await page.goto(`${daemon.url}/jobs`);
    await page.locator("#counted", { hasText: "100,000 jobs" }).waitFor();
    await settled(page);
    const scrolled = await framesOf(page, () => scrolling(page));
    const filtered = await framesOf(page, () => filtering(page));
    await page.context().close();
    const bytes = await sizeOf(daemon);
    const much = await output(daemon);
    console.log(`${MANY.toLocaleString("en")} jobs, nothing cached, median of ${ROUNDS}`);
    console.log(`can be used after              ${interactive.toFixed(0)} ms   (at most ${MOST.interactive})`);
    console.log(`first rows after               ${rows.toFixed(0)} ms   (at most ${MOST.rows})`);
    console.log(`frames over ${MOST.frame} ms, scrolling   ${told(scrolled)}   (none)`);
    console.log(`frames over ${MOST.frame} ms, filtering   ${told(filtered)}   (none)`);
    console.log(`packed, without /docs          ${(bytes / 1000).toFixed(1)} kB   (under ${MOST.bytes / 1000})`);
    console.log(`100 MB of output               ${much.seconds.toFixed(1)} s; frames over ${MOST.frame} ms: ${told(much.frames)}`);
    return interactive <= MOST.interactive && rows <= MOST.rows && !scrolled.length && !filtered.length && bytes < MOST.bytes;
}

const daemon = new Daemon();
let good = false;
try {
    daemon.fill(MANY);
    await daemon.start();
    good = await bench(daemon);
} catch (error) {
    console.error(`web: ${error.stack}`);
} finally {
    await closeBrowser();
    await daemon.finish();
}
console.log(good ? "good" : "NOT GOOD");
process.exitCode = good ? 0 : 1;
