// SPDX-License-Identifier: LGPL-3.0-only
// The jobs that a filter finds, in an order: how many there are, and those of them that are in
// sight. The server filters, sorts and pages; of its list a window is kept here. What an event
// says of a job is only that the list may have changed: then the window is asked for anew, and
// all else is forgotten, so that there is one opinion on what stands where.
import { get, query, type Job } from "./api";

export type Filter = Partial<Record<"state" | "result" | "name" | "user" | "queue" | "since" | "until" | "q", string>>;
export type Chosen = Pick<Job, "jobid" | "name" | "state">;

const FIELDS =
    "jobid,name,username,queue,urgency,priority,command,state,result,returncode,waitstatus,exception," +
    "t_submit,t_run,t_cleanup,t_inactive,duration,runtime,ntasks,ncores,nnodes,nodelist,why";
const MARGIN = 60; // rows asked for above and below those in sight
const KEPT = 2000; // rows in memory, besides those in sight
const PAGE = 10_000; // the most that the server gives at once
const BUSY = 20; // a list that takes long is asked for less often: for a twentieth of the time

interface Reply<T> {
    jobs: T[];
    total: number;
}

export class JobList {
    /** How many match; null: not known yet. */
    total: number | null = null;
    error: Error | null = null;
    loading = true;

    private rows = new Map<number, Job>();
    private sight = { first: 0, last: 40 };
    private stale = true; // something changed since the rows were asked for
    private asking = false;
    private again: ReturnType<typeof setTimeout> | undefined;
    private notBefore = 0;
    private stopped = new AbortController();

    constructor(
        private filter: Filter,
        private sort: string,
        private onChange: () => void,
        /** Rows that are kept up to date whatever is in sight. */
        private least = 40,
    ) {
        this.sight.last = least;
    }

    stop(): void {
        this.stopped.abort();
        clearTimeout(this.again);
    }

    row(index: number): Job | undefined {
        return this.rows.get(index);
    }

    /** Something happened: what is known may be old. */
    changed(): void {
        this.stale = true;
        this.soon();
    }

    /** Asks for what is in sight now, whatever is known. */
    load(): void {
        this.stale = true;
        this.notBefore = 0;
        this.soon();
    }

    look(first: number, last: number): void {
        this.sight = { first, last: Math.max(last, first + 1) };
        if (this.missing()) {
            this.notBefore = 0;
            this.soon();
        }
    }

    private missing(): boolean {
        const end = Math.min(this.sight.last, this.total ?? this.sight.last);
        for (let i = this.sight.first; i < end; i++) if (!this.rows.has(i)) return true;
        return false;
    }

    private soon(): void {
        if (this.asking || this.stopped.signal.aborted) return;
        clearTimeout(this.again);
        this.again = setTimeout(() => void this.ask(), Math.max(0, this.notBefore - performance.now()));
    }

    private fetch<T>(extra: Record<string, string>): Promise<Reply<T>> {
        const params = { user: "all", ...this.filter, sort: this.sort, ...extra };
        return get(`/v1/jobs${query(params)}`, this.stopped.signal);
    }

    private async ask(): Promise<void> {
        const begun = performance.now();
        const start = Math.max(0, this.sight.first - MARGIN);
        const limit = Math.max(this.sight.last + MARGIN - start, this.least);
        this.asking = true;
        this.loading = this.total === null;
        const fresh = this.stale;
        this.stale = false;
        try {
            const { jobs, total } = await this.fetch<Job>({ start: String(start), limit: String(limit), fields: FIELDS });
            // Rows of before stand elsewhere now, or are too many.
            if (fresh || total !== this.total || this.rows.size > KEPT) this.rows = new Map();
            jobs.forEach((job, i) => this.rows.set(start + i, job));
            this.total = total;
            this.error = null;
        } catch (error) {
            if (this.stopped.signal.aborted) return;
            this.stale = true;
            this.error = error as Error;
        }
        this.asking = false;
        this.loading = false;
        const end = performance.now();
        this.notBefore = end + Math.max(300, BUSY * (end - begun));
        if (this.error) this.notBefore = end + 3000;
        this.onChange();
        if (this.stale || this.missing()) {
            if (!this.stale) this.notBefore = 0; // scrolled on meanwhile
            this.soon();
        }
    }

    /** Names, ids and states from one row to another, in sight or not. */
    async range(from: number, to: number): Promise<Chosen[]> {
        const chosen: Chosen[] = [];
        for (let at = from; at <= to; ) {
            const known = this.rows.get(at);
            if (known && !this.stale) {
                chosen.push(known);
                at++;
                continue;
            }
            const limit = String(Math.min(PAGE, to + 1 - at));
            const { jobs } = await this.fetch<Chosen>({ start: String(at), limit, fields: "jobid,name,state" });
            if (!jobs.length) break;
            for (const job of jobs) chosen.push(job);
            at += jobs.length;
        }
        return chosen;
    }
}
