// SPDX-License-Identifier: LGPL-3.0-only
// Escape sequences of terminals: colours become classes, all others are taken out. The text
// itself is never markup.

export interface Span {
    text: string;
    classes: string;
}

/** What holds at the end of a line and so at the beginning of the next. */
export type Style = string;

// CSI … final, OSC … BEL or ST, and two-character sequences; then what a terminal shows not at all.
// eslint-disable-next-line no-control-regex
const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_a-z=>78])|[\x00-\x08\x0b-\x1f\x7f]/g;

function restyle(style: Style, codes: string): Style {
    let is = style ? style.split(" ") : [];
    const drop = (start: string) => (is = is.filter((c) => !c.startsWith(start)));
    const numbers = codes.split(";").map((c) => Number(c) || 0);
    for (let i = 0; i < numbers.length; i++) {
        const n = numbers[i]!;
        if (n === 0) is = [];
        else if (n === 1) is.push("a-bold");
        else if (n === 2) is.push("a-faint");
        else if (n === 3) is.push("a-italic");
        else if (n === 4) is.push("a-under");
        else if (n === 7) is.push("a-reverse");
        else if (n === 9) is.push("a-strike");
        else if (n === 22) is = is.filter((c) => c !== "a-bold" && c !== "a-faint");
        else if (n === 23) drop("a-italic");
        else if (n === 24) drop("a-under");
        else if (n === 27) drop("a-reverse");
        else if (n === 29) drop("a-strike");
        else if ((n >= 30 && n <= 37) || (n >= 90 && n <= 97)) is = [...drop("f-"), `f-${n >= 90 ? n - 82 : n - 30}`];
        else if ((n >= 40 && n <= 47) || (n >= 100 && n <= 107)) is = [...drop("b-"), `b-${n >= 100 ? n - 92 : n - 40}`];
        else if (n === 39) drop("f-");
        else if (n === 49) drop("b-");
        else if (n === 38 || n === 48) {
            const kind = n === 38 ? "f-" : "b-";
            const index = numbers[i + 1] === 5 ? numbers[i + 2]! : numbers[i + 1] === 2 ? nearest(numbers.slice(i + 2, i + 5)) : 0;
            i += numbers[i + 1] === 5 ? 2 : numbers[i + 1] === 2 ? 4 : 1;
            is = [...drop(kind), `${kind}${index < 16 ? index : nearest256(index)}`];
        }
    }
    return [...new Set(is)].join(" ");
}

/** The one of the sixteen that is nearest to a colour: a page has no room for all of them. */
function nearest(rgb: number[]): number {
    const bits = rgb.map((c) => ((c ?? 0) > 100 ? 1 : 0));
    const bright = Math.max(...rgb.map((c) => c ?? 0)) > 200 ? 8 : 0;
    return (bits[0] ?? 0) + 2 * (bits[1] ?? 0) + 4 * (bits[2] ?? 0) + bright;
}

function nearest256(index: number): number {
    if (index >= 232) return index < 238 ? 0 : index < 244 ? 8 : index < 250 ? 7 : 15;
    const i = index - 16;
    return nearest([Math.floor(i / 36) * 51, (Math.floor(i / 6) % 6) * 51, (i % 6) * 51]);
}

/** Takes a line apart; gives back its spans and the style that the next line begins with. */
export function parse(line: string, style: Style): { spans: Span[]; style: Style } {
    const spans: Span[] = [];
    let from = 0;
    const put = (to: number) => {
        if (to > from) spans.push({ text: line.slice(from, to), classes: style });
    };
    ESCAPE.lastIndex = 0;
    for (let match = ESCAPE.exec(line); match; match = ESCAPE.exec(line)) {
        put(match.index);
        from = match.index + match[0].length;
        if (match[2] === "m") style = restyle(style, match[1]!);
    }
    put(line.length);
    return { spans, style };
}

export const plain = (line: string): string => line.replace(ESCAPE, "");

// eslint-disable-next-line no-control-regex
export const isPlain = (line: string): boolean => !/[\x00-\x08\x0b-\x1f\x7f]/.test(line);

/** The part of spans from one character to another. */
export function cut(spans: Span[], from: number, to: number): Span[] {
    const part: Span[] = [];
    let at = 0;
    for (const span of spans) {
        const a = Math.max(from - at, 0);
        const b = Math.min(to - at, span.text.length);
        if (a < b) part.push({ text: span.text.slice(a, b), classes: span.classes });
        at += span.text.length;
    }
    return part;
}
