// SPDX-License-Identifier: LGPL-3.0-only
// The address, which holds all that a view shows, so that it can be kept and sent to others.
import { Value } from "./state";

export interface Address {
    path: string;
    search: string;
}

const read = (): Address => ({ path: location.pathname, search: location.search });

export const address = new Value<Address>(read());

export function go(to: string, replace = false): void {
    history[replace ? "replaceState" : "pushState"](null, "", to);
    address.set(read());
}

/** Changes parameters of the present address; "" takes one away. */
export function setParams(changes: Record<string, string>): void {
    const params = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes))
        if (value) params.set(name, value);
        else params.delete(name);
    const text = params.toString();
    go(location.pathname + (text && `?${text}`), true);
}

export function startRouting(): void {
    addEventListener("popstate", () => address.set(read()));
    document.addEventListener("click", (event) => {
        const link = (event.target as Element).closest?.("a");
        if (!link || event.defaultPrevented || event.button !== 0) return;
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        if (link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
        if (!/^\/($|jobs($|\/)|nodes$|docs$)/.test(link.pathname)) return;
        event.preventDefault();
        go(link.pathname + link.search);
        scrollTo(0, 0);
    });
}
