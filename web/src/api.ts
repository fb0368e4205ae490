// SPDX-License-Identifier: LGPL-3.0-only
// What the daemon is asked, and what it answers. Job ids are the `jobid` text throughout: the
// number beside it is beyond what a JavaScript number holds.
import { Value } from "./state";

export interface Job {
    jobid: string;
    name: string;
    username?: string;
    queue?: string;
    bank?: string;
    project?: string;
    urgency: number | "";
    priority: number | "";
    command?: string;
    cwd?: string;
    state: string;
    result: string;
    returncode: number | "";
    waitstatus: number | "";
    exception: { occurred: boolean; severity: number | ""; type: string; note: string };
    t_submit: number;
    t_depend?: number;
    t_priority?: number;
    t_sched?: number;
    t_run?: number;
    t_cleanup?: number;
    t_inactive?: number;
    duration: number;
    expiration: number | "";
    runtime: number;
    ntasks?: number;
    ncores?: number;
    ngpus?: number;
    nnodes: number | "";
    ranks: string;
    nodelist: string;
    dependencies: unknown[];
    annotations: Record<string, unknown>;
    why: string;
}

export interface Service {
    version: string;
    engine: string;
    features: string[];
    status: "starting" | "ready" | "lost" | "stopping";
    instance: string | null;
    lost: string | null;
    nodes: number;
    cores: number;
    gpus: number;
    uptime: number;
    jobs: Record<string, number>;
    user: string;
    identified_by: string;
    roles: string[];
}

export interface Node {
    name: string;
    rank: number;
    state: string;
    cores: number;
    cores_used: number;
    gpus: number;
    gpus_used: number;
    drain_reason: string | null;
    jobs: string[];
}

export interface JobEvent {
    jobid: string;
    index?: number;
    timestamp: number;
    name: string;
    context?: Record<string, unknown>;
    state: string;
}

export interface Fault {
    pointer: string;
    detail: string;
}

/** A reply that is none of success; status 0: there was no reply. */
export class Problem extends Error {
    constructor(
        readonly status: number,
        detail: string,
        readonly code: string,
        readonly errors: Fault[] = [],
    ) {
        super(detail);
    }
}

// Credentials: for this tab alone, and only until it is closed.

const KEY = "flux-restd.authorization";
const remembered = () => sessionStorage.getItem(KEY);

export const signIn = new Value<{ needed: boolean; why: string }>({ needed: false, why: "" });
export const signedIn = new Value(remembered() !== null);

function base64(text: string): string {
    return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** Tries credentials, and keeps them if they are good. */
export async function tryCredentials(user: string, token: string): Promise<void> {
    const header = user ? `Basic ${base64(`${user}:${token}`)}` : `Bearer ${token}`;
    const reply = await send("GET", "/v1/service", { authorization: header });
    if (!reply.ok) throw await problemOf(reply);
    sessionStorage.setItem(KEY, header);
    signedIn.set(true);
    signIn.set({ needed: false, why: "" });
}

export function signOut(): void {
    sessionStorage.removeItem(KEY);
    signedIn.set(false);
    location.reload();
}

// Requests

export interface Options {
    body?: unknown;
    accept?: string;
    headers?: Record<string, string>;
    authorization?: string | null;
    signal?: AbortSignal;
}

function send(method: string, path: string, options: Options): Promise<Response> {
    const headers = new Headers({ Accept: options.accept ?? "application/json", ...options.headers });
    const authorization = options.authorization ?? remembered();
    if (authorization) headers.set("Authorization", authorization);
    if (options.body !== undefined) headers.set("Content-Type", "application/json");
    return fetch(path, {
        method,
        headers,
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        signal: options.signal,
        // Ours are in the header; the browser shall neither add its own nor ask for them.
        credentials: "omit",
        cache: "no-store",
    });
}

async function problemOf(reply: Response): Promise<Problem> {
    try {
        const body = await reply.json();
        return new Problem(reply.status, body.detail ?? body.Message, body.code ?? "", body.errors ?? []);
    } catch {
        return new Problem(reply.status, `The server answered ${reply.status} ${reply.statusText}.`, "");
    }
}

/** Asks; throws a Problem for whatever is none of success. */
export async function request(method: string, path: string, options: Options = {}): Promise<Response> {
    let reply: Response;
    try {
        reply = await send(method, path, options);
    } catch (error) {
        if (options.signal?.aborted) throw error;
        throw new Problem(0, "The daemon does not answer.", "no-answer");
    }
    if (reply.ok) return reply;
    const problem = await problemOf(reply);
    if (reply.status === 401)
        signIn.set({
            needed: true,
            why: remembered() ? "Your credentials are not taken any more. Sign in again." : "",
        });
    throw problem;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await request("GET", path, { signal })).json();
}

export async function post<T>(path: string, body: unknown = {}, headers?: Record<string, string>): Promise<T> {
    return (await request("POST", path, { body, headers })).json();
}

/** A job's id as it stands in an address: f for ƒ, which every server reads. */
export const idInPath = (jobid: string): string => encodeURIComponent(jobid.replace(/^ƒ/, "f"));

export function query(params: Record<string, string | undefined>): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) if (value) search.set(name, value);
    const text = search.toString();
    return text && `?${text}`;
}

// What the server can do, from the document that it publishes.

interface Operation {
    summary?: string;
    parameters?: { name: string; in: string; description?: string; required?: boolean; schema?: Schema }[];
    requestBody?: { content: Record<string, { schema?: Schema }> };
    responses?: Record<string, unknown>;
    operationId?: string;
}

export interface Schema {
    type?: string | string[];
    description?: string;
    properties?: Record<string, Schema>;
    required?: string[];
    items?: Schema;
    enum?: unknown[];
    const?: unknown;
    oneOf?: Schema[];
    minimum?: number;
    maximum?: number;
    $ref?: string;
}

export interface OpenAPI {
    info: { title: string; version: string };
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Schema> };
}
export type { Operation };

let document_: Promise<OpenAPI> | null = null;

export function openapi(): Promise<OpenAPI> {
    document_ ??= get<OpenAPI>("/openapi.json").catch((error) => {
        document_ = null;
        throw error;
    });
    return document_;
}
