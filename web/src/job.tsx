// SPDX-License-Identifier: LGPL-3.0-only
// One job.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, idInPath, post, Problem, type Job, type JobEvent } from "./api";
import { curlOf, pythonJobOf } from "./equal";
import { duration, exact, statusOf, story } from "./format";
import { listen, service } from "./live";
import { Output } from "./output";
import { now, throttled, useValue } from "./state";
import { Timeline } from "./timeline";
import { Ask, Badge, CopyBox, Fail, say, Time } from "./ui";

function useJob(jobid: string) {
    const [job, setJob] = useState<Job | null>(null);
    const [events, setEvents] = useState<JobEvent[] | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const known = useRef<Job | null>(null); // its id may be given in another form than events have it
    const turn = useRef(0);
    const load = useMemo(
        () => async () => {
            const mine = ++turn.current;
            const path = `/v1/jobs/${idInPath(jobid)}`;
            try {
                const found = await get<Job>(path);
                // An engine that keeps no log answers 501: then there is none to show.
                const log = await get<{ events: JobEvent[] }>(`${path}/events`).catch((failure) => {
                    if (failure instanceof Problem && failure.status) return null;
                    throw failure;
                });
                if (mine !== turn.current) return; // a later question has the newer answer
                known.current = found;
                setJob(found);
                setEvents(log?.events ?? null);
                setError(null);
            } catch (failure) {
                if (mine === turn.current) setError(failure as Error);
            }
        },
        [jobid],
    );
    useEffect(() => {
        const soon = throttled(() => void load(), 300);
        const later = throttled(() => void load(), 3000);
        const leave = listen({
            events: (batch) => {
                if (!known.current || batch.some((event) => event.jobid === known.current?.jobid)) soon();
                // Why a job waits changes with other jobs.
                else if (statusOf(known.current).kind === "waiting") later();
            },
            anew: () => void load(),
        });
        return () => {
            leave();
            soon.stop();
            later.stop();
        };
    }, [jobid, load]);
    return { job, events, error, load };
}

function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
    return (
        <dl class="facts">
            {rows
                .filter(([, value]) => Boolean(value))
                .map(([term, value]) => (
                    <div>
                        <dt>{term}</dt>
                        <dd>{value}</dd>
                    </div>
                ))}
        </dl>
    );
}

function About({ job }: { job: Job }) {
    const many = (n: number | "" | undefined, word: string) => (n ? `${n} ${word}${n === 1 ? "" : "s"}` : "");
    const size = [many(job.ntasks, "task"), many(job.ncores, "core"), many(job.ngpus, "GPU"), many(job.nnodes, "node")];
    return (
        <section class="card" aria-label="About the job">
            <h2>About</h2>
            <Facts
                rows={[
                    ["Command", job.command && <bdi class="mono break">{job.command}</bdi>],
                    ["Directory", job.cwd && <bdi class="mono break">{job.cwd}</bdi>],
                    ["User", job.username && <bdi>{job.username}</bdi>],
                    ["Queue", job.queue && <bdi>{job.queue}</bdi>],
                    ["Size", size.filter(Boolean).join(", ")],
                    ["Where", job.nodelist && <bdi class="break">{job.nodelist}</bdi>],
                    ["Urgency", job.urgency === 0 ? "0 (held)" : String(job.urgency)],
                    ["Priority", String(job.priority)],
                    ["Time limit", job.duration > 0 ? duration(job.duration) : "none"],
                    ["Submitted", <Time at={job.t_submit} />],
                    ["Started", job.t_run && <Time at={job.t_run} />],
                    ["Ended", job.t_inactive && <Time at={job.t_inactive} />],
                    ["Return code", job.returncode === "" ? "" : String(job.returncode)],
                    ["Exception", job.exception.occurred && <bdi class="break">{`${job.exception.type} (severity ${job.exception.severity})${job.exception.note ? `: ${job.exception.note}` : ""}`}</bdi>],
                ]}
            />
        </section>
    );
}

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT", "SIGKILL"];

function SignalDialog({ job, close }: { job: Job; close: () => void }) {
    const [signal, setSignal] = useState("SIGTERM");
    const act = async () => {
        await post(`/v1/jobs/${idInPath(job.jobid)}/kill`, { signal });
        say(`${signal} is sent to ${job.jobid}.`);
    };
    return (
        <Ask title="Send a signal" action={`Send ${signal}`} close={close} act={act}>
            <label>
                Signal, to every task of the job
                <select value={signal} onChange={(e) => setSignal(e.currentTarget.value)}>
                    {SIGNALS.map((name) => (
                        <option>{name}</option>
                    ))}
                </select>
            </label>
        </Ask>
    );
}

