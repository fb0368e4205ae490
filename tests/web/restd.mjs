// SPDX-License-Identifier: LGPL-3.0-only
// A daemon and a browser to test with.
//
// FLUX_RESTD   the daemon's binary (default: build/flux-restd)
// CHROMIUM     the browser (default: /usr/bin/chromium)
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const binary = process.env.FLUX_RESTD ?? join(here, "../../build/flux-restd");
export const pictures = join(here, "pictures");
export const LIMIT = 60_000; // milliseconds that anything awaited may take

async function freePort() {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

export async function until(what, condition, limit = LIMIT) {
    const deadline = Date.now() + limit;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** One flux-restd, on the local engine unless the words for another are given, which can be killed and started again in its place. */
export class Daemon {
    constructor(env = {}, engine = ["--engine", "local"]) {
        this.folder = mkdtempSync(join(tmpdir(), "restd-web-"));
        this.env = env;
        this.engine = engine;
        this.headers = {};
    }

    async start() {
        this.port ??= await freePort();
        this.url = `http://127.0.0.1:${this.port}`;
        const kept = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith("FLUX_")));
        const words = [...this.engine, "--listen", `127.0.0.1:${this.port}`, "--state-dir", join(this.folder, "state")];
        this.process = spawn(binary, words, {
            env: { ...kept, ...this.env },
            cwd: this.folder,
            stdio: ["ignore", "ignore", "pipe"],
        });
        this.stderr = "";
        this.process.stderr.on("data", (data) => (this.stderr += data));
        this.ended = new Promise((resolve) => this.process.once("exit", (code) => resolve(code)));
        await until("the daemon is ready", async () => {
            if (this.process.exitCode !== null) throw new Error(`the daemon ended: ${this.stderr}`);
            return fetch(`${this.url}/readyz`).then((r) => r.ok, () => false);
        }, 180_000);
        return this;
    }

    /** Puts so many jobs that have ended into the store; before the start. */
    fill(count) {
        const state = join(this.folder, "state");
        mkdirSync(state, { mode: 0o700, recursive: true });
        const program = join(dirname(binary), "tests/bench/fill_store");
        const { status, stderr } = spawnSync(program, [state, String(count)], { encoding: "utf8" });
        if (status !== 0) throw new Error(`fill_store: ${stderr}`);
    }

    async stop(signal = "SIGTERM") {
        if (this.process.exitCode === null) this.process.kill(signal);
        return this.ended;
    }

    async finish() {
        await this.cancelAll().catch(() => {});
        await this.stop();
        rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    }

    async ask(method, path, body) {
        const reply = await fetch(this.url + path, {
            method,
            headers: { ...this.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        const value = await reply.json();
        if (!reply.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`);
        return value;
    }

    async submit(command, fields = {}) {
        return (await this.ask("POST", "/v1/jobs/submit", { command, ...fields })).jobid;
    }

    job(id) {
        return this.ask("GET", `/v1/jobs/${encodeURIComponent(id)}`);
    }

    /** Submits many jobs at once; all must be taken. */
    async many(jobs) {
        const told = await this.ask("POST", "/v1/jobs", jobs);
        const bad = told.find((one) => one.status >= 300);
        if (bad) throw new Error(`POST /v1/jobs: ${JSON.stringify(bad)}`);
        return told;
    }

    over(id) {
        return until(`job ${id} has ended`, async () => (await this.job(id)).state === "INACTIVE");
    }

    async cancelAll() {
        const { jobs } = await this.ask("GET", "/v1/jobs?state=active&limit=10000");
        for (const job of jobs) await this.ask("POST", `/v1/jobs/${encodeURIComponent(job.jobid)}/cancel`).catch(() => {});
    }
}

let browser;

export async function openBrowser() {
    browser ??= await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu"],
    });
    return browser;
}

export async function closeBrowser() {
    await browser?.close();
    browser = undefined;
}

/** A page that notes every fault: errors, refusals by the policy, requests to elsewhere. */
export async function openPage(daemon, options = {}) {
    const context = await (await openBrowser()).newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(LIMIT);
    page.faults = [];
    page.asked = [];
    page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
        // What the network refuses is told by the page; all else is a fault.
        if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text()))
            page.faults.push(`console: ${message.text()}`);
    });
    page.on("dialog", (dialog) => {
        page.faults.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
    });
    page.on("request", (request) => {
        page.asked.push(request.url());
        if (!request.url().startsWith(daemon.url) && !request.url().startsWith("blob:" + daemon.url))
            page.faults.push(`request to elsewhere: ${request.url()}`);
    });
    return page;
}

const axe = await readFile(join(here, "node_modules/axe-core/axe.min.js"), "utf8");

/** What axe-core has against the page, by WCAG 2.2 AA. */
export async function violations(page) {
    // The policy lets nothing in; the debugger's protocol is above it.
    const client = await page.context().newCDPSession(page);
    await client.send("Runtime.evaluate", { expression: axe });
    const { result, exceptionDetails } = await client.send("Runtime.evaluate", {
        expression: `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
            .then((r) => r.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + n.failureSummary).join(" | ")))`,
        awaitPromise: true,
        returnByValue: true,
    });
    await client.detach();
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
}

export async function picture(page, name) {
    mkdirSync(pictures, { recursive: true });
    for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.screenshot({ path: join(pictures, `${name}-${scheme}.png`) });
    }
    await page.emulateMedia({ colorScheme: "light" });
}
