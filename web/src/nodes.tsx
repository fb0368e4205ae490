// SPDX-License-Identifier: LGPL-3.0-only
// The nodes, their cores as cells, and taking them out of service.
import { useEffect, useState } from "preact/hooks";
import { get, post, type Node } from "./api";
import { count, many } from "./format";
import { listen, service } from "./live";
import { useShares, type Shares } from "./shares";
import { throttled, useValue } from "./state";
import { Ask, Fail, jobLink, say } from "./ui";

const COLOURS = 8;
const SHOWN = 12; // jobs named in a node's card

/** One of some colours, the same for a job wherever it runs. */
function colourOf(jobid: string): number {
    let sum = 0;
    for (const c of jobid) sum = (sum * 31 + c.charCodeAt(0)) >>> 0;
    return sum % COLOURS;
}

const MARKS: Record<string, string> = { free: "○", partly: "◐", allocated: "●", drained: "⊘", down: "✕", offline: "✕" };

interface Cell {
    kind: string;
    title: string;
}

/** Each core in the colour of the job that has it; of what cannot be told, that it is in use. */
function cellsOf(node: Node, what: "core" | "gpu", all: number, used: number, shares: Map<string, Shares>): Cell[] {
    const cells: Cell[] = Array.from({ length: all }, () => ({ kind: "free", title: "free" }));
    let left = used;
    for (const job of node.jobs)
        for (const id of shares.get(job)?.get(node.rank)?.[what] ?? [])
            if (cells[id]?.kind === "free") {
                cells[id] = { kind: `c-${colourOf(job)}`, title: job };
                left--;
            }
    for (let i = 0; i < all && left > 0; i++)
        if (cells[i]!.kind === "free") {
            cells[i] = { kind: "used", title: "in use" };
            left--;
        }
    return cells;
}

function Cells(props: { node: Node; what: "core" | "gpu"; all: number; used: number; shares: Map<string, Shares> }) {
    const { node, what, all, used, shares } = props;
    if (!all) return null;
    return (
        <div>
            <div class="row between">
                <span>{what === "core" ? "Cores" : "GPUs"}</span>
                <span class="number">
                    {used} of {all} in use
                </span>
            </div>
            <div class="cells" aria-hidden="true">
                {cellsOf(node, what, Math.min(all, 512), used, shares).map((cell) => (
                    <span class={cell.kind} title={cell.title} />
                ))}
            </div>
        </div>
    );
}

function DrainDialog({ node, close, done }: { node: Node; close: () => void; done: () => void }) {
    const [reason, setReason] = useState("");
    const act = async () => {
        await post(`/v1/nodes/${encodeURIComponent(node.name)}/drain`, reason ? { reason } : {});
        say(`${node.name} is drained.`);
        done();
    };
    return (
        <Ask title={`Drain ${node.name}?`} action="Drain it" danger close={close} act={act}>
            <p>Jobs that run there go on; no new ones start until it is undrained.</p>
            <label>
                Reason, for whoever looks at it
                <input type="text" value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
            </label>
        </Ask>
    );
}

function NodeCard({ node, shares, reload }: { node: Node; shares: Map<string, Shares>; reload: () => void }) {
    const is = useValue(service);
    const [draining, setDraining] = useState(false);
    const may = is?.roles.includes("admin");
    const drained = node.state === "drained";
    const undrain = async () => {
        try {
            await post(`/v1/nodes/${encodeURIComponent(node.name)}/undrain`);
            say(`${node.name} is back in service.`);
            reload();
        } catch (error) {
            say((error as Error).message, true);
        }
    };
    return (
        <article class="card node" aria-label={node.name}>
            <div class="row between">
                <h2>
                    <bdi>{node.name}</bdi> <span class="quiet">rank {node.rank}</span>
                </h2>
                <span class={`badge n-${node.state}`}>
                    <span aria-hidden="true">{MARKS[node.state] ?? "?"}</span> {node.state}
                </span>
            </div>
            {node.drain_reason && (
                <p class="notice">
                    <bdi>{node.drain_reason}</bdi>
                </p>
            )}
            <Cells node={node} what="core" all={node.cores} used={node.cores_used} shares={shares} />
            <Cells node={node} what="gpu" all={node.gpus} used={node.gpus_used} shares={shares} />
            <p class="node-jobs">
                {node.jobs.length ? (
                    <>
                        {many(node.jobs.length, "job")}:{" "}
                        {node.jobs.slice(0, SHOWN).map((job) => (
                            <>
                                <span class={`swatch c-${colourOf(job)}`} aria-hidden="true" /> <a href={jobLink(job)}>{job}</a>{" "}
                            </>
                        ))}
                        {node.jobs.length > SHOWN && `and ${count(node.jobs.length - SHOWN)} more`}
                    </>
                ) : (
                    <span class="quiet">No job runs here.</span>
                )}
            </p>
            {may && is?.features.includes("drain") && !drained && (
                <button type="button" onClick={() => setDraining(true)}>
                    Drain…
                </button>
            )}
            {may && is?.features.includes("undrain") && drained && (
                <button type="button" onClick={() => void undrain()}>
                    Undrain
                </button>
            )}
            {draining && <DrainDialog node={node} close={() => setDraining(false)} done={reload} />}
        </article>
    );
}

export function NodesPage() {
    const [nodes, setNodes] = useState<Node[] | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const [shown, setShown] = useState(100);
    const shares = useShares(nodes);
    const load = () =>
        get<{ nodes: Node[] }>("/v1/nodes?details=true").then(
            (reply) => {
                setNodes(reply.nodes);
                setError(null);
            },
            (failure) => setError(failure as Error),
        );
    useEffect(() => {
        const soon = throttled(() => void load(), 1000);
        const timer = setInterval(() => document.hidden || soon(), 15_000);
        const leave = listen({ events: soon, anew: soon });
        return () => {
            leave();
            clearInterval(timer);
            soon.stop();
        };
    }, []);
    return (
        <>
            <h1>Nodes</h1>
            {error && <Fail error={error} again={() => void load()} />}
            {!nodes && !error && <p class="empty">Loading…</p>}
            {nodes?.length === 0 && <p class="empty">There is no node.</p>}
            <div class="nodes">
                {nodes?.slice(0, shown).map((node) => (
                    <NodeCard key={node.rank} node={node} shares={shares} reload={() => void load()} />
                ))}
            </div>
            {nodes && nodes.length > shown && (
                <button type="button" onClick={() => setShown(shown + 200)}>
                    Show more of the {many(nodes.length, "node")}
                </button>
            )}
        </>
    );
}
