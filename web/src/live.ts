// SPDX-License-Identifier: LGPL-3.0-only
// The one stream of events that a visible tab holds. A hidden tab closes it and goes on from its
// cursor when it is seen again; so does a tab whose connection broke. Where the server cannot go
// on from there, everyone is told to ask anew.
import { get, Problem, request, signIn, type JobEvent, type Service } from "./api";
import { messages } from "./sse";
import { asleep, throttled, Value } from "./state";

export type Link =
    | { state: "connecting" | "live" | "paused" | "signed-out" }
    | { state: "broken"; why: string; until: number };

export const link = new Value<Link>({ state: "connecting" });
export const service = new Value<Service | null>(null);

interface Listener {
    events?(events: JobEvent[]): void;
    /** What was known before may be old: ask for all of it. Called at the beginning, too. */
    anew(): void;
}

const listeners = new Map<Listener, { stale: boolean }>();
let begun = false; // whether it is known if there is a stream
let cursor = "";
let attempt = 0;
let abort: AbortController | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Listens until the function that it gives back is called. */
export function listen(listener: Listener): () => void {
    listeners.set(listener, { stale: link.get().state !== "live" });
    if (begun) listener.anew();
    return () => listeners.delete(listener);
}

function tellAnew(all: boolean): void {
    begun = true;
    for (const [listener, is] of [...listeners]) {
        if (all || is.stale) listener.anew();
        is.stale = link.get().state !== "live";
    }
}

async function readService(): Promise<void> {
    const before = service.get();
    try {
        service.set(await get<Service>("/v1/service"));
    } catch {
        return; // the stream tells what is wrong
    }
    const is = service.get()!;
    if (before && (before.instance !== is.instance || (before.status !== "ready" && is.status === "ready")))
        tellAnew(true);
}

const serviceSoon = throttled(() => void readService(), 2000);

async function follow(mine: AbortController): Promise<string> {
    const fresh = !cursor;
    const reply = await request("GET", "/v1/events", {
        accept: "text/event-stream",
        headers: cursor ? { "Last-Event-ID": cursor } : {},
        signal: mine.signal,
    });
    link.set({ state: "live" });
    attempt = 0;
    await readService();
    tellAnew(fresh);
    let why = "The connection was closed.";
    for await (const batch of messages(reply, mine, (id) => (cursor = id))) {
        const events = batch.filter((m) => m.event === "job").map((m) => JSON.parse(m.data) as JobEvent);
        if (events.length) {
            for (const listener of [...listeners.keys()]) listener.events?.(events);
            serviceSoon();
        }
        for (const message of batch) if (message.event === "closing") why = "The daemon is stopping.";
    }
    return why;
}

function later(why: string, code: string): void {
    if (code === "cursor-gone") cursor = "";
    const wait = Math.min(10, 0.5 * 2 ** attempt++);
    link.set({ state: "broken", why, until: Date.now() / 1000 + wait });
    if (!begun) tellAnew(true);
    retry = setTimeout(connect, wait * 1000);
}

function connect(): void {
    clearTimeout(retry);
    abort?.abort();
    abort = null; // what ends now is no break
    if (asleep.get()) {
        link.set({ state: "paused" });
        return;
    }
    if (signIn.get().needed) {
        link.set({ state: "signed-out" });
        return;
    }
    const mine = (abort = new AbortController());
    follow(mine).then(
        (why) => mine === abort && later(why, ""),
        (error) => {
            if (mine !== abort) return;
            if (error instanceof Problem && error.status === 401) link.set({ state: "signed-out" });
            else if (error instanceof Problem) later(error.message, error.code);
            else later("The connection was lost.", "");
        },
    );
}

export function start(): void {
    asleep.watch(connect);
    signIn.watch(() => {
        cursor = "";
        connect();
    });
    let beats = 0;
    setInterval(() => {
        const slow = service.get()?.status === "ready";
        if (link.get().state === "live" && beats++ % (slow ? 5 : 1) === 0) serviceSoon();
    }, 3000);
    connect();
}

export function retryNow(): void {
    attempt = 0;
    connect();
}
