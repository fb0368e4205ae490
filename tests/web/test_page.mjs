// SPDX-License-Identifier: LGPL-3.0-only
// The page in a browser, against a daemon of its own. Run by tools/run-tests web.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { closeBrowser, Daemon, openPage, picture, until, violations } from "./restd.mjs";

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
    await picture(page, "jobs-empty");
    await inTime(page, "/");
    await page.getByText("There is no job yet.").waitFor();
    await picture(page, "overview-empty");
    await inTime(page, "/jobs");
    const id = await daemon.submit("sleep 600");
    await rowOf(page, id).getByText("running").waitFor();
    const ran = await rowOf(page, id).getByRole("gridcell").nth(6).textContent();
    await until("its time counts up", async () => (await rowOf(page, id).getByRole("gridcell").nth(6).textContent()) !== ran);
    assert.ok(await rowOf(page, id).locator("time[title][datetime]").count());

    // What is typed stays, whatever comes in meanwhile.
    let typed = false;
    const busy = (async () => {
        while (!typed) await daemon.submit("true", { urgency: 0, name: "sleepless" });
    })();
    await page.getByRole("textbox", { name: "Name" }).pressSequentially("sleep", { delay: 120 });
    typed = true;
    await busy;
    await page.waitForURL(/name=sleep$/);
    assert.equal(await page.getByRole("textbox", { name: "Name" }).inputValue(), "sleep");
    await page.getByRole("link", { name: "Clear filters" }).click();
    assert.equal(await page.getByRole("textbox", { name: "Name" }).inputValue(), "");
    await daemon.ask("POST", "/v1/jobs/cancel", { name: "sleepless" });

    await page.getByText("Columns", { exact: true }).click();
    await page.getByRole("checkbox", { name: "Queue" }).check();
    await page.getByRole("columnheader", { name: "Queue" }).waitFor();
    assert.match(page.url(), /cols=[a-z%,0-9C]*queue/);
    await page.getByRole("checkbox", { name: "Queue" }).uncheck();
    await page.getByRole("columnheader", { name: "Queue" }).waitFor({ state: "detached" });
    await page.getByLabel("Search").fill("sleep 600");
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
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    const text = await readFile(await (await download).path(), "utf8");
    assert.deepEqual(text.split("\n").sort(), ["", "first", "last", "wrong"]);
    await page.getByLabel("Which output").selectOption("stderr");
    await page.getByText("1 line; that is all.").waitFor();
    assert.deepEqual(await page.locator(".line .text").allTextContents(), ["wrong"]);
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("each core is drawn in the colour of the job that has it", async () => {
    const ids = [await daemon.submit("sleep 600"), await daemon.submit("sleep 600")];
    const { nodes } = await daemon.ask("GET", "/v1/nodes?details=true");
    const page = await openPage(daemon);
    await inTime(page, "/nodes");
    for (const id of ids.slice(0, nodes[0].cores)) {
        const R = await until("it has its cores", () => daemon.ask("GET", `/v1/jobs/${encodeURIComponent(id)}/R`).catch(() => null));
        const core = Number(R.execution.R_lite[0].children.core);
        await page.locator(`.cells span:nth-child(${core + 1})[title="${id}"]`).waitFor();
    }
    await daemon.cancelAll();
    await page.getByText("No job runs here.").waitFor();
    await page.locator(`.cells [title="${ids[0]}"]`).waitFor({ state: "detached" });
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("the form has every field that the server takes", async () => {
    const { components } = await daemon.ask("GET", "/openapi.json");
    const page = await openPage(daemon);
    await inTime(page, "/jobs/submit");
    await page.locator("#f-command").waitFor();
    const shown = await page.locator("[id^='f-'].mono, input[id^='f-']").evaluateAll((all) => all.map((e) => e.id.slice(2)));
    // key is made by the page for each submit.
    const taken = Object.keys(components.schemas.SubmitRequest.properties).filter((name) => name !== "key");
    assert.deepEqual(shown.sort(), taken.sort());
    await page.context().close();
});

const VIEWS = ["overview", "jobs", "job", "submit", "nodes", "docs"];

test("every view is accessible in both themes, keeps within the window, and asks nobody else", async () => {
    const name = "a name that goes on and on ".repeat(9);
    const id = await daemon.submit(["sh", "-c", "for i in $(seq 200); do echo line $i; done; echo wrong >&2; exit 3"], { name });
    await daemon.over(id);
    const paths = { overview: "/", job: `/jobs/${encodeURIComponent(id)}`, submit: "/jobs/submit" };
    const page = await openPage(daemon);
    for (const view of VIEWS) {
        await page.setViewportSize({ width: 1280, height: 800 });
        await inTime(page, paths[view] ?? `/${view}`);
        await page.locator("h1").waitFor();
        if (view === "job") await page.locator("[data-ended=true]").waitFor();
        if (view === "docs") await page.locator(".call summary").first().click();
        await picture(page, view);
        for (const colorScheme of ["dark", "light"]) {
            await page.emulateMedia({ colorScheme });
            assert.deepEqual(await violations(page), [], `${view}, ${colorScheme}`);
        }
        await page.setViewportSize({ width: 360, height: 700 });
        await picture(page, `${view}-phone`);
        assert.deepEqual(await violations(page), [], `${view}, on a phone`);
        const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(beyond <= 0, `${view} is ${beyond} pixels wider than a phone`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("a thousand jobs end while the table is open, and every row is right", async () => {
    const page = await openPage(daemon);
    await inTime(page, "/jobs?name=thousand-*&cols=status,name,code");
    const jobs = [];
    for (let i = 0; i < 1000; i += 100) {
        const some = Array.from({ length: 100 }, (_, k) => ({ command: ["sh", "-c", `exit ${(i + k) % 3}`], name: `thousand-${i + k}` }));
        jobs.push(...(await daemon.many(some)));
    }
    assert.equal(jobs.length, 1000);
    await until("all have ended", async () => {
        const { jobs: left } = await daemon.ask("GET", "/v1/jobs?state=active");
        return left.length === 0;
    }, 120_000);
    await page.locator("#counted", { hasText: "1,000 jobs" }).waitFor();
    // Every row comes by once, from the top to the end.
    const seen = new Map();
    const grid = page.getByRole("grid");
    await until("every row was seen ended", async () => {
        for (let top = 0; top <= 1000 * 34; top += 400) {
            await grid.evaluate((element, to) => element.scrollTo(0, to), top);
            await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
            const rows = await page.locator(".jobs-space [data-id]").evaluateAll((all) =>
                all.map((row) => [...row.querySelectorAll("[role=gridcell]")].map((cell) => cell.textContent.trim())),
            );
            for (const [, status, name, code] of rows) seen.set(name, `${status} ${code}`);
        }
        return seen.size === 1000 && ![...seen.values()].some((text) => /waiting|running|ending/.test(text));
    });
    for (const [name, text] of seen) {
        const code = Number(name.split("-")[1]) % 3;
        assert.equal(text, code ? `✕ failed ${code}` : "✓ completed 0", name);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("many jobs are selected by keyboard and cancelled at once", async () => {
    const total = 1500;
    for (let i = 0; i < total; i += 500)
        await daemon.many(Array.from({ length: 500 }, (_, k) => ({ command: "true", urgency: 0, name: `held-${String(i + k).padStart(5, "0")}` })));
    const page = await openPage(daemon);
    await inTime(page, "/jobs?name=held-*&sort=name");
    const grid = page.getByRole("grid");
    await page.locator("[aria-rowindex='2']", { hasText: "held-00000" }).waitFor();
    await grid.focus();
    for (const key of ["Home", " ", "Shift+ArrowDown", "Shift+ArrowDown"]) await grid.press(key);
    await page.getByRole("button", { name: "Cancel 3…" }).click();
    const dialog = page.getByRole("dialog", { name: "Cancel 3 jobs?" });
    assert.deepEqual(await violations(page), []);
    await picture(page, "cancel");
    await dialog.getByRole("textbox").fill("not needed");
    await dialog.getByRole("button", { name: "Cancel 3 jobs" }).click();
    await until("three rows are canceled", async () => (await page.locator(".jobs .badge.canceled").count()) === 3);
    await page.getByText("3 jobs are asked to cancel.").waitFor();
    const { jobs } = await daemon.ask("GET", "/v1/jobs?result=canceled&name=held-*");
    assert.deepEqual(jobs.map((job) => job.exception.note), ["not needed", "not needed", "not needed"]);

    // All that match, in sight or not; those that have ended are left alone.
    await grid.focus();
    await grid.press("Control+a");
    await page.getByText("1,500 selected").waitFor();
    await page.getByRole("button", { name: "Cancel 1,497…" }).click();
    await page.getByText("3 selected jobs ended already").waitFor();
    page.asked = [];
    await page.getByRole("button", { name: "Cancel 1,497 jobs" }).click();
    await page.getByText("1,497 jobs are asked to cancel.").waitFor();
    assert.equal(page.asked.filter((url) => url.includes("/cancel")).length, 2);
    await until("none is left", async () => (await daemon.ask("GET", "/v1/jobs?state=active&name=held-*")).jobs.length === 0);
    await until("no row in sight waits", async () => (await page.locator(".jobs .badge.waiting").count()) === 0);
    await grid.focus();
    for (const key of ["Home", "ArrowDown", "Enter"]) await grid.press(key);
    await page.getByRole("heading", { name: "held-00001" }).waitFor();
    await page.locator(".story", { hasText: "It was cancelled before it ran: not needed." }).waitFor();
    await page.goBack();
    await page.locator("#counted", { hasText: "1,500 jobs" }).waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("names and output are data, whatever they hold", async () => {
    const evil = `<img src=x onerror=alert(1)><script>alert(2)</script>\u202Egnp.exe\u2066`;
    const write = [
        "import sys",
        `sys.stdout.write(${JSON.stringify(evil)} + "\\n")`,
        'sys.stdout.write("\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07\\x1b[2J\\x1b[Hafter\\n")',
        'sys.stdout.write("x" * 1000000 + "\\n")',
        'sys.stdout.flush(); sys.stdout.buffer.write(b"\\xff\\xfe not text\\n"); sys.stdout.buffer.flush()',
        'sys.stdout.write("10%\\r50%\\r100%\\nthe last one\\n")',
    ].join("\n");
    const id = await daemon.submit(["/usr/bin/python3", "-c", write], { name: evil, envars: { EVIL: evil } });
    const page = await openPage(daemon);
    await inTime(page, "/jobs");
    await rowOf(page, id).getByText("<img src=x").waitFor();
    await inTime(page, "/");
    await page.locator(".latest bdi", { hasText: "<script>" }).first().waitFor();
    await inTime(page, `/jobs/${encodeURIComponent(id)}`);
    await page.locator("[data-ended=true]").waitFor();
    await page.locator(".screen").press("Home");
    await page.locator(".line", { hasText: "<script>alert(2)</script>" }).waitFor();
    assert.equal(await page.locator(".line .f-1").textContent(), "red");
    await page.locator(".line", { hasText: /^\s*red after$/ }).waitFor();
    await page.getByLabel("Find in the output").fill("the last one");
    await page.getByLabel("Find in the output").press("Enter");
    await page.locator(".line.found", { hasText: "the last one" }).waitFor();
    await page.locator(".line", { hasText: /^\s*100%$/ }).waitFor();
    await page.getByRole("button", { name: "Wrap" }).click();
    await page.getByRole("region", { name: "Output" }).getByRole("log").press("Home");
    await page.getByText(/characters more: wrap to see them/).first().waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.deepEqual(await violations(page), []);
    await inTime(page, `/jobs/submit?like=${encodeURIComponent(id)}`);
    await page.locator("textarea").first().waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("100 MB of output do not freeze the page, and what it keeps can be searched", async () => {
    const flag = `${daemon.folder}/the-other-half`;
    const lines = "seq -f 'line %.0f of very many, with some more text to it'";
    const id = await daemon.submit(["sh", "-c", `${lines} 1000000; while [ ! -e ${flag} ]; do sleep 0.1; done; ${lines} 1000001 2000000`]);
    const page = await openPage(daemon);
    await inTime(page, `/jobs/${encodeURIComponent(id)}`);
    // While it comes, the page answers.
    await page.locator(".line").first().waitFor();
    await page.getByRole("button", { name: "Follow" }).click();
    await page.locator("[aria-pressed=false]", { hasText: "Follow" }).waitFor();
    await writeFile(flag, "");
    await page.locator("[data-ended=true]").waitFor({ timeout: 240_000 });
    assert.match(await page.locator("[data-ended=true]").textContent(), /2,000,000 lines/);
    await page.getByText(/The first [0-9,]+ lines are not kept here/).waitFor();
    await page.locator(".screen").press("End");
    await page.locator(".line", { hasText: "line 2000000 of" }).waitFor();
    await page.getByLabel("Find in the output").fill("line 1700000 of");
    await page.getByLabel("Find in the output").press("Enter");
    await page.locator(".line.found", { hasText: "line 1700000 of" }).waitFor();
    assert.ok((await page.locator(".line").count()) < 200);
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("the daemon is killed and started again under the open page", async () => {
    const page = await openPage(daemon);
    await inTime(page, "/jobs?state=active");
    const id = await daemon.submit("sleep 600");
    await rowOf(page, id).getByText("running").waitFor();
    await daemon.stop("SIGKILL");
    await page.locator(".wrong").waitFor();
    assert.match(await page.locator(".wrong").textContent(), /What is shown may be old/);
    assert.deepEqual(await violations(page), []);
    await picture(page, "jobs-lost");
    await rowOf(page, id).waitFor();
    await daemon.start();
    await page.locator(".link.live").waitFor();
    await page.locator(".wrong").waitFor({ state: "detached" });
    await rowOf(page, id).getByText("running").waitFor();
    const second = await daemon.submit("sleep 600");
    await rowOf(page, second).waitFor();
    await daemon.cancelAll();
    await until("both are gone from the list of active ones", async () => (await page.locator(".jobs-space [role=row]").count()) === 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("output is followed over a restart of the daemon, each line once", async () => {
    const flag = `${daemon.folder}/go-on`;
    const id = await daemon.submit(["sh", "-c", `echo one; echo half >&2; while [ ! -e ${flag} ]; do sleep 0.1; done; echo two`]);
    const page = await openPage(daemon);
    await inTime(page, `/jobs/${encodeURIComponent(id)}`);
    await page.locator(".line.err", { hasText: "half" }).waitFor();
    await daemon.stop("SIGKILL");
    await page.getByText(/The connection was lost; it goes on/).waitFor();
    await daemon.start();
    await daemon.submit(["touch", flag]);
    await page.locator("[data-ended=true]").waitFor();
    assert.deepEqual((await page.locator(".line .text").allTextContents()).sort(), ["half", "one", "two"]);
    await page.locator(".story .badge.completed").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("a job is held, released, signalled, and run again with changes", async () => {
    const id = await daemon.submit("sleep 600", { urgency: 0, name: "steered" });
    const page = await openPage(daemon);
    await inTime(page, `/jobs/${encodeURIComponent(id)}`);
    await page.locator(".story", { hasText: "It waits: held" }).waitFor();
    await page.getByRole("button", { name: "Urgency…" }).click();
    await page.getByRole("spinbutton").fill("20");
    await page.getByRole("button", { name: "Set it" }).click();
    await page.locator(".story .badge.running").waitFor();
    // Before its tasks have started a signal meets nobody.
    await page.locator(".events td", { hasText: /^start$/ }).waitFor();
    await page.getByRole("button", { name: "Signal…" }).click();
    await page.getByRole("dialog").getByRole("combobox").selectOption("SIGUSR1");
    await page.getByRole("button", { name: "Send SIGUSR1" }).click();
    await page.locator(".story", { hasText: "signal SIGUSR1 ended it" }).waitFor();
    await page.getByRole("link", { name: "Run again…" }).click();
    await page.waitForFunction(() => document.querySelector("textarea").value === "sleep 600");
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "steered");
    await page.getByLabel("Command").fill("true");
    await page.getByLabel("Tasks", { exact: true }).fill("1000");
    await page.getByText("The server only has").waitFor();
    await page.getByLabel("Tasks", { exact: true }).fill("1");
    await page.locator(".verdict.good").waitFor();
    await page.getByRole("button", { name: "Submit" }).click();
    await page.locator(".story .badge.completed").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("whoever must sign in can, for this tab, and is asked again when it does not hold any more", async () => {
    const guarded = await new Daemon({ FLUX_REQUIRE_AUTH: "true", FLUX_USER: "ann", FLUX_TOKEN: "secret-ünïcode" }).start();
    guarded.headers = { Authorization: `Basic ${Buffer.from("ann:secret-ünïcode").toString("base64")}` };
    const page = await openPage(guarded);
    await page.goto(`${guarded.url}/jobs`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await picture(page, "sign-in");
    assert.deepEqual(await violations(page), []);
    await page.getByLabel("User").fill("ann");
    await page.getByLabel("Token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("These credentials are not taken.").waitFor();
    await page.getByLabel("Token").fill("secret-ünïcode");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".link.live").waitFor();
    const id = await guarded.submit("echo signed");
    await rowOf(page, id).getByText("completed").waitFor();
    await page.goto(`${guarded.url}/jobs/${encodeURIComponent(id)}`);
    await page.locator(".line", { hasText: "signed" }).waitFor();

    // Another tab knows nothing of it, and no address holds a secret.
    const other = await page.context().newPage();
    await other.goto(`${guarded.url}/jobs`);
    await other.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.ok(!page.asked.some((url) => url.includes("secret")));

    await guarded.stop();
    guarded.env = { ...guarded.env, FLUX_TOKEN: "another" };
    await guarded.start();
    guarded.headers = { Authorization: `Basic ${btoa("ann:another")}` };
    await page.getByText("Your credentials are not taken any more.").waitFor();
    await page.getByLabel("User").fill("");
    await page.getByLabel("Token").fill("another");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".link.live").waitFor();
    // Streams and what is downloaded carry the bearer's token, too.
    await page.locator(".line", { hasText: "signed" }).waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    assert.equal(await readFile(await (await download).path(), "utf8"), "signed\n");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
    await guarded.finish();
});

test("a tab holds one stream, a hidden one none; seen again it goes on from its cursor", async () => {
    const page = await openPage(daemon);
    const begun = [];
    const open = new Set();
    page.on("request", (request) => {
        if (!request.url().endsWith("/v1/events")) return;
        begun.push(request);
        open.add(request);
    });
    for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => open.delete(request));
    await inTime(page, "/jobs?name=while-away");
    for (const view of ["Overview", "Nodes", "Jobs"]) await page.getByRole("navigation").getByRole("link", { name: view }).click();
    await inTime(page, "/jobs?name=while-away");
    await until("one stream is open", () => open.size === 1);
    const hide = (hidden) =>
        page.evaluate((is) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => is });
            document.dispatchEvent(new Event("visibilitychange"));
        }, hidden);
    await hide(true);
    await page.locator(".link.paused").waitFor();
    await until("no stream is open", () => open.size === 0);
    const id = await daemon.submit("true", { name: "while-away" });
    await daemon.over(id);
    const before = begun.length;
    await hide(false);
    await rowOf(page, id).getByText("completed").waitFor();
    assert.equal(begun.length, before + 1);
    assert.ok(begun.at(-1).headers()["last-event-id"]);
    assert.equal(open.size, 1);
    await page.context().close();
});

test("the page is small", async () => {
    const page = await openPage(daemon);
    let bytes = 0;
    page.on("response", async (reply) => {
        if (reply.url().includes("/assets/")) bytes += Number(reply.headers()["content-length"]);
    });
    for (const path of ["/", "/jobs", "/jobs/submit", "/nodes"]) await inTime(page, path);
    assert.ok(bytes > 10_000 && bytes < 250_000, `${bytes} bytes`);
    await page.context().close();
});
