// SPDX-License-Identifier: LGPL-3.0-only
// A table of jobs of which only the rows in sight are in the document.
import { memo } from "preact/compat";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Job } from "./api";
import type { Column } from "./columns";
import { count } from "./format";
import type { Chosen, JobList } from "./joblist";
import { go } from "./route";
import { jobLink, say } from "./ui";

const ROW = 34; // pixels; style.css has the same
const BEYOND = 8; // rows drawn above and below what is in sight
const MOST = 450_000; // rows: no browser makes an element much higher

interface Props {
    list: JobList;
    columns: Column[];
    sort: string;
    onSort: (sort: string) => void;
    selected: Map<string, Chosen>;
    onSelect: (selected: Map<string, Chosen>) => void;
}

function useSight(ref: { current: HTMLElement | null }) {
    const [sight, setSight] = useState({ top: 0, height: 600 });
    useLayoutEffect(() => {
        const element = ref.current!;
        let frame = 0;
        const look = () => {
            frame = 0;
            setSight({ top: element.scrollTop, height: element.clientHeight });
        };
        const soon = () => (frame ||= requestAnimationFrame(look));
        element.addEventListener("scroll", soon, { passive: true });
        const observer = new ResizeObserver(soon);
        observer.observe(element);
        return () => {
            element.removeEventListener("scroll", soon);
            observer.disconnect();
            cancelAnimationFrame(frame);
        };
    }, []);
    return sight;
}

function Header({ column, sort, onSort }: { column: Column; sort: string; onSort: (sort: string) => void }) {
    const is = column.sort && sort.replace("-", "") === column.sort;
    const backwards = sort.startsWith("-");
    return (
        <div
            role="columnheader"
            class={column.number ? "number" : ""}
            aria-sort={is ? (backwards ? "descending" : "ascending") : undefined}
        >
            {column.sort ? (
                <button type="button" onClick={() => onSort(is && !backwards ? `-${column.sort}` : column.sort!)}>
                    {column.title}
                    <span aria-hidden="true">{is ? (backwards ? " ▾" : " ▴") : ""}</span>
                </button>
            ) : (
                column.title
            )}
        </div>
    );
}

interface RowProps {
    index: number;
    job: Job | undefined; // undefined: not here yet
    columns: Column[];
    template: string;
    selected: boolean;
    active: boolean;
    onActive: (index: number) => void;
    onToggle: (index: number, range: boolean) => void;
}

const Row = memo(function Row({ index, job, columns, template, selected, active, onActive, onToggle }: RowProps) {
    return (
        <div
            id={`row-${index}`}
            role="row"
            data-id={job?.jobid}
            aria-rowindex={index + 2}
            aria-selected={selected}
            class={active ? "active" : ""}
            style={{ top: `${index * ROW}px`, gridTemplateColumns: template }}
            onClick={() => onActive(index)}
            onDblClick={() => job && go(jobLink(job))}
        >
            <div role="gridcell">
                {job && (
                    <input
                        type="checkbox"
                        tabIndex={-1}
                        checked={selected}
                        aria-label={`Select ${job.jobid}`}
                        onClick={(event) => onToggle(index, event.shiftKey)}
                    />
                )}
            </div>
            {columns.map((column) => (
                <div key={column.key} role="gridcell" class={column.number ? "number" : ""}>
                    {job ? column.show(job) : <span class="quiet">…</span>}
                </div>
            ))}
        </div>
    );
});

/** Where the rows in sight have gone, if they moved: in rows. */
function moved(list: JobList, before: Map<string, number>, first: number, last: number): number {
    for (let i = first; i < last; i++) {
        const job = list.row(i);
        const was = job && before.get(job.jobid);
        if (was !== undefined) return i - was;
    }
    return 0;
}

