// SPDX-License-Identifier: LGPL-3.0-only
// The fields of a submit request, and how a form's texts become their values.
export interface Field {
    name: string;
    label: string;
    help: string;
    kind: "text" | "area" | "count" | "flag" | "pairs" | "lines" | "json" | "value";
    hint?: string;
}

export interface Group {
    title: string;
    open?: boolean;
    fields: Field[];
}

export const GROUPS: Group[] = [
    {
        title: "What to run",
        open: true,
        fields: [
            { name: "command", label: "Command", kind: "area", help: "Split into words as a shell does. For pipes and variables: sh -c '…'.", hint: "hostname" },
            { name: "name", label: "Name", kind: "text", help: "Shown in lists. The program's own name if left empty." },
            { name: "workdir", label: "Directory", kind: "text", help: "Where it starts. The daemon's own directory if left empty.", hint: "/home/me/work" },
        ],
    },
    {
        title: "Size and time",
        open: true,
        fields: [
            { name: "num_tasks", label: "Tasks", kind: "count", help: "How many copies of the program run together.", hint: "1" },
            { name: "cores_per_task", label: "Cores per task", kind: "count", help: "Cores for each of them.", hint: "1" },
            { name: "gpus_per_task", label: "GPUs per task", kind: "count", help: "GPUs for each of them, where there are any.", hint: "0" },
            { name: "num_nodes", label: "Nodes", kind: "count", help: "Spread over so many nodes. As few as it takes if left empty." },
            { name: "exclusive", label: "Whole nodes", kind: "flag", help: "No other job runs on these nodes meanwhile; needs a number of nodes." },
            { name: "runtime", label: "Time limit", kind: "value", help: "Seconds, or as 90s, 15m, 1.5h, 2d. None if left empty.", hint: "15m" },
        ],
    },
    {
        title: "Order and place",
        fields: [
            { name: "urgency", label: "Urgency", kind: "value", help: "0 holds it, 16 is usual, 31 goes first.", hint: "16" },
            { name: "queue", label: "Queue", kind: "text", help: "The queue to wait in, where the engine has queues." },
            { name: "bank", label: "Bank", kind: "text", help: "The account that is charged, where there is accounting." },
            { name: "dependencies", label: "Dependencies", kind: "lines", help: "One a line, such as afterok:f2oWjGy5m: it waits for that job.", hint: "afterok:f2oWjGy5m" },
            { name: "constraints", label: "Constraints", kind: "json", help: "Which nodes will do, as RFC 31 has it.", hint: '{"hostlist": ["node[0-3]"]}' },
        ],
    },
    {
        title: "Environment, input and output",
        fields: [
            { name: "envars", label: "Environment", kind: "pairs", help: "One NAME=value a line, in addition to the daemon's own.", hint: "OMP_NUM_THREADS=4" },
            { name: "stdin", label: "Standard input", kind: "area", help: "A text that the tasks read." },
            { name: "output", label: "Output file", kind: "text", help: "Where standard output goes instead of here." },
            { name: "error", label: "Error file", kind: "text", help: "Where standard error goes instead of here." },
            { name: "label_io", label: "Label lines", kind: "flag", help: "Each line begins with the task that wrote it." },
            { name: "unbuffered", label: "Unbuffered", kind: "flag", help: "Output is passed on as it comes and not by lines." },
        ],
    },
    {
        title: "Finer points",
        fields: [
            { name: "option_flags", label: "Shell options", kind: "pairs", help: "One name=value a line, without -o.", hint: "cpu-affinity=per-task" },
            { name: "rlimits", label: "Limits", kind: "pairs", help: "One name=value a line, such as nofile=4096.", hint: "nofile=4096" },
            { name: "attributes", label: "Attributes", kind: "json", help: "Of your own, kept with the job under attributes.user.", hint: '{"project": "x"}' },
            { name: "is_launcher", label: "Launcher", kind: "flag", help: "The command is nextflow or snakemake, which submits jobs of its own." },
            { name: "jobspec", label: "Jobspec", kind: "json", help: "A whole RFC 25 jobspec in place of the fields above." },
        ],
    },
];

export const FIELDS = GROUPS.flatMap((group) => group.fields);

export type Form = Record<string, string>;

const lines = (text: string) => text.split("\n").filter((line) => line.trim());

function pairs(text: string): Record<string, string> {
    const found: Record<string, string> = {};
    for (const line of lines(text)) {
        const at = line.indexOf("=");
        if (at < 1) throw new Error(`“${line}” is no NAME=value.`);
        found[line.slice(0, at).trim()] = line.slice(at + 1);
    }
    return found;
}

function valueOf(field: Field, text: string): unknown {
    switch (field.kind) {
        case "flag":
            return true;
        case "count":
        case "value":
            return /^-?\d+$/.test(text) ? Number(text) : text;
        case "pairs":
            return pairs(text);
        case "lines":
            return lines(text);
        case "json":
            try {
                return JSON.parse(text);
            } catch (error) {
                throw new Error(`This is no JSON: ${(error as Error).message}.`);
            }
        default:
            return text;
    }
}

/** The request that a form stands for, and what cannot be read of it. */
export function requestOf(form: Form): { fields: Record<string, unknown>; faults: Record<string, string> } {
    const fields: Record<string, unknown> = {};
    const faults: Record<string, string> = {};
    for (const field of FIELDS) {
        const text = form[field.name] ?? "";
        if (!text.trim()) continue;
        try {
            fields[field.name] = valueOf(field, text);
        } catch (error) {
            faults[field.name] = (error as Error).message;
        }
    }
    return { fields, faults };
}

interface Spec {
    tasks?: { command?: string[] }[];
    resources?: SpecResource[];
    attributes?: { system?: Record<string, unknown> };
}
interface SpecResource {
    type: string;
    count: number | { min?: number };
    exclusive?: boolean;
    with?: SpecResource[];
}

/** What of a jobspec the form can show, to run a job again with changes. */
export function formOf(spec: Spec, quote: (word: string) => string): Form {
    const form: Form = {};
    const put = (name: string, value: unknown) => {
        if (value !== undefined && value !== null && value !== "") form[name] = String(value);
    };
    const system = spec.attributes?.system ?? {};
    put("command", spec.tasks?.[0]?.command?.map(quote).join(" "));
    let slots = 1;
    const walk = (list: SpecResource[] | undefined, inSlot: boolean) => {
        for (const one of list ?? []) {
            const n = typeof one.count === "number" ? one.count : (one.count?.min ?? 1);
            if (one.type === "node") {
                put("num_nodes", n);
                if (one.exclusive) form.exclusive = "true";
                slots *= n;
            } else if (one.type === "slot") put("num_tasks", (slots *= n) > 1 ? slots : "");
            else if (one.type === "core" && inSlot) put("cores_per_task", n > 1 ? n : "");
            else if (one.type === "gpu" && inSlot) put("gpus_per_task", n);
            walk(one.with, inSlot || one.type === "slot");
        }
    };
    walk(spec.resources, false);
    if (typeof system.duration === "number" && system.duration > 0) put("runtime", system.duration);
    put("workdir", system.cwd);
    put("queue", system.queue);
    put("bank", system.bank);
    put("name", (system.job as { name?: string } | undefined)?.name);
    if (system.constraints) put("constraints", JSON.stringify(system.constraints));
    return form;
}
