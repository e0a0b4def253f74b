// Following a stream for as long as the page is open: it resumes after the last event seen, and waits longer after each
// failure. Time, chance and the stream are passed in, so that a test can replay any course of events.

import type { OrderEvent } from "../../gen/millrace/ordering/v1/ordering_pb";
import { type Failure, failureOf } from "../api/failure";

export type WatchState =
  | { kind: "off" }
  /** Being opened; after a failure, with it. */
  | { kind: "connecting"; failure: Failure | null }
  | { kind: "live" }
  /** The stream broke; it is opened again at `retryAt` (milliseconds of `now`). */
  | { kind: "waiting"; failure: Failure; retryAt: number }
  /** Nobody looks at the page. */
  | { kind: "paused" }
  /** A failure that trying again does not heal. */
  | { kind: "stopped"; failure: Failure };

export interface Watch {
  /** Opens the stream of the events after a number; calls `opened` when the server has accepted. */
  open(after: number, opened: () => void): AsyncIterable<OrderEvent>;
  deliver(event: OrderEvent): void;
  report(state: WatchState): void;
  /** Waits, or less if there is a reason to try at once. */
  wait(ms: number): Promise<void>;
  now(): number;
  /** From 0 to 1. */
  random(): number;
}

const firstDelayMs = 500;
const longestDelayMs = 15_000;
/** A stream that lasted this long was healthy, even if it brought nothing. */
const healthyMs = 10_000;

/** A code that the same call would get again. All others pass, a broken connection first of all. */
const finalCodes = new Set([
  "INVALID_ARGUMENT",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "NOT_FOUND",
  "FAILED_PRECONDITION",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "PAGE",
]);

/** Follows until the signal is aborted or a failure is final. */
export async function follow(watch: Watch, signal: AbortSignal): Promise<void> {
  let after = 0;
  let failures = 0;
  let failure: Failure | null = null;
  while (!signal.aborted) {
    watch.report({ kind: "connecting", failure });
    let openedAt: number | undefined;
    try {
      const events = watch.open(after, () => {
        openedAt = watch.now();
        watch.report({ kind: "live" });
      });
      for await (const event of events) {
        if (signal.aborted) return;
        failures = 0;
        // The server sends each number once per stream; an older one would turn the page back.
        if (event.number <= after) continue;
        after = event.number;
        watch.deliver(event);
      }
      failure = streamEnded;
    } catch (error) {
      failure = failureOf(error);
    }
    if (signal.aborted) return;
    if (finalCodes.has(failure.code)) return watch.report({ kind: "stopped", failure });
    if (openedAt !== undefined && watch.now() - openedAt >= healthyMs) failures = 0;
    failures += 1;
    const delay = failure.retryAfterMs ?? backoffMs(failures, watch.random());
    watch.report({ kind: "waiting", failure, retryAt: watch.now() + delay });
    await watch.wait(delay);
  }
}

/** Doubles with each failure up to a limit; half of it is chance, so that many pages do not return at one moment. */
export function backoffMs(failures: number, random: number): number {
  const longest = Math.min(longestDelayMs, firstDelayMs * 2 ** (failures - 1));
  return longest * (0.5 + random / 2);
}

/** A watch has no end of its own: an orderly one means that the server is shutting down. */
const streamEnded: Failure = {
  code: "UNAVAILABLE",
  message: "the server ended the stream",
  violations: [],
  passing: true,
  uncertain: false,
  signIn: false,
};
