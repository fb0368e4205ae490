// SPDX-License-Identifier: LGPL-3.0-only
// The table of jobs: filters, columns and order are in the address.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { post, type JobEvent } from "./api";
import { COLUMNS, NARROW, WIDE } from "./columns";
import { count, many } from "./format";
import { JobList, type Chosen, type Filter } from "./joblist";
import { listen } from "./live";
import { address, setParams } from "./route";
import { mediaValue, useValue } from "./state";
import { JobTable } from "./table";
import { Ask, Fail, say } from "./ui";

const FILTERS = ["state", "result", "name", "user", "queue", "since", "until", "q"] as const;
const DEFAULT_SORT = "-t_submit";
const SPANS: [string, string][] = [
    ["", "any time"],
    ["3600", "the last hour"],
    ["86400", "the last day"],
    ["604800", "the last week"],
];

/** "the last hour" is kept as such in the address, so that it means the same tomorrow. */
function filterOf(params: URLSearchParams): Filter {
    const filter: Filter = {};
    for (const name of FILTERS) {
        const value = params.get(name);
        if (value) filter[name] = value;
    }
    const last = Number(params.get("last"));
    if (last > 0) filter.since = String(Math.floor(Date.now() / 1000) - last);
    if (filter.name && !/[*?]/.test(filter.name)) filter.name = `*${filter.name}*`;
    return filter;
}

function useJobs(search: string, sort: string, onEvents: (events: JobEvent[]) => void): JobList {
    const [, redraw] = useState({});
    const list = useMemo(
        () => new JobList(filterOf(new URLSearchParams(search)), sort, () => redraw({})),
        [search, sort],
    );
    useEffect(() => {
        const leave = listen({
            events: (events) => {
                list.changed();
                onEvents(events);
            },
            anew: () => list.load(),
        });
        return () => {
            leave();
            list.stop();
        };
    }, [list]);
    return list;
}

function Choice(props: { label: string; name: string; value: string; options: [string, string][] }) {
    return (
        <label>
            {props.label}
            <select value={props.value} onChange={(e) => setParams({ [props.name]: e.currentTarget.value })}>
                {props.options.map(([value, title]) => (
                    <option value={value}>{title}</option>
                ))}
            </select>
        </label>
    );
}

function Text(props: { label: string; name: string; value: string; hint?: string; search?: boolean }) {
    const timer = useRef<ReturnType<typeof setTimeout>>();
    // What is typed stands in the field before it stands in the address.
    const [text, setText] = useState(props.value);
    useEffect(() => setText(props.value), [props.value]);
    useEffect(() => () => clearTimeout(timer.current), []);
    const input = (text: string) => {
        setText(text);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => setParams({ [props.name]: text }), 300);
    };
    return (
        <label class={props.search ? "wide" : ""}>
            {props.label}
            <input
                type={props.search ? "search" : "text"}
                value={text}
                placeholder={props.hint}
                id={props.search ? "search" : undefined}
                onInput={(e) => input(e.currentTarget.value)}
                spellcheck={false}
                autocomplete="off"
            />
        </label>
    );
}

function Filters({ params }: { params: URLSearchParams }) {
    const is = (name: string) => params.get(name) ?? "";
    return (
        <div class="filters" role="search">
            <Text label="Search" name="q" value={is("q")} hint="id, name, command, node" search />
            <Choice
                label="State"
                name="state"
                value={is("state")}
                options={[
                    ["", "any"],
                    ["pending", "waiting"],
                    ["running", "running"],
                    ["active", "waiting or running"],
                    ["inactive", "ended"],
                ]}
            />
            <Choice
                label="Result"
                name="result"
                value={is("result")}
                options={[
                    ["", "any"],
                    ["completed", "completed"],
                    ["failed,timeout", "failed or timed out"],
                    ["failed", "failed"],
                    ["canceled", "canceled"],
                    ["timeout", "timed out"],
                ]}
            />
            <Text label="Name" name="name" value={is("name")} hint="part, or * and ?" />
            <Text label="User" name="user" value={is("user")} hint="all" />
            <Text label="Queue" name="queue" value={is("queue")} hint="any" />
            <Choice label="Active in" name="last" value={is("last")} options={SPANS} />
        </div>
    );
}

function Columns({ shown }: { shown: string[] }) {
    const change = (key: string, on: boolean) => {
        const chosen = COLUMNS.map((c) => c.key).filter((k) => (k === key ? on : shown.includes(k)));
        setParams({ cols: chosen.join(",") });
    };
    return (
        <details class="columns">
            <summary>Columns</summary>
            <fieldset>
                <legend class="hidden">Columns to show</legend>
                {COLUMNS.map((column) => (
                    <label class="check">
                        <input
                            type="checkbox"
                            checked={shown.includes(column.key)}
                            onChange={(e) => change(column.key, e.currentTarget.checked)}
                        />
                        {column.title}
                    </label>
                ))}
            </fieldset>
        </details>
    );
}

const MOST = 1000; // ids that the server takes at once

interface Cancelled {
    cancelled: number;
    refused_count: number;
    refused: { jobid: string; detail: string }[];
}

