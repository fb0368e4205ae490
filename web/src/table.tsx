// SPDX-License-Identifier: LGPL-3.0-only
// A table of jobs of which only the rows in sight are in the document.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Job } from "./api";
import type { Column } from "./columns";
import { go } from "./route";
import { jobLink } from "./ui";

const ROW = 34; // pixels; style.css has the same
const BEYOND = 8; // rows drawn above and below what is in sight

interface Props {
    rows: Job[];
    columns: Column[];
    sort: string;
    onSort: (sort: string) => void;
    selected: Set<string>;
    onSelect: (selected: Set<string>) => void;
    more: boolean;
    loading: boolean;
    loadMore: () => void;
    /** Load all that follows, to see the end. */
    toEnd: () => void;
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

export function JobTable(props: Props) {
    const { rows, columns, selected, onSelect } = props;
    const ref = useRef<HTMLDivElement>(null);
    const sight = useSight(ref);
    const [active, setActive] = useState<string | null>(null);
    const anchor = useRef<number>(-1);
    const first = Math.max(0, Math.floor(sight.top / ROW) - BEYOND);
    const last = Math.min(rows.length, Math.ceil((sight.top + sight.height) / ROW) + BEYOND);
    const at = active ? rows.findIndex((job) => job.jobid === active) : -1;

    useEffect(() => {
        if (props.more && !props.loading && last + 500 > rows.length) props.loadMore();
    }, [props.more, props.loading, last, rows.length]);

    const show = (index: number) => {
        const element = ref.current!;
        const head = ROW; // the header row covers the first
        const top = index * ROW;
        if (top < element.scrollTop) element.scrollTop = top;
        else if (top + ROW + head > element.scrollTop + element.clientHeight)
            element.scrollTop = top + ROW + head - element.clientHeight;
    };
    const moveTo = (index: number) => {
        const to = Math.max(0, Math.min(rows.length - 1, index));
        const job = rows[to];
        if (!job) return;
        setActive(job.jobid);
        show(to);
    };
    const toggle = (index: number, range: boolean) => {
        const chosen = new Set(selected);
        const job = rows[index];
        if (!job) return;
        if (range && anchor.current >= 0) {
            const [from, to] = [Math.min(anchor.current, index), Math.max(anchor.current, index)];
            for (const one of rows.slice(from, to + 1)) chosen.add(one.jobid);
        } else if (!chosen.delete(job.jobid)) chosen.add(job.jobid);
        anchor.current = index;
        onSelect(chosen);
    };
    const page = Math.max(1, Math.floor(sight.height / ROW) - 2);

    const onKey = (event: KeyboardEvent) => {
        if ((event.target as Element).closest("button, input")) return;
        const moves: Record<string, number> = {
            ArrowDown: at + 1,
            ArrowUp: at < 0 ? 0 : at - 1,
            PageDown: at + page,
            PageUp: at - page,
            Home: 0,
            End: rows.length - 1,
        };
        const to = moves[event.key];
        if (to !== undefined) {
            if (event.key === "End" && props.more) props.toEnd();
            if (event.shiftKey && at >= 0) {
                if (anchor.current < 0) anchor.current = at;
                toggle(Math.max(0, Math.min(rows.length - 1, to)), true);
            }
            moveTo(to);
        } else if (event.key === "Enter" && at >= 0) go(jobLink(rows[at]!));
        else if (event.key === " " && at >= 0) toggle(at, false);
        else if (event.key === "a" && (event.ctrlKey || event.metaKey)) onSelect(new Set(rows.map((j) => j.jobid)));
        else if (event.key === "Escape") onSelect(new Set());
        else return;
        event.preventDefault();
    };

    const template = `2.25rem ${columns.map((c) => c.width).join(" ")}`;
    return (
        <div
            ref={ref}
            class="jobs"
            role="grid"
            tabIndex={0}
            aria-label="Jobs"
            aria-multiselectable="true"
            aria-rowcount={props.more ? -1 : rows.length + 1}
            aria-colcount={columns.length + 1}
            aria-busy={props.loading}
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
                <div role="presentation" class="jobs-space" style={{ height: `${rows.length * ROW}px` }}>
                    {rows.slice(first, last).map((job, i) => {
                        const index = first + i;
                        return (
                            <div
                                key={job.jobid}
                                id={`row-${index}`}
                                role="row"
                                data-id={job.jobid}
                                aria-rowindex={index + 2}
                                aria-selected={selected.has(job.jobid)}
                                class={job.jobid === active ? "active" : ""}
                                style={{ top: `${index * ROW}px`, gridTemplateColumns: template }}
                                onClick={() => setActive(job.jobid)}
                                onDblClick={() => go(jobLink(job))}
                            >
                                <div role="gridcell">
                                    <input
                                        type="checkbox"
                                        tabIndex={-1}
                                        checked={selected.has(job.jobid)}
                                        aria-label={`Select ${job.jobid}`}
                                        onClick={(event) => toggle(index, event.shiftKey)}
                                    />
                                </div>
                                {columns.map((column) => (
                                    <div key={column.key} role="gridcell" class={column.number ? "number" : ""}>
                                        {column.show(job)}
                                    </div>
                                ))}
                            </div>
                        );
                    })}
                </div>
            </div>
        </div>
    );
}
