// SPDX-License-Identifier: LGPL-3.0-only
// The form for a new job, checked by the server as it is typed.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, post, Problem, type Job } from "./api";
import { curlOf, fluxRestOf, pythonSubmitOf } from "./equal";
import { FIELDS, formOf, GROUPS, requestOf, type Field, type Form } from "./fields";
import { shellQuote } from "./format";
import { address, go } from "./route";
import { useValue } from "./state";
import { CopyBox, Fail, jobLink, say } from "./ui";

interface Verdict {
    state: "none" | "asking" | "good" | "bad" | "unknown";
    text: string;
    faults: Record<string, string>;
}

const NOTHING: Verdict = { state: "none", text: "", faults: {} };

function verdictOf(problem: Problem): Verdict {
    const faults: Record<string, string> = {};
    const rest: string[] = [];
    for (const { pointer, detail } of problem.errors) {
        const name = pointer.split("/")[1] ?? "";
        if (FIELDS.some((f) => f.name === name)) faults[name] = faults[name] ? `${faults[name]} ${detail}` : detail;
        else rest.push(detail);
    }
    const text = rest.join(" ") || (Object.keys(faults).length ? "Some fields need a change." : problem.message);
    return { state: "bad", text, faults };
}

function useVerdict(fields: Record<string, unknown>, faults: Record<string, string>): Verdict {
    const [verdict, setVerdict] = useState(NOTHING);
    const text = JSON.stringify(fields);
    useEffect(() => {
        if (text === "{}" || Object.keys(faults).length) {
            setVerdict(NOTHING);
            return;
        }
        const late = { is: false };
        const timer = setTimeout(async () => {
            try {
                const reply = await post<{ detail?: string; why?: string; Message?: string }>("/v1/jobs?dry_run=true", fields);
                if (late.is) return;
                setVerdict({ state: "good", text: reply.why ?? reply.detail ?? "This job can run here.", faults: {} });
            } catch (error) {
                if (late.is) return;
                if (error instanceof Problem && error.status >= 400 && error.status < 500) setVerdict(verdictOf(error));
                else setVerdict({ state: "unknown", text: (error as Error).message, faults: {} });
            }
        }, 350);
        return () => {
            late.is = true;
            clearTimeout(timer);
        };
    }, [text]);
    return verdict;
}

function Input({ field, value, fault, set }: { field: Field; value: string; fault?: string; set: (text: string) => void }) {
    const id = `f-${field.name}`;
    const common = {
        id,
        "aria-describedby": `${id}-help${fault ? ` ${id}-fault` : ""}`,
        "aria-invalid": fault ? true : undefined,
    };
    if (field.kind === "flag")
        return (
            <div class="field">
                <label class="check">
                    <input {...common} type="checkbox" checked={value === "true"} onChange={(e) => set(e.currentTarget.checked ? "true" : "")} />
                    {field.label}
                </label>
                <p class="help" id={`${id}-help`}>
                    {field.help}
                </p>
                {fault && (
                    <p class="fault" id={`${id}-fault`}>
                        {fault}
                    </p>
                )}
            </div>
        );
    const area = ["area", "pairs", "lines", "json"].includes(field.kind);
    const input = {
        ...common,
        value,
        placeholder: field.hint,
        spellcheck: false,
        onInput: (e: { currentTarget: { value: string } }) => set(e.currentTarget.value),
    };
    return (
        <div class={`field${area ? " wide" : ""}`}>
            <label for={id}>{field.label}</label>
            {area ? (
                <textarea {...input} rows={field.name === "command" ? 2 : 3} class="mono" />
            ) : (
                <input {...input} type="text" inputMode={field.kind === "count" ? "numeric" : undefined} autocomplete="off" />
            )}
            <p class="help" id={`${id}-help`}>
                {field.help}
            </p>
            {fault && (
                <p class="fault" id={`${id}-fault`}>
                    {fault}
                </p>
            )}
        </div>
    );
}

