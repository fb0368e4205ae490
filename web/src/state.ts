// SPDX-License-Identifier: LGPL-3.0-only
// Values that components watch.
import { useEffect, useState } from "preact/hooks";

export class Value<T> {
    private watchers = new Set<() => void>();
    constructor(private value: T) {}

    get(): T {
        return this.value;
    }

    set(value: T): void {
        if (Object.is(value, this.value)) return;
        this.value = value;
        for (const watcher of [...this.watchers]) watcher();
    }

    watch(watcher: () => void): () => void {
        this.watchers.add(watcher);
        return () => this.watchers.delete(watcher);
    }
}

export function useValue<T>(value: Value<T>): T {
    const [, redraw] = useState({});
    const drawn = value.get();
    useEffect(() => {
        // It may have changed between the drawing and now.
        if (!Object.is(drawn, value.get())) redraw({});
        return value.watch(() => redraw({}));
    }, [value]);
    return drawn;
}

/** The seconds since the epoch by this machine's clock, told anew each second while anybody looks. */
export const now = new Value(Date.now() / 1000);
setInterval(() => {
    if (!document.hidden) now.set(Date.now() / 1000);
}, 1000);

/** Whether the tab has been out of sight for so long that it shall hold no streams. */
export const asleep = new Value(false);
let falling: ReturnType<typeof setTimeout> | undefined;
function look(): void {
    clearTimeout(falling);
    // A glance at another tab shall cost no reconnect.
    if (document.hidden) falling = setTimeout(() => asleep.set(true), 5000);
    else asleep.set(false);
}
document.addEventListener("visibilitychange", look);
look();

/** Calls `act` at most once in `wait` milliseconds, the last time after the last call. */
export function throttled(act: () => void, wait: number): { (): void; stop(): void } {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last = -Infinity;
    const call = () => {
        if (timer !== undefined) return;
        timer = setTimeout(
            () => {
                timer = undefined;
                last = performance.now();
                act();
            },
            Math.max(0, last + wait - performance.now()),
        );
    };
    call.stop = () => {
        clearTimeout(timer);
        timer = undefined;
    };
    return call;
}

/** A media query, and whether it holds. */
export function mediaValue(text: string): Value<boolean> {
    const query = matchMedia(text);
    const is = new Value(query.matches);
    query.addEventListener("change", () => is.set(query.matches));
    return is;
}
