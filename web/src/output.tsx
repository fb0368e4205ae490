// SPDX-License-Identifier: LGPL-3.0-only
// A job's output, live: read from the stream, kept within a bound, drawn where it is looked at.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { cut, parse } from "./ansi";
import { idInPath, Problem, request } from "./api";
import { count, many } from "./format";
import { Lines } from "./lines";
import { messages } from "./sse";
import { asleep, throttled } from "./state";
import { say } from "./ui";

const ROW = 19; // pixels; style.css has the same
const LONGEST = 5000; // characters of a line that are shown while lines are not wrapped

type Which = "both" | "stdout" | "stderr";

interface Exit {
    returncode: number | null;
    signal: number | null;
}

interface Piece {
    rank?: string;
    data?: string;
    encoding?: string;
    path?: string;
    stream?: string;
}

class Follower {
    lines = new Lines();
    status = "Asking for the output…";
    ended = false;
    exit: Exit | null = null;
    redirects = new Set<string>();
    private place = "";
    private abort = new AbortController();
    private stopped = false;
    private decoders = new Map<string, TextDecoder>();

    constructor(
        private jobid: string,
        private which: Which,
        private onChange: () => void,
    ) {}

    stop(): void {
        this.stopped = true;
        this.abort.abort();
    }

    /** Reads to the end; goes on where it was when the connection breaks. */
    async run(): Promise<void> {
        for (let attempt = 0; !this.stopped && !this.ended; attempt++) {
            const before = this.place;
            await this.awake();
            try {
                await this.once();
            } catch (error) {
                if (this.stopped) return;
                if (error instanceof Problem && [400, 404, 410, 501].includes(error.status)) {
                    this.ended = true;
                    this.status = error.message;
                    this.onChange();
                    return;
                }
            }
            if (this.ended || this.stopped) break;
            if (this.place !== before) attempt = 0;
            this.status = "The connection was lost; it goes on as soon as it is back.";
            this.onChange();
            await new Promise((resolve) => setTimeout(resolve, Math.min(8000, 500 * 2 ** attempt)));
        }
    }

    /** Waits until the tab is looked at. */
    private awake(): Promise<void> {
        if (!asleep.get()) return Promise.resolve();
        return new Promise((resolve) => {
            const leave = asleep.watch(() => {
                leave();
                resolve();
            });
        });
    }

    private async once(): Promise<void> {
        this.abort = new AbortController();
        const stream = this.which === "both" ? "" : `?stream=${this.which}`;
        const reply = await request("GET", `/v1/jobs/${idInPath(this.jobid)}/output/stream${stream}`, {
            accept: "text/event-stream",
            headers: this.place ? { "Last-Event-ID": this.place } : {},
            signal: this.abort.signal,
        });
        this.status = "";
        this.onChange();
        const leave = asleep.watch(() => asleep.get() && this.abort.abort());
        try {
            for await (const batch of messages(reply, this.abort, (id) => (this.place = id))) {
                for (const { event, data } of batch) this.take(event, JSON.parse(data) as Piece & Exit);
                this.onChange();
            }
        } finally {
            leave();
        }
    }

    private take(event: string, piece: Piece & Exit): void {
        if (event === "stdout" || event === "stderr") {
            this.lines.add(this.textOf(event, piece), event === "stderr", piece.rank ?? "0");
        } else if (event === "redirect") {
            this.redirects.add(`${piece.stream} goes to the file ${piece.path}`);
        } else if (event === "exit") {
            this.lines.end();
            this.ended = true;
            this.exit = piece;
        }
    }

    private textOf(event: string, piece: Piece): string {
        if (piece.encoding !== "base64") return piece.data ?? "";
        // Bytes that are no text, or half a character: the other half may come next.
        const key = event + piece.rank;
        let decoder = this.decoders.get(key);
        if (!decoder) this.decoders.set(key, (decoder = new TextDecoder()));
        const bytes = Uint8Array.from(atob(piece.data ?? ""), (c) => c.charCodeAt(0));
        return decoder.decode(bytes, { stream: true });
    }
}