/** The form of an earlier job, if the address names one. */
function useLike(setForm: (form: Form) => void): Error | null {
    const like = new URLSearchParams(useValue(address).search).get("like");
    const [error, setError] = useState<Error | null>(null);
    useEffect(() => {
        if (!like) return;
        const path = `/v1/jobs/${encodeURIComponent(like)}`;
        const load = async () => {
            try {
                setForm(formOf(await get(`${path}/jobspec`), shellQuote));
            } catch (failure) {
                if (!(failure instanceof Problem) || failure.status !== 501) throw failure;
                // This engine keeps no jobspec to read: what the list knows has to do.
                const job = await get<Job>(path);
                const number = (n: number | "" | undefined) => (n && n > 1 ? String(n) : "");
                setForm({
                    command: job.command ?? "",
                    workdir: job.cwd ?? "",
                    num_tasks: number(job.ntasks),
                    runtime: job.duration > 0 ? String(job.duration) : "",
                });
                say("Only a part of the former job can be read: look the fields over.");
            }
        };
        load().catch(setError);
    }, [like]);
    return error;
}

export function SubmitPage() {
    const [form, setForm] = useState<Form>({});
    const [error, setError] = useState<Error | null>(null);
    const [busy, setBusy] = useState(false);
    const likeError = useLike(setForm);
    const { fields, faults } = useMemo(() => requestOf(form), [form]);
    const verdict = useVerdict(fields, faults);
    // One key for one request: asked again after a lost reply, it makes no second job.
    const key = useRef({ text: "", key: "" });
    const text = JSON.stringify(fields);
    const all = { ...verdict.faults, ...faults };

    const submit = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setError(null);
        if (key.current.text !== text) key.current = { text, key: `page-${[...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join("")}` };
        try {
            const job = await post<{ jobid: string }>("/v1/jobs", fields, { "Idempotency-Key": key.current.key });
            key.current = { text: "", key: "" };
            go(jobLink(job));
        } catch (failure) {
            setError(failure as Error);
            document.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
        }
        setBusy(false);
    };
    const rest = fluxRestOf(fields);
    return (
        <>
            <p class="crumbs">
                <a href="/jobs">Jobs</a>
            </p>
            <h1>Submit a job</h1>
            {likeError && <Fail error={likeError} />}
            <div class="submit-page">
                <form onSubmit={submit} noValidate>
                    {GROUPS.map((group) => {
                        const used = group.fields.some((f) => form[f.name] || all[f.name]);
                        return (
                            <details class="card" open={group.open || used}>
                                <summary>{group.title}</summary>
                                <div class="fields">
                                    {group.fields.map((field) => (
                                        <Input
                                            key={field.name}
                                            field={field}
                                            value={form[field.name] ?? ""}
                                            fault={all[field.name]}
                                            set={(value) => setForm((old) => ({ ...old, [field.name]: value }))}
                                        />
                                    ))}
                                </div>
                            </details>
                        );
                    })}
                    {error && <Fail error={error} />}
                    <div class="row between submit-bar">
                        <span role="status" class={`verdict ${verdict.state}`}>
                            {verdict.state === "good" && "✓ "}
                            {verdict.state === "bad" && "✕ "}
                            {verdict.text}
                        </span>
                        <button type="submit" class="primary" disabled={busy || text === "{}" || Object.keys(faults).length > 0}>
                            Submit
                        </button>
                    </div>
                </form>
                <aside class="card" aria-label="The same from a terminal or a program">
                    <h2>The same elsewhere</h2>
                    <CopyBox label="curl" text={curlOf("POST", "/v1/jobs", fields)} />
                    <CopyBox label="flux-rest" text={rest ?? "flux-rest has no option for one of these fields, or there is no command yet."} />
                    <CopyBox label="Python" text={pythonSubmitOf(fields)} />
                </aside>
            </div>
        </>
    );
}