function UrgencyDialog({ job, close }: { job: Job; close: () => void }) {
    const [urgency, setUrgency] = useState(String(job.urgency));
    const act = async () => {
        await post(`/v1/jobs/${idInPath(job.jobid)}/urgency`, { urgency: Number(urgency) });
        say(`The urgency of ${job.jobid} is ${urgency}.`);
    };
    return (
        <Ask title="Urgency" action="Set it" close={close} act={act}>
            <label>
                0 holds the job, 16 is usual, 31 lets it go first
                <input type="number" min={0} max={31} required value={urgency} onInput={(e) => setUrgency(e.currentTarget.value)} />
            </label>
        </Ask>
    );
}

function CancelDialog({ job, close }: { job: Job; close: () => void }) {
    const [reason, setReason] = useState("");
    const act = async () => {
        await post(`/v1/jobs/${idInPath(job.jobid)}/cancel`, reason ? { reason } : {});
        say(`${job.jobid} is asked to cancel.`);
    };
    return (
        <Ask title={`Cancel ${job.jobid}?`} action="Cancel the job" danger close={close} act={act}>
            <p>What it has not finished is lost.</p>
            <label>
                Reason, for whoever looks at it later
                <input type="text" value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
            </label>
        </Ask>
    );
}

function Steer({ job }: { job: Job }) {
    const [dialog, setDialog] = useState<"" | "cancel" | "signal" | "urgency">("");
    const is = useValue(service);
    if (!is?.roles.includes("submit")) return null;
    const can = is.features;
    const active = job.state !== "INACTIVE";
    const waits = active && !["RUN", "CLEANUP"].includes(job.state);
    const close = () => setDialog("");
    return (
        <span class="row">
            <a class="button" href={`/jobs/submit?like=${idInPath(job.jobid)}`}>
                Run again…
            </a>
            {waits && can.includes("urgency") && (
                <button type="button" onClick={() => setDialog("urgency")}>
                    Urgency…
                </button>
            )}
            {job.state === "RUN" && can.includes("kill") && (
                <button type="button" onClick={() => setDialog("signal")}>
                    Signal…
                </button>
            )}
            {active && can.includes("cancel") && (
                <button type="button" class="danger" onClick={() => setDialog("cancel")}>
                    Cancel…
                </button>
            )}
            {dialog === "cancel" && <CancelDialog job={job} close={close} />}
            {dialog === "signal" && <SignalDialog job={job} close={close} />}
            {dialog === "urgency" && <UrgencyDialog job={job} close={close} />}
        </span>
    );
}

function Jobspec({ jobid }: { jobid: string }) {
    const [text, setText] = useState("");
    const load = async () => {
        if (text) return;
        try {
            setText(JSON.stringify(await get(`/v1/jobs/${idInPath(jobid)}/jobspec`), null, 2));
        } catch (error) {
            setText((error as Error).message);
        }
    };
    return (
        <details class="card" onToggle={(e) => e.currentTarget.open && void load()}>
            <summary>Jobspec</summary>
            <CopyBox label="Jobspec" text={text || "Asking for it…"} />
        </details>
    );
}

export function JobPage({ jobid }: { jobid: string }) {
    const { job, events, error, load } = useJob(jobid);
    const current = useValue(now);
    useEffect(() => {
        if (job) document.title = `${job.jobid} ${job.name}: flux-restd`;
    }, [job]);
    if (!job)
        return error ? (
            <>
                <h1>Job {jobid}</h1>
                <Fail error={error} again={() => void load()} />
                <p>
                    <a href="/jobs">All jobs</a>
                </p>
            </>
        ) : (
            <>
                <h1>Job {jobid}</h1>
                <p class="empty">Loading…</p>
            </>
        );
    const path = `/v1/jobs/${idInPath(job.jobid)}`;
    return (
        <div class="job-page">
            <p class="crumbs">
                <a href="/jobs">Jobs</a>
            </p>
            <div class="row between">
                <h1>
                    {job.jobid} <bdi class="break">{job.name}</bdi>
                </h1>
                <Steer job={job} />
            </div>
            {error && <Fail error={error} again={() => void load()} />}
            <p class="story" title={`submitted ${exact(job.t_submit)}`}>
                <Badge job={job} /> <bdi>{story(job, current)}</bdi>
            </p>
            <Output key={job.jobid} jobid={job.jobid} ntasks={job.ntasks ?? 1} active={job.state !== "INACTIVE"} />
            <div class="columns-2">
                <About job={job} />
                <Timeline job={job} events={events} />
            </div>
            <Jobspec jobid={job.jobid} />
            <details class="card">
                <summary>The same from a terminal or a program</summary>
                <CopyBox label="curl" text={curlOf("GET", path)} />
                <CopyBox label="flux-rest" text={`flux-rest job ${idInPath(job.jobid)}`} />
                <CopyBox label="Python" text={pythonJobOf(job.jobid)} />
            </details>
        </div>
    );
}
