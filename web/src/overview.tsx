// SPDX-License-Identifier: LGPL-3.0-only
// What runs here, how busy it is, and what is wrong with it.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { get, type Job, type Node, type Service } from "./api";
import { count, duration, engineLost, many } from "./format";
import { JobList } from "./joblist";
import { listen, service } from "./live";
import { mediaValue, throttled, useValue } from "./state";
import { Badge, Fail, jobLink, Meter, Time } from "./ui";

const STATES: [string, string[], string][] = [
    ["waiting", ["NEW", "DEPEND", "PRIORITY", "SCHED"], "pending"],
    ["running", ["RUN", "CLEANUP"], "running"],
    ["ended", ["INACTIVE"], "inactive"],
];

function useNodes(): Node[] | null {
    const [nodes, setNodes] = useState<Node[] | null>(null);
    useEffect(() => {
        const load = throttled(
            () => void get<{ nodes: Node[] }>("/v1/nodes?details=true").then((r) => setNodes(r.nodes), () => {}),
            2000,
        );
        const leave = listen({ anew: load, events: load });
        return () => {
            leave();
            load.stop();
        };
    }, []);
    return nodes;
}

function Wrong({ is, nodes }: { is: Service | null; nodes: Node[] | null }) {
    const faults: string[] = [];
    if (is?.status === "lost") faults.push(`${engineLost(is.lost)} What is shown may be old; nothing can be submitted.`);
    if (is?.status === "starting") faults.push("The engine is being read; not every job is known yet.");
    if (is?.status === "stopping") faults.push("The service is stopping.");
    for (const node of nodes ?? [])
        if (["down", "offline", "drained"].includes(node.state))
            faults.push(`${node.name} is ${node.state}${node.drain_reason ? `: ${node.drain_reason}` : ""}.`);
    if (!faults.length) return null;
    return (
        <section class="notice bad" aria-label="What is wrong">
            <h2>What is wrong</h2>
            <ul>
                {faults.slice(0, 8).map((fault) => (
                    <li>
                        <bdi>{fault}</bdi>
                    </li>
                ))}
                {faults.length > 8 && (
                    <li>
                        and {faults.length - 8} more, on the page of <a href="/nodes">nodes</a>
                    </li>
                )}
            </ul>
        </section>
    );
}

interface History {
    times: number[];
    series: { name: string; values: (number | null)[] }[];
}

/** finished counts since the daemon began. */
interface Point {
    t: number;
    pending: number;
    running: number;
    finished: number;
}

function rate(before: Point | undefined, point: Point): number | null {
    if (!before || point.finished < before.finished || point.t <= before.t) return null;
    return ((point.finished - before.finished) * 60) / (point.t - before.t);
}

function historyOf(points: Point[] | undefined): History | null {
    if (!points || points.length < 2) return null;
    const pick = (name: keyof Point) => points.map((p) => p[name]);
    return {
        times: pick("t"),
        series: [
            { name: "waiting", values: pick("pending") },
            { name: "running", values: pick("running") },
            { name: "ended a minute", values: points.map((p, i) => rate(points[i - 1], p)) },
        ],
    };
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

const dark = mediaValue("(prefers-color-scheme: dark)");

function Plot({ history }: { history: History }) {
    const theme = useValue(dark);
    const ref = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const element = ref.current!;
        const colour = (name: string) => {
            element.style.color = `var(${name})`; // resolved by the theme
            return getComputedStyle(element).color;
        };
        const strokes = ["--waiting", "--running", "--completed"].map(colour);
        const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
        const options: uPlot.Options = {
            width: element.clientWidth,
            height: 200,
            legend: { show: false },
            // Always an hour, however long the daemon is up.
            scales: { x: { range: (_u, _min, max) => [max - 3600, max] }, y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.1)] } },
            axes: [{ ...axis, values: (_u, times) => times.map((t) => clock.format(t * 1000)) }, { ...axis, size: 48 }],
            series: [{}, ...history.series.map((s, i) => ({ label: s.name, stroke: strokes[i], width: 2 }))],
        };
        const plot = new uPlot(options, [history.times, ...history.series.map((s) => s.values)], element);
        const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 200 }));
        observer.observe(element);
        return () => {
            observer.disconnect();
            plot.destroy();
        };
    }, [history, theme]);
    const last = history.series.map((s) => `${s.name} ${count(Math.round(s.values.at(-1) ?? 0))}`).join(", ");
    return (
        <>
            <div ref={ref} class="plot" role="img" aria-label={`The last hour; now: ${last}`} />
            <ul class="legend">
                {history.series.map((s, i) => (
                    <li>
                        <span class={`swatch s-${i}`} aria-hidden="true" /> {s.name}
                    </li>
                ))}
            </ul>
        </>
    );
}

function useHistory(): History | null {
    const [history, setHistory] = useState<History | null>(null);
    useEffect(() => {
        const load = async () => {
            if (document.hidden) return;
            setHistory(historyOf((await get<{ history?: Point[] }>("/v1/stats?history=1h")).history));
        };
        const soon = () => void load().catch(() => {});
        const timer = setInterval(soon, 10_000);
        const leave = listen({ anew: soon });
        return () => {
            clearInterval(timer);
            leave();
        };
    }, []);
    return history;
}

const LATEST = 12;

