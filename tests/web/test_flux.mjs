// SPDX-License-Identifier: LGPL-3.0-only
// The page before a Flux instance of four nodes. Run by tools/run-tests web.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { closeBrowser, Daemon, openPage, picture, until, violations } from "./restd.mjs";

const CONFIG = `
[resource]
noverify = true
[[resource.config]]
hosts = "node[0-3]"
cores = "0-3"
gpus = "0"
[queues.batch]
[queues.debug]
[policy]
jobspec.defaults.system.queue = "batch"
`;
const missing = spawnSync("flux", ["--version"]).status === 0 ? false : "there is no flux on the PATH";
let folder, instance, broker, daemon;

before(async () => {
    if (missing) return;
    folder = mkdtempSync(join(tmpdir(), "restd-flux-"));
    writeFileSync(join(folder, "config.toml"), CONFIG);
    const first = `flux queue start --all --quiet; echo "$FLUX_URI $(flux getattr broker.pid)" > ${folder}/new; mv ${folder}/new ${folder}/uri; exec sleep infinity`;
    const words = ["start", "-s", "4", "--test-hosts=node[0-3]", `--config-path=${folder}`, "sh", "-c", first];
    instance = spawn("flux", words, { stdio: "ignore", detached: true });
    const [uri, pid] = await until(
        "Flux is up",
        () => {
            try {
                return readFileSync(join(folder, "uri"), "utf8").trim().split(" ");
            } catch {
                return null;
            }
        },
        120_000,
    );
    broker = Number(pid);
    daemon = await new Daemon({}, ["--engine", "flux", "--flux-uri", uri]).start();
});

after(async () => {
    if (missing) return;
    await closeBrowser();
    await daemon?.finish();
    const ended = new Promise((done) => instance.once("exit", done));
    process.kill(-instance.pid, "SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
});

async function open(path) {
    const page = await openPage(daemon);
    await page.goto(daemon.url + path);
    await page.locator(".link.live").waitFor();
    return page;
}

test("nodes are shown, drained and undrained", { skip: missing }, async () => {
    const id = await daemon.submit("sleep 600", { num_tasks: 2, cores_per_task: 3, gpus_per_task: 1, num_nodes: 2, name: "wide" });
    const page = await open("/nodes");
    for (const name of ["node0", "node1", "node2", "node3"]) await page.getByRole("article", { name }).waitFor();
    const busy = page.getByRole("article").filter({ has: page.getByRole("link", { name: id }) });
    await until("two nodes have the job", async () => (await busy.count()) === 2);
    await busy.first().getByText("3 of 4 in use").waitFor();
    // Its cores and GPU in its colour, and no others.
    await until("the job's cells are drawn", async () => (await page.locator(`.cells [title="${id}"]`).count()) === 8);
    assert.equal(await page.locator(".cells :not(.free)").count(), 8);
    const node = page.getByRole("article", { name: "node3" });
    await node.getByRole("button", { name: "Drain…" }).click();
    await page.getByRole("dialog").getByRole("textbox").fill("fan <b>broken</b>");
    await page.getByRole("button", { name: "Drain it" }).click();
    await node.getByText("fan <b>broken</b>").waitFor();
    await node.locator(".n-drained").waitFor();
    assert.deepEqual(await violations(page), []);
    await picture(page, "nodes-flux");
    await page.goto(`${daemon.url}/`);
    await page.getByText("node3 is drained: fan <b>broken</b>").waitFor();
    await page.locator(".latest .badge.running").waitFor();
    await picture(page, "overview-flux");
    await page.goto(`${daemon.url}/nodes`);
    await node.getByRole("button", { name: "Undrain" }).click();
    await node.locator(".n-free").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("a job is submitted to a queue, waits for a reason, and its tasks' output is told apart", { skip: missing }, async () => {
    await daemon.submit("sleep 600", { num_nodes: 4, exclusive: true, name: "first" });
    const page = await open("/jobs/submit");
    await page.getByLabel("Command").fill("sh -c 'echo from task $FLUX_TASK_RANK; echo wrong >&2'");
    await page.getByLabel("Tasks", { exact: true }).fill("2");
    await page.getByLabel("Nodes", { exact: true }).fill("4");
    await page.getByText("Order and place").click();
    await page.getByLabel("Queue").fill("nowhere");
    await page.locator(".verdict.bad").waitFor();
    await page.getByLabel("Queue").fill("debug");
    await page.getByLabel("Tasks", { exact: true }).fill("4");
    await page.locator(".verdict.good").waitFor();
    await page.getByRole("button", { name: "Submit" }).click();
    await page.locator(".story .badge.waiting").waitFor();
    assert.doesNotMatch(await page.locator(".story").textContent(), /no reason is known/);
    await picture(page, "job-waits");
    const id = decodeURIComponent(new URL(page.url()).pathname.split("/").pop());
    const list = await open("/jobs?queue=debug&cols=status,id,queue");
    await list.locator(".jobs-space [role=row]", { hasText: "debug" }).waitFor();
    await list.context().close();
    await daemon.ask("POST", "/v1/jobs/cancel", { state: "active", queue: "batch" });
    await page.locator("[data-ended=true]").waitFor();
    await page.locator(".story .badge.completed").waitFor();
    const lines = await page.locator(".line .text").allTextContents();
    assert.deepEqual(lines.filter((line) => line.startsWith("from")).sort(), [0, 1, 2, 3].map((n) => `from task ${n}`));
    assert.equal(await page.locator(".line.err").count(), 4);
    await page.goto(`${daemon.url}/jobs/submit?like=${encodeURIComponent(id)}`);
    await page.waitForFunction(() => document.querySelector("textarea").value.includes("from task"));
    assert.equal(await page.getByLabel("Queue").inputValue(), "debug");
    assert.deepEqual(page.faults, []);
    await page.context().close();
});

test("an engine that is gone is shown in words, and the page recovers", { skip: missing }, async () => {
    const page = await open("/jobs");
    process.kill(broker, "SIGSTOP");
    try {
        await page.getByText("The engine is not reached").waitFor({ timeout: 120_000 });
        assert.deepEqual(await violations(page), []);
        await picture(page, "jobs-engine-gone");
    } finally {
        process.kill(broker, "SIGCONT");
    }
    await page.locator(".wrong").waitFor({ state: "detached", timeout: 120_000 });
    const id = await daemon.submit("true");
    await page.locator(`[data-id="${id}"]`).getByText("completed").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
});
