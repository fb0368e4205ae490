// SPDX-License-Identifier: LGPL-3.0-only
// The jobs that a filter finds, in an order, kept up to date from the event stream. The server
// pages and filters; what an event says of a job is only that it changed, and the changed ones
// are asked for together, with the filter, so that there is one opinion on what matches.
import { get, query, type Job, type JobEvent } from "./api";
import { compareIds } from "./format";
import { throttled } from "./state";

export type Filter = Partial<Record<"state" | "result" | "name" | "user" | "queue" | "since" | "until" | "q", string>>;

const BATCH = 150; // ids in an address
const FIELDS =
    "jobid,name,username,queue,urgency,priority,command,state,result,returncode,waitstatus,exception," +
    "t_submit,t_run,t_cleanup,t_inactive,duration,runtime,ntasks,ncores,nnodes,nodelist,why";

const STATES = ["NEW", "DEPEND", "PRIORITY", "SCHED", "RUN", "CLEANUP", "INACTIVE"];
const RESULTS = ["", "COMPLETED", "FAILED", "CANCELED", "TIMEOUT"];

function keyOf(job: Job, field: string): string | number {
    if (field === "state") return STATES.indexOf(job.state);
    if (field === "jobid") return ""; // its order is not that of texts
    if (field === "result") return RESULTS.indexOf(job.result);
    const value = (job as unknown as Record<string, unknown>)[field];
    return typeof value === "number" || typeof value === "string" ? value : "";
}

function compareKeys(a: string | number, b: string | number): number {
    if (typeof a !== typeof b) return typeof a === "string" ? -1 : 1; // "": not known yet
    return a < b ? -1 : a > b ? 1 : 0;
}

/** sort: a field, with "-" before it backwards. */
export function comparison(sort: string): (a: Job, b: Job) => number {
    const field = sort.replace(/^-/, "");
    const sign = sort.startsWith("-") ? -1 : 1;
    return (a, b) => sign * (compareKeys(keyOf(a, field), keyOf(b, field)) || compareIds(a.jobid, b.jobid));
}

export class JobList {
    rows: Job[] = [];
    /** Whether more follow on the server. */
    more = false;
    loading = true;
    error: Error | null = null;

    private known = new Map<string, Job>();
    private next: string | null = null;
    private dirty = new Set<string>();
    private fetching = false;
    private compare: (a: Job, b: Job) => number;
    private stopped = new AbortController();
    private generation = 0;
    private changedSoon = throttled(() => void this.fetchChanged(), 300);

    constructor(
        private filter: Filter,
        private sort: string,
        private onChange: () => void,
        /** Jobs in a page. */
        private limit = 2000,
    ) {
        this.compare = comparison(sort);
    }

    stop(): void {
        this.stopped.abort();
        this.changedSoon.stop();
    }

    events(events: JobEvent[]): void {
        for (const event of events) this.dirty.add(event.jobid);
        if (!this.loading) this.changedSoon();
    }

    async load(): Promise<void> {
        const generation = ++this.generation;
        this.loading = true;
        this.onChange();
        try {
            const fresh = new Map<string, Job>();
            const next = await this.page(null, fresh);
            if (generation !== this.generation) return;
            this.known = fresh;
            this.next = next;
            this.error = null;
        } catch (error) {
            if (generation !== this.generation || this.stopped.signal.aborted) return;
            this.error = error as Error;
        }
        this.settle();
    }

    async loadMore(): Promise<void> {
        if (this.loading || !this.next) return;
        const generation = ++this.generation;
        this.loading = true;
        this.onChange();
        try {
            const next = await this.page(this.next, this.known);
            if (generation !== this.generation) return;
            this.next = next;
            this.error = null;
        } catch (error) {
            if (generation !== this.generation || this.stopped.signal.aborted) return;
            this.error = error as Error;
        }
        this.settle();
    }

    private settle(): void {
        this.loading = false;
        this.order();
        if (this.dirty.size) this.changedSoon();
    }

    private async ask(extra: Record<string, string | undefined>): Promise<{ jobs: Job[]; next?: string | null }> {
        const params: Record<string, string | undefined> = { user: "all", ...this.filter, ...extra };
        return get(`/v1/jobs${query(params)}`, this.stopped.signal);
    }

    private async page(token: string | null, into: Map<string, Job>): Promise<string | null> {
        const reply = await this.ask({ limit: String(this.limit), sort: this.sort, fields: FIELDS, page: token ?? undefined });
        for (const job of reply.jobs) into.set(job.jobid, job);
        return reply.next ?? null;
    }

    /** Asks for what changed; what does not come back does not match any more. */
    private async fetchChanged(): Promise<void> {
        if (this.fetching || this.loading) return;
        this.fetching = true;
        try {
            while (this.dirty.size && !this.loading) {
                const batch = [...this.dirty].slice(0, BATCH);
                for (const id of batch) this.dirty.delete(id);
                await this.fetchBatch(batch).catch((error) => {
                    for (const id of batch) this.dirty.add(id);
                    throw error;
                });
            }
        } catch {
            // The connection is gone: asked again with the next event, or when it is back.
            if (!this.stopped.signal.aborted) setTimeout(this.changedSoon, 2000);
        }
        this.fetching = false;
        this.order();
    }

    private async fetchBatch(batch: string[]): Promise<void> {
        const ids = batch.map((id) => id.replace(/^ƒ/, "f")).join(",");
        const { jobs } = await this.ask({ ids, limit: String(batch.length), fields: FIELDS });
        const last = this.next ? this.rows[this.rows.length - 1] : undefined;
        for (const id of batch) this.known.delete(id);
        for (const job of jobs)
            // Beyond the last one that was loaded it comes with its own page.
            if (!last || this.compare(job, last) <= 0) this.known.set(job.jobid, job);
    }

    private order(): void {
        this.more = this.next !== null;
        this.rows = [...this.known.values()].sort(this.compare);
        if (!this.stopped.signal.aborted) this.onChange();
    }
}
