// SPDX-License-Identifier: LGPL-3.0-only
// The table of jobs: filters, columns and order are in the address.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { post, idInPath, type Job } from "./api";
import { COLUMNS, NARROW, WIDE } from "./columns";
import { count, many } from "./format";
import { JobList, type Filter } from "./joblist";
import { listen, service } from "./live";
import { address, setParams } from "./route";
import { useValue, Value } from "./state";
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

function useJobs(search: string, sort: string): JobList {
    const [, redraw] = useState({});
    const list = useMemo(
        () => new JobList(filterOf(new URLSearchParams(search)), sort, () => redraw({})),
        [search, sort],
    );
    useEffect(() => {
        const leave = listen({ events: (events) => list.events(events), anew: () => void list.load() });
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
    const input = (text: string) => {
        clearTimeout(timer.current);
        timer.current = setTimeout(() => setParams({ [props.name]: text }), 300);
    };
    return (
        <label>
            {props.label}
            <input
                type={props.search ? "search" : "text"}
                value={props.value}
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

/** Cancels them, a few at a time; gives back how many were asked, and what was refused. */
async function cancelAll(ids: string[], reason: string): Promise<{ asked: number; refused: string[] }> {
    const left = [...ids];
    const refused: string[] = [];
    let asked = 0;
    const work = async () => {
        for (let id = left.pop(); id; id = left.pop())
            try {
                await post(`/v1/jobs/${idInPath(id)}/cancel`, reason ? { reason } : {});
                asked++;
            } catch (error) {
                refused.push(`${id}: ${(error as Error).message}`);
            }
    };
    await Promise.all([1, 2, 3, 4].map(work));
    return { asked, refused };
}

function CancelDialog(props: { jobs: Job[]; selected: number; close: () => void; done: () => void }) {
    const [reason, setReason] = useState("");
    const n = props.jobs.length;
    const ended = props.selected - n;
    const act = async () => {
        const { asked, refused } = await cancelAll(
            props.jobs.map((j) => j.jobid),
            reason,
        );
        props.done();
        say(`${many(asked, "job is", "jobs are")} asked to cancel.`);
        if (refused.length) say(`${many(refused.length, "job was", "jobs were")} not: ${refused[0]}`, true);
    };
    return (
        <Ask title={`Cancel ${many(n, "job")}?`} action={`Cancel ${many(n, "job")}`} danger close={props.close} act={act}>
            <p>
                What they have not finished is lost.
                {ended > 0 && ` ${many(ended, "selected job")} ended already or ${ended === 1 ? "is" : "are"} not in the list, and will be left alone.`}
            </p>
            <ul class="sample">
                {props.jobs.slice(0, 5).map((job) => (
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

const media = matchMedia("(max-width: 640px)");
const narrow = new Value(media.matches);
media.addEventListener("change", () => narrow.set(media.matches));

function Counted({ list, filtered }: { list: JobList; filtered: boolean }) {
    const is = useValue(service);
    const all = is && !filtered ? Object.values(is.jobs).reduce((a, b) => a + b, 0) : 0;
    const n = list.rows.length;
    if (!list.more) return <>{list.loading && !n ? "Loading…" : many(n, "job")}</>;
    return <>{all > n ? `${count(n)} of ${many(all, "job")} loaded` : `${many(n, "job")} loaded, more follow`}</>;
}

export function JobsPage() {
    const params = new URLSearchParams(useValue(address).search);
    const few = useValue(narrow);
    const sort = params.get("sort") ?? DEFAULT_SORT;
    const cols = params.get("cols")?.split(",") ?? (few ? NARROW : WIDE);
    const relevant = new URLSearchParams([...params].filter(([name]) => name !== "sort" && name !== "cols"));
    const list = useJobs(relevant.toString(), sort);
    const [selected, setSelected] = useState(new Set<string>());
    const [cancelling, setCancelling] = useState(false);
    const [toEnd, setToEnd] = useState(false);
    const chosen = selected.size ? list.rows.filter((j) => selected.has(j.jobid) && j.state !== "INACTIVE") : [];

    useEffect(() => {
        if (!toEnd || list.loading) return;
        if (list.more && !list.error) void list.loadMore();
        else {
            setToEnd(false);
            const grid = document.querySelector(".jobs");
            grid?.scrollTo(0, grid.scrollHeight);
        }
    });
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
                    <Counted list={list} filtered={relevant.size > 0} />
                    {selected.size > 0 && `, ${count(selected.size)} selected`}
                </span>
                <span class="row">
                    {selected.size > 0 && (
                        <>
                            <button type="button" onClick={() => setSelected(new Set())}>
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
                    <Columns shown={cols} />
                </span>
            </div>
            {list.error && <Fail error={list.error} again={() => void list.load()} />}
            <JobTable
                rows={list.rows}
                columns={COLUMNS.filter((c) => cols.includes(c.key))}
                sort={sort}
                onSort={(to) => setParams({ sort: to === DEFAULT_SORT ? "" : to })}
                selected={selected}
                onSelect={setSelected}
                more={list.more && !list.error}
                loading={list.loading}
                loadMore={() => void list.loadMore()}
                toEnd={() => setToEnd(true)}
            />
            {!list.loading && !list.error && list.rows.length === 0 && (
                <p class="empty">
                    {relevant.size ? "No job matches these filters." : "There is no job yet. "}
                    {!relevant.size && <a href="/jobs/submit">Submit the first one.</a>}
                </p>
            )}
            <p class="quiet keys">
                Keys in the table: arrows move, space selects, shift with arrows selects a range, enter opens, / searches.
            </p>
            {cancelling && (
                <CancelDialog
                    jobs={chosen}
                    selected={selected.size}
                    close={() => setCancelling(false)}
                    done={() => setSelected(new Set())}
                />
            )}
        </div>
    );
}