export function JobTable(props: Props) {
    const { list, columns, selected } = props;
    const ref = useRef<HTMLDivElement>(null);
    const sight = useSight(ref);
    const total = Math.min(list.total ?? 0, MOST);
    const [at, setAt] = useState(-1); // the active row
    const anchor = useRef(-1); // where a range begins
    const first = Math.max(0, Math.floor(sight.top / ROW) - BEYOND);
    const last = Math.min(total, Math.ceil((sight.top + sight.height) / ROW) + BEYOND);
    const before = useRef<{ list: JobList | null; places: Map<string, number>; at: string }>({ list: null, places: new Map(), at: "" });

    useLayoutEffect(() => list.look(first, Math.max(last, first + 1)), [list, first, last]);

    // Another list begins at its top. In the same one, rows that come or go above move nothing
    // that is looked at, unless the very top is.
    useLayoutEffect(() => {
        const was = before.current;
        const element = ref.current!;
        if (was.list !== list) {
            element.scrollTop = 0;
            anchor.current = -1;
            setAt(-1);
        } else {
            const by = moved(list, was.places, Math.max(0, first - 40), last + 40);
            if (by && sight.top >= ROW) element.scrollTop += by * ROW;
            if (by && at >= 0 && list.row(at)?.jobid !== was.at) setAt(Math.max(0, Math.min(total - 1, at + by)));
            if (by && anchor.current >= 0) anchor.current += by;
        }
        const places = new Map<string, number>();
        for (let i = first; i < last; i++) {
            const job = list.row(i);
            if (job) places.set(job.jobid, i);
        }
        before.current = { list, places, at: list.row(at)?.jobid ?? "" };
    });

    const show = (index: number) => {
        const element = ref.current!;
        const head = ROW; // the header row covers the first
        const top = index * ROW;
        if (top < element.scrollTop) element.scrollTop = top;
        else if (top + ROW + head > element.scrollTop + element.clientHeight)
            element.scrollTop = top + ROW + head - element.clientHeight;
    };
    const moveTo = (index: number) => {
        if (!total) return;
        const to = Math.max(0, Math.min(total - 1, index));
        setAt(to);
        show(to);
    };
    const choose = async (from: number, to: number) => {
        try {
            const chosen = new Map(selected);
            for (const { jobid, name, state } of await list.range(from, to)) chosen.set(jobid, { jobid, name, state });
            props.onSelect(chosen);
        } catch (error) {
            say(`The jobs cannot be selected: ${(error as Error).message}`, true);
        }
    };
    const toggle = (index: number, range: boolean) => {
        const job = list.row(index);
        if (range && anchor.current >= 0) void choose(Math.min(anchor.current, index), Math.max(anchor.current, index));
        else if (job) {
            const chosen = new Map(selected);
            if (!chosen.delete(job.jobid)) chosen.set(job.jobid, { jobid: job.jobid, name: job.name, state: job.state });
            props.onSelect(chosen);
        }
        if (!range || anchor.current < 0) anchor.current = index;
    };
    // Rows are drawn anew only when something of theirs changes: what they call stays the same.
    const latest = useRef(toggle);
    latest.current = toggle;
    const [onToggle] = useState(() => (index: number, range: boolean) => latest.current(index, range));
    const page = Math.max(1, Math.floor(sight.height / ROW) - 2);

    const onKey = (event: KeyboardEvent) => {
        if ((event.target as Element).closest("button, input")) return;
        const moves: Record<string, number> = {
            ArrowDown: at + 1,
            ArrowUp: at < 0 ? 0 : at - 1,
            PageDown: at + page,
            PageUp: at - page,
            Home: 0,
            End: total - 1,
        };
        const to = moves[event.key];
        const job = at >= 0 ? list.row(at) : undefined;
        if (to !== undefined) {
            if (event.shiftKey && at >= 0) {
                if (anchor.current < 0) anchor.current = at;
                toggle(Math.max(0, Math.min(total - 1, to)), true);
            }
            moveTo(to);
        } else if (event.key === "Enter" && job) go(jobLink(job));
        else if (event.key === " " && at >= 0) toggle(at, false);
        else if (event.key === "a" && (event.ctrlKey || event.metaKey)) void choose(0, total - 1);
        else if (event.key === "Escape") props.onSelect(new Map());
        else return;
        event.preventDefault();
    };

    const template = `1.5rem ${columns.map((c) => c.width).join(" ")}`;
    const rows = [];
    for (let i = first; i < last; i++) {
        const job = list.row(i);
        rows.push(
            <Row
                key={job?.jobid ?? i}
                index={i}
                job={job}
                columns={columns}
                template={template}
                selected={!!job && selected.has(job.jobid)}
                active={i === at}
                onActive={setAt}
                onToggle={onToggle}
            />,
        );
    }
    return (
        <>
            <div
                ref={ref}
                class="jobs"
                role="grid"
                tabIndex={0}
                aria-label="Jobs"
                aria-multiselectable="true"
                aria-rowcount={list.total === null ? -1 : total + 1}
                aria-colcount={columns.length + 1}
                aria-busy={list.loading}
                aria-activedescendant={at >= first && at < last ? `row-${at}` : undefined}
                onKeyDown={onKey}
            >
                <div class="jobs-inner" role="rowgroup">
                    <div class="jobs-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
                        <div role="columnheader">
                            <span class="hidden">Selected</span>
                        </div>
                        {columns.map((column) => (
                            <Header key={column.key} column={column} sort={props.sort} onSort={props.onSort} />
                        ))}
                    </div>
                    <div role="presentation" class="jobs-space" style={{ height: `${total * ROW}px` }}>
                        {rows}
                    </div>
                </div>
            </div>
            {(list.total ?? 0) > MOST && <p class="quiet">The table ends after {count(MOST)} jobs: filter it to see others.</p>}
        </>
    );
}
