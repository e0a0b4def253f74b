// Order states and names for people.

import { OrderState } from "../../gen/millrace/ordering/v1/ordering_pb";

export interface StateText {
  label: string;
  /** Shape beside the colour, for those who cannot tell the colours apart. */
  glyph: string;
  tone: "moving" | "good" | "bad" | "ended";
  meaning: string;
}

/** In the order in which an order can go through them; what follows COMPLETED are its other ends. */
const texts: Record<Exclude<OrderState, OrderState.UNSPECIFIED>, StateText> = {
  [OrderState.PLACED]: { label: "Placed", glyph: "○", tone: "moving", meaning: "accepted; payment is not asked yet" },
  [OrderState.AUTHORIZED]: { label: "Authorized", glyph: "◔", tone: "moving", meaning: "the amount is held" },
  [OrderState.RESERVED]: { label: "Reserved", glyph: "◑", tone: "moving", meaning: "the stock is set aside" },
  [OrderState.CAPTURED]: { label: "Captured", glyph: "◕", tone: "moving", meaning: "the amount is taken" },
  [OrderState.COMPLETED]: { label: "Completed", glyph: "●", tone: "good", meaning: "done" },
  [OrderState.DECLINED]: { label: "Declined", glyph: "✕", tone: "bad", meaning: "the payment was refused" },
  [OrderState.OUT_OF_STOCK]: { label: "Out of stock", glyph: "∅", tone: "bad", meaning: "too little stock" },
  [OrderState.CANCELLED]: { label: "Cancelled", glyph: "⊘", tone: "ended", meaning: "by the user or an operator" },
  [OrderState.EXPIRED]: { label: "Expired", glyph: "◌", tone: "ended", meaning: "not finished by its deadline" },
};

export const states = Object.keys(texts).map(Number) as (keyof typeof texts)[];

/** A state that a newer server added has its number as a label. */
export function stateText(state: OrderState): StateText {
  return (
    (texts as Partial<Record<OrderState, StateText>>)[state] ?? {
      label: `State ${state}`,
      glyph: "?",
      tone: "ended",
      meaning: "a state that this page does not know",
    }
  );
}

/** Whether the server would still cancel an order in this state. */
export function isCancellable(state: OrderState): boolean {
  return state === OrderState.PLACED || state === OrderState.AUTHORIZED || state === OrderState.RESERVED;
}

/** `users/7/orders/9` → `9`. */
export function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Enough of an id to tell a user's orders apart at a glance: `…408130`. */
export function shortId(name: string): string {
  const id = lastSegment(name);
  return id.length > 8 ? `…${id.slice(-6)}` : id;
}

export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}
