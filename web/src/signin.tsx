// SPDX-License-Identifier: LGPL-3.0-only
// The form that asks for credentials, in place of a view that was refused for the lack of them.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, signIn, tryCredentials } from "./api";
import { useValue } from "./state";

export function SignIn() {
    const { why } = useValue(signIn);
    const [user, setUser] = useState("");
    const [token, setToken] = useState("");
    const [fault, setFault] = useState("");
    const first = useRef<HTMLInputElement>(null);
    useEffect(() => first.current?.focus(), []);
    const submit = async (event: Event) => {
        event.preventDefault();
        try {
            await tryCredentials(user, token);
        } catch (error) {
            const refused = error instanceof Problem && error.status === 401;
            setFault(refused ? "These credentials are not taken." : error instanceof Problem ? error.message : "The daemon does not answer.");
        }
    };
    return (
        <form class="card signin" onSubmit={submit}>
            <h1>Sign in</h1>
            {why && <p class="notice">{why}</p>}
            <p>This server wants to know who you are. What you enter is kept for this tab alone.</p>
            <label>
                User
                <input ref={first} type="text" autocomplete="username" value={user} onInput={(e) => setUser(e.currentTarget.value)} aria-describedby="user-help" />
            </label>
            <p class="help" id="user-help">
                Left empty, the token is sent alone (as a bearer's).
            </p>
            <label>
                Token
                <input type="password" autocomplete="current-password" required value={token} onInput={(e) => setToken(e.currentTarget.value)} />
            </label>
            {fault && (
                <p class="fault" role="alert">
                    {fault}
                </p>
            )}
            <button type="submit" class="primary">
                Sign in
            </button>
        </form>
    );
}
