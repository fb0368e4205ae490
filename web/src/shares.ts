// SPDX-License-Identifier: LGPL-3.0-only
// Which cores and GPUs of which node a job has, from its R (RFC 20), which never changes.
import { useEffect, useState } from "preact/hooks";
import { get, idInPath, type Node } from "./api";

const MOST = 300; // jobs that are asked for
const AT_ONCE = 4;

interface R {
    execution?: { R_lite?: { rank: string; children: { core?: string; gpu?: string } }[] };
}

type Share = Record<"core" | "gpu", number[]>;
/** By rank. */
export type Shares = Map<number, Share>;

/** An idset, as RFC 22 has it: "0-3,7". */
export function idset(text = ""): number[] {
    const ids: number[] = [];
    for (const part of text.replace(/[[\]]/g, "").split(",")) {
        const [from, to] = part.split("-").map(Number);
        if (part && Number.isInteger(from)) for (let id = from!; id <= (to ?? from!); id++) ids.push(id);
    }
    return ids;
}

function sharesOf(r: R): Shares {
    const shares: Shares = new Map();
    for (const { rank, children } of r.execution?.R_lite ?? [])
        for (const one of idset(rank)) shares.set(one, { core: idset(children.core), gpu: idset(children.gpu) });
    return shares;
}

/** What the nodes' jobs have, as far as it is known yet. */
export function useShares(nodes: Node[] | null): Map<string, Shares> {
    const [known, setKnown] = useState(new Map<string, Shares>());
    useEffect(() => {
        const jobs = [...new Set(nodes?.flatMap((node) => node.jobs))].slice(0, MOST);
        const asked = jobs.filter((id) => !known.has(id));
        if (!asked.length) return;
        let stopped = false;
        const found = new Map(jobs.filter((id) => known.has(id)).map((id) => [id, known.get(id)!]));
        const work = async () => {
            for (let id = asked.pop(); id && !stopped; id = asked.pop())
                // What cannot be told is drawn as in use.
                found.set(id, await get<R>(`/v1/jobs/${idInPath(id)}/R`).then(sharesOf, () => new Map()));
        };
        void Promise.all(Array.from({ length: AT_ONCE }, work)).then(() => stopped || setKnown(found));
        return () => {
            stopped = true;
        };
    }, [nodes]);
    return known;
}
