// SPDX-License-Identifier: LGPL-3.0-only
// Jobs, times and sizes in words.
import type { Job } from "./api";

export interface Status {
    kind: "waiting" | "running" | "completed" | "failed" | "canceled" | "timeout";
    word: string;
    mark: string; // so that it is not the colour alone that tells
}

export function statusOf(job: { state: string; result: string; urgency?: number | "" }): Status {
    switch (job.state) {
        case "RUN":
            return { kind: "running", word: "running", mark: "▶" };
        case "CLEANUP":
            return { kind: "running", word: "ending", mark: "▶" };
        case "INACTIVE":
            break;
        default:
            if (job.urgency === 0) return { kind: "waiting", word: "held", mark: "‖" };
            return { kind: "waiting", word: "waiting", mark: "○" };
    }
    switch (job.result) {
        case "COMPLETED":
            return { kind: "completed", word: "completed", mark: "✓" };
        case "CANCELED":
            return { kind: "canceled", word: "canceled", mark: "⊘" };
        case "TIMEOUT":
            return { kind: "timeout", word: "timed out", mark: "◷" };
        default:
            return { kind: "failed", word: "failed", mark: "✕" };
    }
}

const UNITS: [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
];

/** "1 h 5 min", "12 s", "0.25 s": the two largest units. */
export function duration(seconds: number): string {
    if (!Number.isFinite(seconds)) return "–";
    if (seconds < 0) return "0 s";
    if (seconds < 10) return `${Math.round(seconds * 100) / 100} s`;
    const whole = Math.floor(seconds);
    const at = UNITS.findIndex(([size]) => whole >= size);
    const [size, unit] = UNITS[at]!;
    const next = UNITS[at + 1];
    const rest = next ? Math.floor((whole % size) / next[0]) : 0;
    return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${next![1]}` : ""}`;
}

export function ago(time: number, now: number): string {
    const passed = now - time;
    if (passed < 5) return "just now";
    if (passed < 60) return `${Math.floor(passed / 5) * 5} s ago`;
    const [size, unit] = UNITS.find(([s]) => passed >= s)!;
    return `${Math.floor(passed / size)} ${unit} ago`;
}

let stamp: Intl.DateTimeFormat | undefined; // made when it is first needed: that takes a while
export function exact(time: number): string {
    stamp ??= new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
    return stamp.format(time * 1000);
}
export const iso = (time: number): string => new Date(time * 1000).toISOString();

export const count = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
export const many = (n: number, one: string, more = `${one}s`): string => `${count(n)} ${n === 1 ? one : more}`;

/** How long a job has been running, or ran. */
export function runtime(job: Job, now: number): number | null {
    if (!job.t_run) return null;
    const end = job.t_cleanup ?? job.t_inactive ?? Math.max(now, job.t_run);
    return end - job.t_run;
}

export const engineLost = (why: string | null): string => `The engine is not reached${why ? `: ${why.replace(/\.$/, "")}` : ""}.`;

const SIGNALS: Record<number, string> = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM",
    15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
}; // prettier-ignore

function exitWords(job: Job): string {
    const status = typeof job.waitstatus === "number" ? job.waitstatus : -1;
    const code = job.returncode;
    const signal = status >= 0 && status & 0x7f ? status & 0x7f : typeof code === "number" && code > 128 ? code - 128 : 0;
    if (signal && SIGNALS[signal]) return `signal ${SIGNALS[signal]} ended it (return code ${code})`;
    if (code === 127) return "its return code is 127: most often there is no such program";
    if (code === 126) return "its return code is 126: most often the program may not be run";
    return typeof code === "number" ? `its return code is ${code}` : "";
}

/** What became of a job, or why it waits, as a sentence. */
export function story(job: Job, now: number): string {
    const ran = runtime(job, now);
    const note = [job.exception.type, job.exception.note].filter(Boolean).join(": ");
    const where = job.nodelist ? ` on ${job.nodelist}` : "";
    switch (statusOf(job).kind) {
        case "waiting":
            return `It ${/^waiting/.test(job.why) ? "is " : "waits: "}${job.why || "no reason is known"}.`;
        case "running": {
            if (job.state === "CLEANUP") return `Its tasks${where} have ended, and it is cleaned up.`;
            const left = job.duration > 0 && job.t_run ? job.t_run + job.duration - now : null;
            const limit = left === null ? "without a time limit" : left > 0 ? `with ${duration(left)} left` : "at its time limit";
            return `It has been running${where} for ${duration(ran ?? 0)}, ${limit}.`;
        }
        case "completed":
            return `It ran${where} for ${duration(ran ?? 0)} and ended well.`;
        case "canceled":
            return `It was cancelled ${ran === null ? "before it ran" : `after ${duration(ran)}${where}`}${job.exception.note ? `: ${job.exception.note}` : ""}.`;
        case "timeout":
            return `It reached its time limit of ${duration(job.duration)}${where}.`;
        default: {
            const reasons = [exitWords(job), note].filter(Boolean).join("; ");
            return `It failed ${ran === null ? "before it ran" : `after ${duration(ran)}${where}`}${reasons ? `: ${reasons}` : ""}.`;
        }
    }
}

const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
export { quote as shellQuote };
