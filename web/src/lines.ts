// SPDX-License-Identifier: LGPL-3.0-only
// The output of a job as lines, as many of the newest as fit a bound. With wrapping, a line
// takes as many rows as it needs; which row is where is looked up in running sums.
import { isPlain, parse, plain, type Style } from "./ansi";

export interface Line {
    text: string;
    error: boolean;
    style: Style; // that it begins with
    rank: string;
    length: number; // of what is shown
}

const KEPT = 32 * 1024 * 1024; // characters
const KEPT_LINES = 500_000; // more are a burden to the browser, and nobody reads them
const LONGEST = 256 * 1024; // characters of a line without an end, before it is cut into lines

export class Lines {
    lines: Line[] = [];
    /** Lines that were let go of at the beginning. */
    dropped = 0;
    /** Rows up to the end of each line, while lines are wrapped, from the first that there was. */
    private sums: number[] = [];
    private gone = 0; // rows of lines that were let go of
    private columns = 0;
    private size = 0;
    private open = new Map<string, string>(); // what has no newline yet, by stream and rank
    private styles = new Map<string, Style>();

    add(data: string, error: boolean, rank: string): void {
        const key = `${error ? "e" : "o"}${rank}`;
        const parts = ((this.open.get(key) ?? "") + data).split("\n");
        let rest = parts.pop()!;
        for (const part of parts) this.push(part, error, rank, key);
        while (rest.length > LONGEST) {
            this.push(rest.slice(0, LONGEST), error, rank, key);
            rest = rest.slice(LONGEST);
        }
        if (rest) this.open.set(key, rest);
        else this.open.delete(key);
    }

    /** What is still open counts as a line: the output ended. */
    end(): void {
        for (const [key, text] of this.open) this.push(text, key.startsWith("e"), key.slice(1), key);
        this.open.clear();
    }

    private push(text: string, error: boolean, rank: string, key: string): void {
        // Of a line that is written over, as progress bars do it, the last state is shown.
        if (text.endsWith("\r")) text = text.slice(0, -1);
        const over = text.lastIndexOf("\r");
        if (over >= 0) text = text.slice(over + 1);
        const style = this.styles.get(key) ?? "";
        const bare = isPlain(text);
        if (!bare) this.styles.set(key, parse(text, style).style);
        const line = { text, error, style, rank, length: bare ? text.length : plain(text).length };
        this.lines.push(line);
        this.size += text.length + 1;
        if (this.columns) this.sums.push(this.gone + this.rows + this.rowsOf(line));
        if (this.size > KEPT || this.lines.length > KEPT_LINES) this.drop();
    }

    /** Lets go of an eighth at once, so that it is seldom done. */
    private drop(): void {
        let n = 0;
        let freed = 0;
        while (n < this.lines.length - 1 && (freed < KEPT / 8 || n < this.lines.length / 8)) freed += this.lines[n++]!.text.length + 1;
        this.lines = this.lines.slice(n);
        this.size -= freed;
        this.dropped += n;
        if (!this.columns) return;
        this.gone = this.sums[n - 1]!;
        this.sums = this.sums.slice(n);
    }

    private rowsOf(line: Line): number {
        return Math.max(1, Math.ceil(line.length / this.columns));
    }

    /** Wraps at so many columns; 0: not at all. */
    wrap(columns: number): void {
        this.columns = columns;
        this.sums = [];
        this.gone = 0;
        if (!columns) return;
        let sum = 0;
        for (const line of this.lines) this.sums.push((sum += this.rowsOf(line)));
    }

    get rows(): number {
        return this.columns ? (this.sums[this.sums.length - 1] ?? this.gone) - this.gone : this.lines.length;
    }

    /** The first row of a line. */
    rowAt(line: number): number {
        return this.columns ? (this.sums[line - 1] ?? this.gone) - this.gone : line;
    }

    /** The line that a row is part of, and which part. */
    place(row: number): { line: number; part: number } {
        if (!this.columns) return { line: row, part: 0 };
        let low = 0;
        let high = this.sums.length - 1;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.sums[middle]! > row + this.gone) high = middle;
            else low = middle + 1;
        }
        return { line: low, part: row - this.rowAt(low) };
    }

    /** The line that holds text, in any case, from one on in a direction, around the end. */
    async find(text: string, from: number, step: 1 | -1, cancelled: () => boolean): Promise<number> {
        const wanted = text.toLowerCase();
        const n = this.lines.length;
        for (let i = 0; i < n; i++) {
            const at = (((from + i * step) % n) + n) % n;
            const line = this.lines[at];
            if (line && plain(line.text).toLowerCase().includes(wanted)) return at;
            if (i % 20_000 === 19_999) {
                await new Promise((resolve) => setTimeout(resolve));
                if (cancelled()) return -1;
            }
        }
        return -1;
    }
}
