// One sentence about the orders for those who do not see the screen, at most one in a few seconds.

import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { countOf, lastSegment, stateText, states } from "../format/order";
import { events } from "../state/live";
import { orders } from "../state/orders";

const intervalMs = 4_000;
const text = signal("");

export function LiveSummary() {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = effect(() => {
      if (events.value.length === 0) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        text.value = summary();
      }, intervalMs);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, []);
  return (
    <p class="hidden" role="status" id="live-summary">
      {text.value}
    </p>
  );
}

function summary(): string {
  const list = orders.peek();
  const counts = states
    .map((state) => ({ label: stateText(state).label, count: list.filter((order) => order.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ label, count }) => `${count} ${label.toLowerCase()}`);
  const last = events.peek()[0];
  const change = last ? ` Order ${lastSegment(last.order)} is ${stateText(last.state).label.toLowerCase()}.` : "";
  return `${countOf(list.length, "order")}: ${counts.join(", ")}.${change}`;
}
