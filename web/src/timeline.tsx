// SPDX-License-Identifier: LGPL-3.0-only
// What happened to a job and when, as a bar and as a list.
import type { Job, JobEvent } from "./api";
import { duration, exact, iso } from "./format";
import { now, useValue } from "./state";

const PARTS: [keyof Job, string, string][] = [
    ["t_submit", "submitted", "p-submit"],
    ["t_depend", "waiting for dependencies", "p-depend"],
    ["t_priority", "waiting for a priority", "p-priority"],
    ["t_sched", "waiting for resources", "p-sched"],
    ["t_run", "running", "p-run"],
    ["t_cleanup", "cleaning up", "p-cleanup"],
    ["t_inactive", "", ""],
];

interface Part {
    words: string;
    kind: string;
    seconds: number;
}

function partsOf(job: Job, current: number): Part[] {
    const times = PARTS.filter(([field]) => typeof job[field] === "number");
    const ended = job.t_inactive !== undefined;
    return times
        .map(([field, words, kind], i) => {
            const from = job[field] as number;
            const next = times[i + 1];
            const to = next ? (job[next[0]] as number) : ended ? from : Math.max(current, from);
            return { words, kind, seconds: Math.max(0, to - from) };
        })
        .filter((part) => part.kind && part.seconds > 0);
}

function contextOf(event: JobEvent): string {
    const context = event.context ?? {};
    return Object.entries(context)
        .map(([key, value]) => `${key}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
        .join(", ")
        .slice(0, 400);
}

export function Timeline({ job, events }: { job: Job; events: JobEvent[] | null }) {
    const parts = partsOf(job, useValue(now));
    const first = events?.[0]?.timestamp ?? job.t_submit;
    return (
        <section class="card" aria-label="Timeline">
            <h2>Timeline</h2>
            {parts.length > 0 && (
                <>
                    <div class="timeline" role="img" aria-label={parts.map((p) => `${p.words} ${duration(p.seconds)}`).join(", ")}>
                        {parts.map((part) => (
                            <div class={part.kind} style={{ flexGrow: String(Math.max(part.seconds, 1e-4)) }} />
                        ))}
                    </div>
                    <ul class="legend">
                        {parts.map((part) => (
                            <li>
                                <span class={`swatch ${part.kind}`} aria-hidden="true" /> {part.words}{" "}
                                <strong>{duration(part.seconds)}</strong>
                            </li>
                        ))}
                    </ul>
                </>
            )}
            {events && (
                <details open={events.length < 15}>
                    <summary>Events ({events.length})</summary>
                    <table class="plain events">
                        <thead>
                            <tr>
                                <th>After</th>
                                <th>Event</th>
                                <th>Details</th>
                            </tr>
                        </thead>
                        <tbody>
                            {events.map((event) => (
                                <tr>
                                    <td>
                                        <time dateTime={iso(event.timestamp)} title={exact(event.timestamp)}>
                                            {duration(event.timestamp - first)}
                                        </time>
                                    </td>
                                    <td>{event.name}</td>
                                    <td class="break">
                                        <bdi>{contextOf(event)}</bdi>
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </details>
            )}
        </section>
    );
}
