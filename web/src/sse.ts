// SPDX-License-Identifier: LGPL-3.0-only
// text/event-stream over fetch(), which can carry credentials where EventSource cannot.

export interface Message {
    event: string;
    data: string;
}

const SILENCE = 45_000; // milliseconds without a byte after which a stream counts as dead

/**
 * Reads the messages of a reply until it ends; throws if it is broken off or silent for long.
 * `place` is told each message's id, for going on from there.
 */
export async function* messages(
    reply: Response,
    abort: AbortController,
    place: (id: string) => void,
): AsyncGenerator<Message[]> {
    const reader = reply.body!.getReader();
    const decoder = new TextDecoder();
    let held = "";
    let event = "";
    let data: string[] = [];
    let id = "";

    try {
        for (;;) {
            const timer = setTimeout(() => abort.abort(), SILENCE);
            const piece = await reader.read().finally(() => clearTimeout(timer));
            if (piece.done) return;
            const lines = (held + decoder.decode(piece.value, { stream: true })).split("\n");
            held = lines.pop()!;
            const whole: Message[] = [];
            for (const line of lines) {
                const colon = line.indexOf(":");
                const field = colon < 0 ? line : line.slice(0, colon);
                const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
                if (line === "") {
                    if (id) place(id);
                    if (data.length) whole.push({ event, data: data.join("\n") });
                    event = id = "";
                    data = [];
                } else if (field === "event") event = value;
                else if (field === "data") data.push(value);
                else if (field === "id") id = value;
            }
            if (whole.length) yield whole;
        }
    } finally {
        void reader.cancel().catch(() => {});
    }
}