function CancelDialog(props: { jobs: Chosen[]; ended: number; close: () => void; done: () => void }) {
    // Those that are asked about: jobs that end meanwhile are refused, and told.
    const [jobs] = useState(props.jobs);
    const [ended] = useState(props.ended);
    const [reason, setReason] = useState("");
    const n = jobs.length;
    const act = async () => {
        let asked = 0;
        let refused = 0;
        let first = "";
        for (let i = 0; i < n; i += MOST) {
            const ids = jobs.slice(i, i + MOST).map((job) => job.jobid);
            const reply = await post<Cancelled>("/v1/jobs/cancel", { ids, ...(reason ? { reason } : {}) });
            asked += reply.cancelled;
            refused += reply.refused_count;
            first ||= reply.refused[0] ? `${reply.refused[0].jobid}: ${reply.refused[0].detail}` : "";
        }
        props.done();
        say(`${many(asked, "job is", "jobs are")} asked to cancel.`);
        if (refused) say(`${many(refused, "job was", "jobs were")} not: ${first}`, true);
    };
    return (
        <Ask title={`Cancel ${many(n, "job")}?`} action={`Cancel ${many(n, "job")}`} danger close={props.close} act={act}>
            <p>
                What they have not finished is lost.
                {ended > 0 && ` ${many(ended, "selected job")} ended already, and will be left alone.`}
            </p>
            <ul class="sample">
                {jobs.slice(0, 5).map((job) => (
                    <li>
                        {job.jobid} <bdi>{job.name}</bdi>
                    </li>
                ))}
                {n > 5 && <li>and {count(n - 5)} more</li>}
            </ul>
            <label>
                Reason, for whoever looks at them later
                <input type="text" value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
            </label>
        </Ask>
    );
}

const narrow = mediaValue("(max-width: 640px)");

/** The jobs that are selected, whether in sight or not, each in its present state. */
function useSelected() {
    const [selected, setSelected] = useState(new Map<string, Chosen>());
    const onEvents = useCallback((events: JobEvent[]) => {
        setSelected((old) => {
            const news = events.filter((e) => old.has(e.jobid) && old.get(e.jobid)!.state !== e.state);
            if (!news.length) return old;
            const is = new Map(old);
            for (const { jobid, state } of news) is.set(jobid, { ...is.get(jobid)!, state });
            return is;
        });
    }, []);
    return { selected, setSelected, onEvents };
}

export function JobsPage() {
    const params = new URLSearchParams(useValue(address).search);
    const few = useValue(narrow);
    const sort = params.get("sort") ?? DEFAULT_SORT;
    const cols = params.get("cols") ?? (few ? NARROW : WIDE).join(",");
    const columns = useMemo(() => COLUMNS.filter((c) => cols.split(",").includes(c.key)), [cols]);
    const relevant = new URLSearchParams([...params].filter(([name]) => name !== "sort" && name !== "cols"));
    const { selected, setSelected, onEvents } = useSelected();
    const list = useJobs(relevant.toString(), sort, onEvents);
    const [cancelling, setCancelling] = useState(false);
    const chosen = useMemo(() => [...selected.values()].filter((j) => j.state !== "INACTIVE"), [selected]);

    useEffect(() => {
        const onKey = (event: KeyboardEvent) => {
            if (event.key !== "/" || (event.target as Element).closest("input, textarea, select")) return;
            document.getElementById("search")?.focus();
            event.preventDefault();
        };
        document.addEventListener("keydown", onKey);
        return () => document.removeEventListener("keydown", onKey);
    }, []);

    return (
        <div class="jobs-page">
            <div class="row between">
                <h1>Jobs</h1>
                <a class="button primary" href="/jobs/submit">
                    Submit a job
                </a>
            </div>
            <Filters params={params} />
            <div class="row between toolbar">
                <span id="counted" aria-live="polite">
                    {list.total === null ? "Loading…" : many(list.total, "job")}
                    {selected.size > 0 && `, ${count(selected.size)} selected`}
                </span>
                <span class="row">
                    {selected.size > 0 && (
                        <>
                            <button type="button" onClick={() => setSelected(new Map())}>
                                Select none
                            </button>
                            <button type="button" class="danger" disabled={!chosen.length} onClick={() => setCancelling(true)}>
                                Cancel {count(chosen.length)}…
                            </button>
                        </>
                    )}
                    {relevant.size > 0 && (
                        <a class="button" href="/jobs">
                            Clear filters
                        </a>
                    )}
                    <Columns shown={cols.split(",")} />
                </span>
            </div>
            {list.error && <Fail error={list.error} again={() => list.load()} />}
            <JobTable
                list={list}
                columns={columns}
                sort={sort}
                onSort={(to) => setParams({ sort: to === DEFAULT_SORT ? "" : to })}
                selected={selected}
                onSelect={setSelected}
            />
            {!list.error && list.total === 0 && (
                <p class="empty">
                    {relevant.size ? "No job matches these filters." : "There is no job yet. "}
                    {!relevant.size && <a href="/jobs/submit">Submit the first one.</a>}
                </p>
            )}
            <p class="quiet keys">
                Keys in the table: arrows move, space selects, shift with arrows selects a range, Ctrl+A all that match, enter opens, / searches.
            </p>
            {cancelling && (
                <CancelDialog
                    jobs={chosen}
                    ended={selected.size - chosen.length}
                    close={() => setCancelling(false)}
                    done={() => setSelected(new Map())}
                />
            )}
        </div>
    );
}
