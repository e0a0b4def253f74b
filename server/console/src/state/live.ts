// The one watch of the page: it runs while there is a user and somebody looks, whatever screen is shown.
// (A browser has six connections per origin over HTTP/1.1, so there must never be a second stream.)

import { batch, effect, signal, untracked } from "@preact/signals";
import type { OrderEvent } from "../../gen/millrace/ordering/v1/ordering_pb";
import { identity, ordering } from "../api/clients";
import { type Failure, failureOf } from "../api/failure";
import { pause } from "../api/pause";
import { key, signOut, user } from "../session";
import { clearOrders, loadNewestOrders, takeEvent } from "./orders";
import { follow, type WatchState } from "./watch";

/** Events shown; older ones fall out. */
const eventsMax = 200;
/** How many events before the present one a new watch shows. */
const eventsBack = 30;
/** A hidden tab gives its connection back after this time. */
const hiddenMs = 30_000;

export const watchState = signal<WatchState>({ kind: "off" });
/** Newest first. */
export const events = signal<readonly OrderEvent[]>([]);
/** Why the user of the key could not be read, if that may pass. */
export const userFailure = signal<Failure | null>(null);

/** Whether the tab has been hidden for long. It outlives a watch: a new one must not start behind the reader's back. */
const asleep = signal(false);
/** Cuts the present wait short. */
let wake = new AbortController();
/** Counts the presses of "Try again" after a final failure. */
const restarts = signal(0);

/** Tries at once instead of waiting, also after a failure that ended the watch. */
export function tryNow(): void {
  if (watchState.peek().kind === "stopped" || userFailure.peek()) restarts.value += 1;
  wake.abort();
}

/** From now on, each key is resolved to its user, and each user's orders are followed. */
export function followOrdersOfSession(): void {
  sleepWhileHidden();
  addEventListener("online", tryNow);

  effect(() => {
    void restarts.value;
    const present = key.value;
    if (present === null) return;
    // Effects of the calls below must not become reasons to run this again.
    const controller = new AbortController();
    if (untracked(() => user.value) === null) void resolveUser(controller.signal);
    return () => controller.abort();
  });

  effect(() => {
    void restarts.value;
    const parent = user.value?.name;
    if (parent === undefined) {
      untracked(() => {
        clearOrders();
        events.value = [];
        watchState.value = { kind: "off" };
      });
      return;
    }
    if (asleep.value) {
      watchState.value = { kind: "paused" };
      return;
    }
    const controller = new AbortController();
    void followOrders(parent, controller.signal);
    return () => controller.abort();
  });
}

async function resolveUser(signal: AbortSignal): Promise<void> {
  userFailure.value = null;
  try {
    const found = await identity.getUser({ name: "users/me" }, { signal });
    if (!signal.aborted) user.value = found;
  } catch (error) {
    if (signal.aborted) return;
    const failure = failureOf(error);
    if (failure.signIn) signOut(failure);
    else userFailure.value = failure;
  }
}

async function followOrders(parent: string, signal: AbortSignal): Promise<void> {
  await follow(
    {
      open: (after, opened) => openOrders(parent, after, opened, signal),
      deliver: (event) =>
        batch(() => {
          events.value = [event, ...events.value].slice(0, eventsMax);
          takeEvent(event);
        }),
      report: (state) => {
        if (!signal.aborted) watchState.value = state;
      },
      wait: async (ms) => {
        wake = new AbortController();
        await pause(ms, AbortSignal.any([wake.signal, signal]));
      },
      now: () => performance.now(),
      random: () => Math.random(),
    },
    signal,
  );
  const last = watchState.peek();
  if (last.kind === "stopped" && last.failure.signIn && !signal.aborted) signOut(last.failure);
}

/**
 * The events after a number. A first stream begins a little before the present instead of at the first event ever; the
 * list is read between asking for that point and watching from it, so no change can fall between the two.
 */
async function* openOrders(parent: string, after: number, opened: () => void, signal: AbortSignal) {
  const newestSeen = events.peek()[0]?.number ?? 0;
  let from = Math.max(after, newestSeen);
  if (from === 0) from = Math.max(0, (await newestEventNumber(parent, signal)) - eventsBack);
  await loadNewestOrders(parent, signal);
  yield* ordering.watchOrders({ parent, after: from }, { signal, timeoutMs: 0, onHeader: opened });
}

/** The number of an event that is at most a few behind the user's last one; 0 without orders. */
async function newestEventNumber(parent: string, signal: AbortSignal): Promise<number> {
  const { orders } = await ordering.listOrders({ parent, pageSize: 1 }, { signal });
  const newest = orders[0];
  if (!newest) return 0;
  const { events } = await ordering.getOrder({ name: newest.name }, { signal });
  return Math.max(0, ...events.map((event) => event.number));
}

function sleepWhileHidden(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => (asleep.value = true), hiddenMs);
    } else {
      asleep.value = false;
      wake.abort();
    }
  });
}
