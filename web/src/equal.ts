// SPDX-License-Identifier: LGPL-3.0-only
// The same request for a terminal and a program.
import { shellQuote } from "./format";

export type Fields = Record<string, unknown>;

const FLAGS: Record<string, string> = {
    num_tasks: "--ntasks",
    cores_per_task: "--cores-per-task",
    gpus_per_task: "--gpus-per-task",
    num_nodes: "--nodes",
    workdir: "--cwd",
    runtime: "--time-limit",
    name: "--job-name",
    queue: "--queue",
    bank: "--bank",
    urgency: "--urgency",
    output: "--output",
    error: "--error",
};
const SWITCHES: Record<string, string> = { exclusive: "--exclusive", label_io: "--label-io", unbuffered: "--unbuffered" };

export function curlOf(method: string, path: string, fields?: Fields): string {
    const url = shellQuote(location.origin + path);
    const verb = method === "GET" ? "" : `-X ${method} `;
    if (!fields) return `curl ${verb}${url}`;
    return `curl -H 'Content-Type: application/json' \\\n    -d ${shellQuote(JSON.stringify(fields))} \\\n    ${url}`;
}

/** null: the client has no option for one of the fields. */
export function fluxRestOf(fields: Fields): string | null {
    const words = ["flux-rest", "submit"];
    for (const [name, value] of Object.entries(fields)) {
        if (name === "command") continue;
        if (SWITCHES[name]) value && words.push(SWITCHES[name]);
        else if (FLAGS[name]) words.push(`${FLAGS[name]}=${shellQuote(String(value))}`);
        else if (name === "envars") for (const [k, v] of Object.entries(value as Fields)) words.push(`--env=${shellQuote(`${k}=${v}`)}`);
        else if (name === "option_flags") for (const [k, v] of Object.entries(value as Fields)) words.push(`--setopt=${shellQuote(`${k}=${typeof v === "string" ? v : JSON.stringify(v)}`)}`);
        else if (name === "dependencies") for (const d of value as unknown[]) typeof d === "string" && words.push(`--dependency=${shellQuote(d)}`);
        else return null;
    }
    if (!fields.command) return null;
    const command = Array.isArray(fields.command) ? fields.command.map((w) => shellQuote(String(w))).join(" ") : String(fields.command);
    return [...words, command].join(" ");
}

function pythonOf(value: unknown): string {
    if (value === true) return "True";
    if (value === false) return "False";
    if (value === null) return "None";
    if (Array.isArray(value)) return `[${value.map(pythonOf).join(", ")}]`;
    if (typeof value === "object") return `{${Object.entries(value!).map(([k, v]) => `${pythonOf(k)}: ${pythonOf(v)}`).join(", ")}}`;
    // A JSON text is a Python one too, but for what JSON leaves as a pair of halves.
    return JSON.stringify(value);
}

export function pythonSubmitOf(fields: Fields): string {
    const { command, ...rest } = fields;
    const words = [pythonOf(command ?? ""), ...Object.entries(rest).map(([k, v]) => `${k}=${pythonOf(v)}`)];
    return `from flux_restful_client import FluxRestfulClient\n\nwith FluxRestfulClient(${pythonOf(location.origin)}) as client:\n    job = client.submit(${words.join(", ")})\n    for line in client.stream_output(job["jobid"]):\n        print(line)`;
}

export function pythonJobOf(jobid: string): string {
    return `from flux_restful_client import FluxRestfulClient\n\nwith FluxRestfulClient(${pythonOf(location.origin)}) as client:\n    job = client.jobs(${pythonOf(jobid.replace(/^ƒ/, "f"))})\n    print(job["state"], job["result"], job["returncode"])`;
}
