// SPDX-License-Identifier: LGPL-3.0-only
// The columns that the table of jobs can show.
import type { ComponentChildren } from "preact";
import type { Job } from "./api";
import { duration, runtime } from "./format";
import { now, useValue } from "./state";
import { Badge, jobLink, Time } from "./ui";

export interface Column {
    key: string;
    title: string;
    width: string; // of a CSS grid's track
    sort?: string; // the server's field
    number?: boolean;
    show: (job: Job) => ComponentChildren;
}

function Runtime({ job }: { job: Job }) {
    const ran = runtime(job, useValue(now));
    return <>{ran === null ? "–" : duration(job.state === "RUN" ? Math.floor(ran) : ran)}</>;
}

const text = (value: unknown) => (value === "" || value === undefined || value === null ? "–" : String(value));

export const COLUMNS: Column[] = [
    { key: "status", title: "Status", width: "7.5rem", sort: "state", show: (job) => <Badge job={job} /> },
    {
        key: "id",
        title: "Job",
        width: "8.5rem",
        sort: "jobid",
        show: (job) => (
            <a href={jobLink(job)} tabIndex={-1}>
                {job.jobid}
            </a>
        ),
    },
    { key: "name", title: "Name", width: "minmax(5rem, 2fr)", sort: "name", show: (job) => <bdi>{job.name}</bdi> },
    { key: "user", title: "User", width: "minmax(5rem, 7rem)", sort: "username", show: (job) => <bdi>{text(job.username)}</bdi> },
    { key: "submitted", title: "Submitted", width: "7.5rem", sort: "t_submit", show: (job) => <Time at={job.t_submit} /> },
    { key: "runtime", title: "Ran for", width: "5.25rem", number: true, show: (job) => <Runtime job={job} /> },
    { key: "tasks", title: "Tasks", width: "5rem", sort: "ntasks", number: true, show: (job) => text(job.ntasks) },
    { key: "cores", title: "Cores", width: "5rem", sort: "ncores", number: true, show: (job) => text(job.ncores) },
    { key: "where", title: "Where", width: "minmax(6rem, 1fr)", sort: "nodelist", show: (job) => <bdi>{text(job.nodelist)}</bdi> },
    { key: "why", title: "Waits for", width: "minmax(10rem, 2fr)", show: (job) => <bdi>{text(job.why)}</bdi> },
    { key: "command", title: "Command", width: "minmax(12rem, 3fr)", show: (job) => <bdi class="mono">{text(job.command)}</bdi> },
    { key: "result", title: "Result", width: "7rem", sort: "result", show: (job) => text(job.result.toLowerCase()) },
    { key: "code", title: "Return code", width: "6.5rem", sort: "returncode", number: true, show: (job) => text(job.returncode) },
    { key: "queue", title: "Queue", width: "6rem", show: (job) => <bdi>{text(job.queue)}</bdi> },
    { key: "urgency", title: "Urgency", width: "5.5rem", sort: "urgency", number: true, show: (job) => text(job.urgency) },
    { key: "started", title: "Started", width: "7.5rem", sort: "t_run", show: (job) => <Time at={job.t_run} /> },
    { key: "ended", title: "Ended", width: "7.5rem", sort: "t_inactive", show: (job) => <Time at={job.t_inactive} /> },
    { key: "limit", title: "Time limit", width: "6.5rem", sort: "duration", number: true, show: (job) => (job.duration > 0 ? duration(job.duration) : "none") },
];

export const WIDE = ["status", "id", "name", "user", "submitted", "runtime", "tasks", "where"];
export const NARROW = ["status", "name", "runtime"];