function useFollower(jobid: string, which: Which): Follower {
    const [, redraw] = useState({});
    const soon = useMemo(() => throttled(() => redraw({}), 60), []);
    const follower = useMemo(() => new Follower(jobid, which, soon), [jobid, which]);
    useEffect(() => {
        void follower.run();
        return () => {
            follower.stop();
            soon.stop();
        };
    }, [follower]);
    return follower;
}

/** The width of a character and how much is in sight. */
function useView(ref: { current: HTMLDivElement | null }) {
    const [view, setView] = useState({ top: 0, height: 400, columns: 80 });
    useLayoutEffect(() => {
        const element = ref.current!;
        const probe = element.querySelector<HTMLElement>(".probe")!;
        const look = () => {
            const width = probe.getBoundingClientRect().width / 20 || 8;
            const columns = Math.max(20, Math.floor((element.clientWidth - 56) / width));
            setView({ top: element.scrollTop, height: element.clientHeight, columns });
        };
        look();
        const observer = new ResizeObserver(look);
        observer.observe(element);
        element.addEventListener("scroll", look, { passive: true });
        return () => {
            observer.disconnect();
            element.removeEventListener("scroll", look);
        };
    }, []);
    return view;
}

/** What there is now. Both streams in one have their order only in the stream, which ends with the job. */
async function read(path: string, which: Which, ended: boolean): Promise<Blob> {
    if (which !== "both") return (await request("GET", `${path}/${which}`, { accept: "*/*" })).blob();
    if (ended) return (await request("GET", `${path}/stream`, { accept: "text/plain" })).blob();
    const { Output: lines = [] } = (await (await request("GET", path)).json()) as { Output?: string[] };
    return new Blob(lines);
}

async function download(jobid: string, which: Which, ended: boolean): Promise<void> {
    try {
        const url = URL.createObjectURL(await read(`/v1/jobs/${idInPath(jobid)}/output`, which, ended));
        const link = document.createElement("a");
        link.href = url;
        link.download = `${idInPath(jobid)}.${which === "stderr" ? "err" : "out"}`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
        say(`The output cannot be downloaded: ${(error as Error).message}`, true);
    }
}

function Rows(props: { lines: Lines; first: number; last: number; columns: number; wrap: boolean; found: number; ranks: boolean }) {
    const rows = [];
    for (let row = props.first; row < props.last; row++) {
        const { line: at, part } = props.lines.place(row);
        const line = props.lines.lines[at];
        if (!line) break;
        const { spans } = parse(line.text, line.style);
        const from = props.wrap ? part * props.columns : 0;
        const to = props.wrap ? from + props.columns : LONGEST;
        const left = line.length - LONGEST;
        rows.push(
            <div
                key={row}
                class={`line${line.error ? " err" : ""}${at === props.found ? " found" : ""}`}
                style={{ top: `${row * ROW}px` }}
            >
                <span class="gutter" aria-hidden="true">
                    {part === 0 ? (line.error ? "!" : props.ranks ? line.rank : "") : ""}
                </span>
                {line.error && part === 0 && <span class="hidden">stderr: </span>}
                <span class="text">
                    {cut(spans, from, to).map((span) => (
                        <span class={span.classes}>{span.text}</span>
                    ))}
                </span>
                {!props.wrap && left > 0 && <em> … {count(left)} characters more: wrap to see them</em>}
            </div>,
        );
    }
    return <>{rows}</>;
}

