// SPDX-License-Identifier: LGPL-3.0-only
// The interface as /openapi.json describes it, to be read and tried.
import { useEffect, useState } from "preact/hooks";
import { openapi, query, request, Problem, type OpenAPI, type Operation, type Schema } from "./api";
import { curlOf } from "./equal";
import { CopyBox, Fail } from "./ui";

const SHOWN = 100_000; // characters of a reply

function typeOf(schema: Schema | undefined): string {
    if (!schema) return "any";
    if (schema.$ref) return schema.$ref.split("/").pop()!;
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
    if (schema.oneOf) return schema.oneOf.map(typeOf).join(" or ");
    const type = Array.isArray(schema.type) ? schema.type.join(" or ") : (schema.type ?? "any");
    return schema.items ? `${type} of ${typeOf(schema.items)}` : type;
}

function resolve(api: OpenAPI, schema: Schema | undefined): Schema | undefined {
    return schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()!] : schema;
}

function Members({ api, schema }: { api: OpenAPI; schema: Schema | undefined }) {
    const found = resolve(api, schema);
    const choices = found?.oneOf?.filter((one) => resolve(api, one)?.properties);
    if (choices?.length)
        return (
            <>
                {choices.map((one) => (
                    <Members api={api} schema={one} />
                ))}
            </>
        );
    if (!found?.properties) return <p>{found?.description ?? typeOf(schema)}</p>;
    return (
        <table class="plain">
            <thead>
                <tr>
                    <th>Member</th>
                    <th>Type</th>
                    <th>Meaning</th>
                </tr>
            </thead>
            <tbody>
                {Object.entries(found.properties).map(([name, member]) => (
                    <tr>
                        <td class="mono">
                            {name}
                            {found.required?.includes(name) ? " *" : ""}
                        </td>
                        <td>{typeOf(member)}</td>
                        <td>{member.description ?? ""}</td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Try({ method, path, operation }: { method: string; path: string; operation: Operation }) {
    const [values, setValues] = useState<Record<string, string>>({});
    const [body, setBody] = useState("");
    const [reply, setReply] = useState("");
    const params = operation.parameters ?? [];
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] || name));
    const target = filled + query(Object.fromEntries(params.filter((p) => p.in === "query").map((p) => [p.name, values[p.name]])));
    const send = async (event: Event) => {
        event.preventDefault();
        setReply("…");
        try {
            const parsed = body ? (JSON.parse(body) as unknown) : undefined;
            const answer = await request(method.toUpperCase(), target, { body: parsed, accept: "application/json, text/plain;q=0.5" });
            const text = await answer.text();
            setReply(`${answer.status}\n${text.slice(0, SHOWN)}${text.length > SHOWN ? "\n… cut" : ""}`);
        } catch (error) {
            const is = error as Problem;
            setReply([is.status || "", is.message, ...(is.errors ?? []).map((e) => `${e.pointer}: ${e.detail}`)].join("\n"));
        }
    };
    return (
        <form class="try" onSubmit={send}>
            {params.map((param) => (
                <label>
                    {param.name}
                    {param.in === "path" ? " *" : ""}
                    <input
                        type="text"
                        required={param.in === "path"}
                        value={values[param.name] ?? ""}
                        onInput={(e) => setValues({ ...values, [param.name]: e.currentTarget.value })}
                    />
                </label>
            ))}
            {operation.requestBody && (
                <label>
                    Body, as JSON
                    <textarea class="mono" rows={4} value={body} onInput={(e) => setBody(e.currentTarget.value)} />
                </label>
            )}
            <button type="submit" class={method === "get" ? "primary" : "danger"}>
                Send {method.toUpperCase()}
            </button>
            <CopyBox label="curl" text={curlOf(method.toUpperCase(), target)} />
            {reply && <CopyBox label="Reply" text={reply} />}
        </form>
    );
}

function Call({ api, method, path, operation }: { api: OpenAPI; method: string; path: string; operation: Operation }) {
    const [open, setOpen] = useState(false);
    const body = operation.requestBody?.content["application/json"]?.schema;
    return (
        <details class="card call" onToggle={(e) => setOpen(e.currentTarget.open)}>
            <summary>
                <span class={`method ${method}`}>{method.toUpperCase()}</span> <span class="mono break">{path}</span>
                <span class="quiet">{operation.summary}</span>
            </summary>
            {open && (
                <>
                    {!!operation.parameters?.length && (
                        <table class="plain">
                            <thead>
                                <tr>
                                    <th>Parameter</th>
                                    <th>In</th>
                                    <th>Type</th>
                                    <th>Meaning</th>
                                </tr>
                            </thead>
                            <tbody>
                                {operation.parameters.map((param) => (
                                    <tr>
                                        <td class="mono">{param.name}</td>
                                        <td>{param.in}</td>
                                        <td>{typeOf(param.schema)}</td>
                                        <td>{param.description}</td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    )}
                    {body && (
                        <>
                            <h2>Body</h2>
                            <Members api={api} schema={body} />
                        </>
                    )}
                    <h2>Try it</h2>
                    <Try method={method} path={path} operation={operation} />
                </>
            )}
        </details>
    );
}

export function DocsPage() {
    const [api, setApi] = useState<OpenAPI | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const [text, setText] = useState("");
    const load = () => void openapi().then(setApi, setError);
    useEffect(load, []);
    const calls = Object.entries(api?.paths ?? {})
        .filter(([path]) => !/^\/(jobs|nodes|queues|service)\b/.test(path)) // the older, unprefixed names
        .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
        .filter((c) => `${c.method} ${c.path} ${c.operation.summary}`.toLowerCase().includes(text.toLowerCase()));
    return (
        <>
            <h1>Interface</h1>
            <p>
                Every call that this server takes, made from <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). What
                you send here is really done, with your credentials.
            </p>
            {error && <Fail error={error} again={load} />}
            <div class="filters">
                <label>
                    Find a call
                    <input type="search" value={text} onInput={(e) => setText(e.currentTarget.value)} />
                </label>
            </div>
            {api && calls.map((c) => <Call key={c.method + c.path} api={api} {...c} />)}
            {api && !calls.length && <p class="empty">No call matches.</p>}
        </>
    );
}