function useLatest(): { jobs: Job[]; error: Error | null; loading: boolean } {
    const [, redraw] = useState({});
    const [list] = useState(() => new JobList({}, "-t_submit", () => redraw({}), LATEST));
    useEffect(() => {
        const leave = listen({ events: () => list.changed(), anew: () => list.load() });
        return () => {
            leave();
            list.stop();
        };
    }, [list]);
    const jobs = Array.from({ length: LATEST }, (_, i) => list.row(i)).filter((job) => job !== undefined);
    return { jobs, error: list.error, loading: list.loading };
}

function useFailed(): number | null {
    const [failed, setFailed] = useState<number | null>(null);
    useEffect(() => {
        const load = async () => {
            const since = Math.floor(Date.now() / 1000) - 3600;
            const path = `/v1/jobs?user=all&result=failed,timeout&since=${since}&start=0&limit=0`;
            setFailed((await get<{ total: number }>(path)).total);
        };
        const soon = throttled(() => void load().catch(() => {}), 5000);
        const leave = listen({ anew: soon, events: soon });
        return () => {
            leave();
            soon.stop();
        };
    }, []);
    return failed;
}

function Latest() {
    const { jobs, error, loading } = useLatest();
    return (
        <section class="card" aria-label="Latest jobs">
            <div class="row between">
                <h2>Latest jobs</h2>
                <a href="/jobs">All jobs</a>
            </div>
            {error && <Fail error={error} />}
            {jobs.length ? (
                <table class="plain latest">
                    <thead>
                        <tr>
                            <th>Job</th>
                            <th>Name</th>
                            <th>Status</th>
                            <th>Submitted</th>
                        </tr>
                    </thead>
                    <tbody>
                        {jobs.map((job) => (
                            <tr key={job.jobid}>
                                <td>
                                    <a href={jobLink(job)}>{job.jobid}</a>
                                </td>
                                <td class="clip">
                                    <bdi>{job.name}</bdi>
                                </td>
                                <td>
                                    <Badge job={job} />
                                </td>
                                <td>
                                    <Time at={job.t_submit} />
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : (
                <p class="empty">
                    {loading ? "Loading…" : "There is no job yet. "}
                    {!loading && <a href="/jobs/submit">Submit the first one.</a>}
                </p>
            )}
        </section>
    );
}

function sum(nodes: Node[], field: "cores" | "cores_used" | "gpus" | "gpus_used"): number {
    return nodes.reduce((total, node) => total + node[field], 0);
}

export function OverviewPage() {
    const is = useValue(service);
    const nodes = useNodes();
    const history = useHistory();
    const failed = useFailed();
    const busy = nodes?.filter((n) => n.jobs.length > 0).length ?? 0;
    return (
        <>
            <div class="row between">
                <h1>Overview</h1>
                <a class="button primary" href="/jobs/submit">
                    Submit a job
                </a>
            </div>
            <Wrong is={is} nodes={nodes} />
            <div class="tiles">
                {is &&
                    STATES.map(([word, states, filter]) => (
                        <a class="tile" href={`/jobs?state=${filter}`}>
                            <strong>{count(states.reduce((total, s) => total + (is.jobs[s] ?? 0), 0))}</strong>
                            <span>{word}</span>
                        </a>
                    ))}
                {failed !== null && (
                    <a class="tile" href="/jobs?result=failed,timeout&last=3600">
                        <strong>{count(failed)}</strong>
                        <span>failed in the last hour</span>
                    </a>
                )}
            </div>
            <div class="columns-2">
                <section class="card" aria-label="In use">
                    <div class="row between">
                        <h2>In use</h2>
                        <a href="/nodes">Nodes</a>
                    </div>
                    {nodes && nodes.length > 0 ? (
                        <>
                            <Meter label="Nodes" used={busy} all={nodes.length} />
                            <Meter label="Cores" used={sum(nodes, "cores_used")} all={sum(nodes, "cores")} />
                            {sum(nodes, "gpus") > 0 && <Meter label="GPUs" used={sum(nodes, "gpus_used")} all={sum(nodes, "gpus")} />}
                        </>
                    ) : (
                        <p class="empty">{nodes ? "There is no node." : "Not known yet."}</p>
                    )}
                    {is && (
                        <dl class="facts">
                            <div>
                                <dt>Engine</dt>
                                <dd>
                                    {is.engine === "flux" ? "Flux" : "local"}, {is.status}
                                </dd>
                            </div>
                            <div>
                                <dt>Size</dt>
                                <dd>
                                    {many(is.nodes, "node")}, {many(is.cores, "core")}
                                    {is.gpus > 0 && `, ${many(is.gpus, "GPU")}`}
                                </dd>
                            </div>
                            <div>
                                <dt>Instance</dt>
                                <dd class="mono break">{is.instance ?? "none"}</dd>
                            </div>
                            <div>
                                <dt>Daemon</dt>
                                <dd>
                                    flux-restd {is.version}, up for {duration(Math.floor(is.uptime))}
                                </dd>
                            </div>
                            <div>
                                <dt>You</dt>
                                <dd>
                                    <bdi>{is.user}</bdi>, may {is.roles.join(", ")}
                                </dd>
                            </div>
                        </dl>
                    )}
                </section>
                <Latest />
            </div>
            {history && history.series.length > 0 && (
                <section class="card" aria-label="The last hour">
                    <h2>The last hour</h2>
                    <Plot history={history} />
                </section>
            )}
        </>
    );
}
