// SPDX-License-Identifier: LGPL-3.0-only
// The frame around the views: navigation, what is wrong with the connection, who is signed in.
import { render, type ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { signedIn, signIn, signOut } from "./api";
import { engineLost } from "./format";
import { JobPage } from "./job";
import { JobsPage } from "./jobs";
import { link, retryNow, service, start } from "./live";
import { NodesPage } from "./nodes";
import { address, startRouting } from "./route";
import { SignIn } from "./signin";
import { now, useValue } from "./state";
import { SubmitPage } from "./submit";
import { Said } from "./ui";

/** A view that is loaded when it is first looked at. */
function lazy(load: () => Promise<ComponentType>) {
    return function Lazy() {
        const [View, setView] = useState<ComponentType | null>(null);
        const [failed, setFailed] = useState(false);
        useEffect(() => {
            load().then(
                (found) => setView(() => found),
                () => setFailed(true),
            );
        }, []);
        if (failed) return <p class="notice bad">This part of the page cannot be loaded: load the page anew.</p>;
        return View ? <View /> : <p class="empty">Loading…</p>;
    };
}

const OverviewPage = lazy(() => import("./overview").then((m) => m.OverviewPage));
const DocsPage = lazy(() => import("./docs").then((m) => m.DocsPage));

const VIEWS: [string, string, ComponentType][] = [
    ["/", "Overview", OverviewPage],
    ["/jobs", "Jobs", JobsPage],
    ["/nodes", "Nodes", NodesPage],
    ["/docs", "Interface", DocsPage],
];

function Wrong() {
    const is = useValue(link);
    const service_ = useValue(service);
    const current = useValue(now);
    if (is.state === "broken") {
        const wait = Math.max(0, Math.ceil(is.until - current));
        return (
            <div class="wrong" role="alert">
                <p>
                    {is.why} What is shown may be old.{" "}
                    <span aria-hidden="true">{wait > 0 ? `Trying again in ${wait} s.` : "Trying again…"}</span>
                </p>
                <button type="button" onClick={retryNow}>
                    Try now
                </button>
            </div>
        );
    }
    if (service_?.status === "lost")
        return (
            <div class="wrong" role="alert">
                <p>{engineLost(service_.lost)} What is shown may be old.</p>
            </div>
        );
    if (service_?.status === "starting")
        return (
            <div class="wrong" role="status">
                <p>The daemon has just started and reads the engine's jobs: not all are known yet.</p>
            </div>
        );
    return null;
}

function Link() {
    const is = useValue(link);
    const words = { connecting: "connecting", live: "live", paused: "paused", "signed-out": "signed out", broken: "not connected" };
    return (
        <span class={`link ${is.state}`} role="status">
            <span class="dot" aria-hidden="true" /> {words[is.state]}
        </span>
    );
}

function Header({ path }: { path: string }) {
    const is = useValue(service);
    const signed = useValue(signedIn);
    return (
        <header>
            <a class="skip" href="#main">
                To the content
            </a>
            <a class="brand" href="/">
                flux-restd
            </a>
            <nav aria-label="Views">
                {VIEWS.map(([to, title]) => (
                    <a href={to} aria-current={to === "/" ? (path === "/" ? "page" : undefined) : path.startsWith(to) ? "page" : undefined}>
                        {title}
                    </a>
                ))}
            </nav>
            <span class="row who">
                <Link />
                {is && (
                    <span class="user">
                        <bdi>{is.user}</bdi>
                    </span>
                )}
                {signed && (
                    <button type="button" class="small" onClick={signOut}>
                        Sign out
                    </button>
                )}
            </span>
        </header>
    );
}

function View({ path }: { path: string }) {
    const view = VIEWS.find(([to]) => to === path);
    if (view) {
        const [, , Page] = view;
        return <Page />;
    }
    if (path === "/jobs/submit") return <SubmitPage />;
    const id = /^\/jobs\/([^/]+)$/.exec(path)?.[1];
    if (id) return <JobPage key={id} jobid={decodeURIComponent(id)} />;
    return (
        <>
            <h1>Nothing here</h1>
            <p>
                There is no such view. <a href="/jobs">The jobs</a> are there.
            </p>
        </>
    );
}

function App() {
    const { path } = useValue(address);
    const { needed } = useValue(signIn);
    const main = useRef<HTMLElement>(null);
    const before = useRef(path);
    useEffect(() => {
        const title = VIEWS.find(([to]) => to === path)?.[1] ?? (path === "/jobs/submit" ? "Submit a job" : "Job");
        document.title = `${title}: flux-restd`;
        if (before.current !== path) main.current?.focus();
        before.current = path;
    }, [path]);
    return (
        <>
            <Header path={path} />
            <Wrong />
            <main id="main" ref={main} tabIndex={-1}>
                {needed ? <SignIn /> : <View path={path} />}
            </main>
            <Said />
        </>
    );
}

startRouting();
start();
render(<App />, document.getElementById("app")!);
