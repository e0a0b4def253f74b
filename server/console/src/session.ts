// Who uses the page: the API key, and the user it belongs to.
//
// The key comes from the fragment of the address (`/#key=mr_...`), which browsers do not send to a server, or is typed
// in. It lives in `sessionStorage`, so it ends with the tab, and never appears in the page.

import { effect, signal } from "@preact/signals";
import { type Failure, failureOf } from "./api/failure";
import { isKey } from "./api/key";
import type { User } from "../gen/millrace/identity/v1/identity_pb";

const storageName = "millrace.key";

export const key = signal<string | null>(sessionStorage.getItem(storageName));
/** The key's user, `null` until the server has answered. */
export const user = signal<User | null>(null);
/** Why the key of this session, or the last one, could not be used. */
export const signInFailure = signal<Failure | null>(null);

effect(() => {
  if (key.value === null) sessionStorage.removeItem(storageName);
  else sessionStorage.setItem(storageName, key.value);
});

/** Takes `#key=...` out of the address, and out of the history entry with it. */
export function takeKeyFromAddress(): void {
  const found = new URLSearchParams(location.hash.replace(/^#/, "")).get("key");
  if (found === null) return;
  history.replaceState(null, "", `${location.pathname}${location.search}#/products`);
  signIn(found);
}

export function signIn(text: string): void {
  const trimmed = text.trim();
  user.value = null;
  if (isKey(trimmed)) {
    signInFailure.value = null;
    key.value = trimmed;
  } else {
    key.value = null;
    signInFailure.value = failureOf(new Error("this is not an API key: a key starts with mr_"));
  }
}

export function signOut(failure: Failure | null = null): void {
  user.value = null;
  key.value = null;
  signInFailure.value = failure;
}
