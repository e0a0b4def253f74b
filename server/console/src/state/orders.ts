// The user's orders: loading pages, cancelling, and taking in what the watch delivers.

import { batch, computed, signal } from "@preact/signals";
import type { Order, OrderEvent } from "../../gen/millrace/ordering/v1/ordering_pb";
import { ordering } from "../api/clients";
import { type Failure, failureOf } from "../api/failure";
import { user } from "../session";
import { applyEvent, leavesGap, mergeOrders, ordersMax, type Tracked } from "./order-list";

const pageSize = 50;
/** Events about unknown orders make the page read the first page again, at most once in this time. */
const refreshMs = 500;

const tracked = signal<readonly Tracked[]>([]);
const nextPageToken = signal("");

/** Newest first. */
export const orders = computed<readonly Order[]>(() => tracked.value.map(({ order }) => order));
export const ordersLoaded = signal(false);
export const ordersFailure = signal<Failure | null>(null);
export const hasOlderOrders = computed(() => nextPageToken.value !== "" && tracked.value.length < ordersMax);
/** Orders that are being cancelled, by name. */
export const cancelling = signal<ReadonlySet<string>>(new Set());
/** Why the last cancellation of an order failed, by the order's name. */
export const cancelFailures = signal<ReadonlyMap<string, Failure>>(new Map());

let refreshTimer: ReturnType<typeof setTimeout> | undefined;

export function clearOrders(): void {
  clearTimeout(refreshTimer);
  refreshTimer = undefined;
  batch(() => {
    tracked.value = [];
    nextPageToken.value = "";
    ordersLoaded.value = false;
    ordersFailure.value = null;
    cancelFailures.value = new Map();
  });
}

/** Reads the newest orders. Throws what the call throws. */
export async function loadNewestOrders(parent: string, signal?: AbortSignal): Promise<void> {
  const page = await ordering.listOrders({ parent, pageSize }, signal && { signal });
  if (user.peek()?.name !== parent) return;
  batch(() => {
    const hasMore = page.nextPageToken !== "";
    const startAgain = !ordersLoaded.value || leavesGap(tracked.value, page.orders, hasMore);
    tracked.value = mergeOrders(startAgain ? [] : tracked.value, page.orders);
    if (startAgain) nextPageToken.value = page.nextPageToken;
    ordersLoaded.value = true;
    ordersFailure.value = null;
  });
}

export async function loadOlderOrders(): Promise<void> {
  const parent = user.peek()?.name;
  if (!parent || nextPageToken.peek() === "") return;
  try {
    const page = await ordering.listOrders({ parent, pageSize, pageToken: nextPageToken.peek() });
    if (user.peek()?.name !== parent) return;
    batch(() => {
      tracked.value = mergeOrders(tracked.value, page.orders);
      nextPageToken.value = page.nextPageToken;
      ordersFailure.value = null;
    });
  } catch (error) {
    ordersFailure.value = failureOf(error);
  }
}

export function takeOrder(order: Order): void {
  tracked.value = mergeOrders(tracked.value, [order]);
}

export function takeEvent(event: OrderEvent): void {
  const list = applyEvent(tracked.value, event);
  if (list) tracked.value = list;
  else refreshSoon();
}

export async function cancelOrder(name: string): Promise<void> {
  cancelling.value = new Set(cancelling.value).add(name);
  const failures = new Map(cancelFailures.value);
  failures.delete(name);
  try {
    takeOrder(await ordering.cancelOrder({ name }));
  } catch (error) {
    failures.set(name, failureOf(error));
  }
  const rest = new Set(cancelling.value);
  rest.delete(name);
  batch(() => {
    cancelFailures.value = failures;
    cancelling.value = rest;
  });
}

function refreshSoon(): void {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = undefined;
    const parent = user.peek()?.name;
    if (parent) loadNewestOrders(parent).catch((error) => (ordersFailure.value = failureOf(error)));
  }, refreshMs);
}
