// SPDX-License-Identifier: LGPL-3.0-only
// Small pieces that several views are made of.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Job } from "./api";
import { ago, exact, iso, statusOf } from "./format";
import { now, useValue, Value } from "./state";

export function Badge({ job }: { job: { state: string; result: string; urgency?: number | "" } }) {
    const status = statusOf(job);
    return (
        <span class={`badge ${status.kind}`}>
            <span aria-hidden="true">{status.mark}</span> {status.word}
        </span>
    );
}

export function Time({ at }: { at: number | undefined }) {
    const current = useValue(now);
    if (!at) return <span class="quiet">–</span>;
    return (
        <time dateTime={iso(at)} title={exact(at)}>
            {ago(at, current)}
        </time>
    );
}

export const jobLink = (job: Pick<Job, "jobid"> | string): string =>
    `/jobs/${encodeURIComponent((typeof job === "string" ? job : job.jobid).replace(/^ƒ/, "f"))}`;

export function Fail({ error, again }: { error: Error; again?: () => void }) {
    return (
        <div class="notice bad" role="alert">
            <p>{error.message}</p>
            {again && (
                <button type="button" onClick={again}>
                    Try again
                </button>
            )}
        </div>
    );
}

export function Dialog(props: { title: string; close: () => void; children: ComponentChildren }) {
    const ref = useRef<HTMLDialogElement>(null);
    useEffect(() => ref.current?.showModal(), []);
    return (
        <dialog ref={ref} aria-labelledby="dialog-title" onClose={props.close}>
            <h2 id="dialog-title">{props.title}</h2>
            {props.children}
        </dialog>
    );
}

/** A dialog that asks before it does something, and says what went wrong. */
export function Ask(props: {
    title: string;
    action: string;
    danger?: boolean;
    close: () => void;
    act: () => Promise<void>;
    children?: ComponentChildren;
}) {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<Error | null>(null);
    const act = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        try {
            await props.act();
            props.close();
        } catch (failure) {
            setError(failure as Error);
            setBusy(false);
        }
    };
    return (
        <Dialog title={props.title} close={props.close}>
            <form onSubmit={act}>
                {props.children}
                {error && <Fail error={error} />}
                <div class="row end">
                    <button type="button" onClick={props.close}>
                        Back
                    </button>
                    <button type="submit" class={props.danger ? "danger" : "primary"} disabled={busy}>
                        {props.action}
                    </button>
                </div>
            </form>
        </Dialog>
    );
}

// What was done, said for some seconds at the foot of the page.

const said = new Value<{ text: string; bad: boolean }[]>([]);

export function say(text: string, bad = false): void {
    const entry = { text, bad };
    said.set([...said.get(), entry]);
    setTimeout(() => said.set(said.get().filter((e) => e !== entry)), bad ? 15_000 : 6000);
}

export function Said() {
    return (
        <div class="said" role="status" aria-live="polite">
            {useValue(said).map((entry) => (
                <p class={entry.bad ? "bad" : ""}>{entry.text}</p>
            ))}
        </div>
    );
}

export function CopyBox({ label, text }: { label: string; text: string }) {
    const copy = async () => {
        try {
            await navigator.clipboard.writeText(text);
            say(`Copied: ${label}.`);
        } catch {
            say("The browser does not let this page copy: select the text instead.", true);
        }
    };
    return (
        <div class="copybox">
            <div class="row between">
                <strong>{label}</strong>
                <button type="button" class="small" onClick={copy} aria-label={`Copy ${label}`}>
                    Copy
                </button>
            </div>
            <pre tabIndex={0} aria-label={label}>
                {text}
            </pre>
        </div>
    );
}

export function Meter({ label, used, all }: { label: string; used: number; all: number }) {
    const part = all > 0 ? (100 * used) / all : 0;
    return (
        <div class="meter">
            <div class="row between">
                <span>{label}</span>
                <span class="number">
                    {used} of {all}
                </span>
            </div>
            <div class="bar" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={all} aria-valuenow={used}>
                <div style={{ width: `${part}%` }} />
            </div>
        </div>
    );
}
