// The list of orders as the page knows it, out of two sources: lists, which know everything about an order at some
// moment, and events, which know its newest state. Pure: takes lists, returns lists.

import type { Order, OrderEvent } from "../../gen/millrace/ordering/v1/ordering_pb";
import { micros } from "../format/time";

/** The page keeps at most this many orders; older ones fall out. */
export const ordersMax = 1000;

/** An order, and the number of the last event that changed it here (0: none did). */
export interface Tracked {
  order: Order;
  number: number;
}

/** Adds orders that the server sent, newest first. What an event has changed since then stays. */
export function mergeOrders(known: readonly Tracked[], sent: readonly Order[]): Tracked[] {
  const byName = new Map(known.map((tracked) => [tracked.order.name, tracked]));
  for (const order of sent) {
    const present = byName.get(order.name);
    if (present && micros(present.order.updateTime) > micros(order.updateTime)) continue;
    byName.set(order.name, { order, number: present?.number ?? 0 });
  }
  return [...byName.values()].sort(newestFirst).slice(0, ordersMax);
}

/** Puts an event's state into its order; `undefined` if the list has no such order. */
export function applyEvent(known: readonly Tracked[], event: OrderEvent): Tracked[] | undefined {
  const index = known.findIndex(({ order }) => order.name === event.order);
  const present = known[index];
  if (!present) return undefined;
  const list = [...known];
  // A watch that begins a little in the past repeats what the list shows already, and must not turn it back.
  const older = event.number <= present.number || micros(event.time) < micros(present.order.updateTime);
  if (!older) {
    const { state, time } = event;
    list[index] = { order: { ...present.order, state, ...(time && { updateTime: time }) }, number: event.number };
  }
  return list;
}

/** Whether between the known orders and a new first page there may be orders that neither has. */
export function leavesGap(known: readonly Tracked[], page: readonly Order[], hasMore: boolean): boolean {
  const names = new Set(known.map(({ order }) => order.name));
  return hasMore && known.length > 0 && !page.some((order) => names.has(order.name));
}

function newestFirst(a: Tracked, b: Tracked): number {
  const byTime = micros(b.order.createTime) - micros(a.order.createTime);
  if (byTime !== 0n) return byTime > 0n ? 1 : -1;
  return a.order.name < b.order.name ? 1 : a.order.name > b.order.name ? -1 : 0;
}