function Find({ lines, show }: { lines: Lines; show: (line: number) => void }) {
    const [text, setText] = useState("");
    const [at, setAt] = useState(-1);
    const [told, setTold] = useState("");
    const run = useRef(0);
    const find = async (step: 1 | -1) => {
        if (!text) return;
        const mine = ++run.current;
        setTold("…");
        const from = at < 0 ? (step > 0 ? 0 : lines.lines.length - 1) : at + step;
        const found = await lines.find(text, from, step, () => mine !== run.current);
        if (mine !== run.current) return;
        setAt(found);
        setTold(found < 0 ? "not found" : `line ${count(found + 1 + lines.dropped)}`);
        if (found >= 0) show(found);
    };
    return (
        <span class="row find">
            <input
                type="search"
                aria-label="Find in the output"
                placeholder="Find"
                value={text}
                onInput={(e) => {
                    setText(e.currentTarget.value);
                    setAt(-1);
                    setTold("");
                }}
                onKeyDown={(e) => {
                    if (e.key === "Enter") void find(e.shiftKey ? -1 : 1);
                }}
            />
            <button type="button" onClick={() => void find(-1)} aria-label="Find the one before">
                ↑
            </button>
            <button type="button" onClick={() => void find(1)} aria-label="Find the next one">
                ↓
            </button>
            <span class="quiet" role="status">
                {told}
            </span>
        </span>
    );
}

export function Output({ jobid, ntasks, active }: { jobid: string; ntasks: number; active: boolean }) {
    const [which, setWhich] = useState<Which>("both");
    const [follow, setFollow] = useState(active);
    const [wrap, setWrap] = useState(true);
    const [found, setFound] = useState(-1);
    const follower = useFollower(jobid, which);
    const ref = useRef<HTMLDivElement>(null);
    const view = useView(ref);
    const lines = follower.lines;

    useMemo(() => lines.wrap(wrap ? view.columns : 0), [lines, wrap, view.columns]);
    const rows = lines.rows;
    useLayoutEffect(() => {
        if (follow) ref.current!.scrollTop = rows * ROW;
    }, [follow, rows]);

    const first = Math.max(0, Math.floor(view.top / ROW) - 20);
    const last = Math.min(rows, Math.ceil((view.top + view.height) / ROW) + 20);
    const show = (line: number) => {
        setFollow(false);
        setFound(line);
        ref.current!.scrollTop = Math.max(0, lines.rowAt(line) * ROW - view.height / 2);
    };
    const onWheel = (event: WheelEvent) => {
        if (event.deltaY < 0) setFollow(false);
    };
    const onKey = (event: KeyboardEvent) => {
        if (["ArrowUp", "PageUp", "Home"].includes(event.key)) setFollow(false);
        if (event.key === "End") setFollow(true);
    };

    return (
        <section class="output" aria-label="Output">
            <div class="row between toolbar">
                <h2>Output</h2>
                <span class="row">
                    <select aria-label="Which output" value={which} onChange={(e) => setWhich(e.currentTarget.value as Which)}>
                        <option value="both">stdout and stderr</option>
                        <option value="stdout">stdout</option>
                        <option value="stderr">stderr</option>
                    </select>
                    <button type="button" aria-pressed={follow} onClick={() => setFollow(!follow)}>
                        Follow
                    </button>
                    <button type="button" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
                        Wrap
                    </button>
                    <Find lines={lines} show={show} />
                    <button type="button" onClick={() => void download(jobid, which, follower.ended)}>
                        Download
                    </button>
                </span>
            </div>
            {[...follower.redirects].map((text) => (
                <p class="notice">{text}</p>
            ))}
            {lines.dropped > 0 && (
                <p class="notice">The first {many(lines.dropped, "line")} are not kept here; the download has them all.</p>
            )}
            <div ref={ref} class="screen" style={{ height: `clamp(9rem, ${rows * ROW + 24}px, 55vh)` }} tabIndex={0} role="log" aria-live="off" aria-label="What the job wrote" onWheel={onWheel} onKeyDown={onKey}>
                <span class="probe" aria-hidden="true">
                    00000000000000000000
                </span>
                <div class="space" style={{ height: `${rows * ROW}px` }}>
                    <Rows lines={lines} first={first} last={last} columns={view.columns} wrap={wrap} found={found} ranks={ntasks > 1} />
                </div>
            </div>
            <p class="quiet" role="status" data-ended={follower.ended}>
                {follower.status || (follower.ended ? `${many(lines.lines.length + lines.dropped, "line")}; that is all.` : `${many(lines.lines.length + lines.dropped, "line")} so far; new ones appear as they come.`)}
            </p>
        </section>
    );
}
