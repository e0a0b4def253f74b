// The order that is being put together. It is kept in `sessionStorage` with its request id, so that a page that was
// closed between sending and the answer can send the same order again without ordering twice.

import { batch, computed, effect, signal } from "@preact/signals";
import type { Product } from "../../gen/millrace/catalog/v1/catalog_pb";
import type { Order } from "../../gen/millrace/ordering/v1/ordering_pb";
import { ordering } from "../api/clients";
import { type Failure, failureOf } from "../api/failure";
import { sumMoney } from "../format/money";
import { signOut, user } from "../session";
import { takeOrder } from "./orders";

export interface DraftLine {
  /** `products/{product}`. */
  product: string;
  displayName: string;
  /** The price when the product was picked; the server's is decisive. */
  currencyCode: string;
  minorUnits: bigint;
  quantity: number;
}

/** The largest number that the field `quantity` can carry; what is too many is the server's to say. */
const int32Max = 2 ** 31 - 1;
const storageName = "millrace.draft";

const stored = read();
export const lines = signal<readonly DraftLine[]>(stored.lines);
/** Drawn when the draft is first sent; kept while the same draft is sent again, dropped when it changes. */
const requestId = signal<string | null>(stored.requestId);
/** Whether sending now repeats an attempt. */
export const isRepeat = computed(() => requestId.value !== null);

export const pieces = computed(() => lines.value.reduce((sum, line) => sum + Math.max(0, line.quantity), 0));
export const estimate = computed(() =>
  sumMoney(
    lines.value.map(({ currencyCode, minorUnits, quantity }) => ({
      currencyCode,
      minorUnits: minorUnits * BigInt(quantity),
    })),
  ),
);
export const placing = signal(false);
export const placeFailure = signal<Failure | null>(null);
/** The order that this page placed last. */
export const placed = signal<Order | null>(null);

effect(() => {
  const text = JSON.stringify({ lines: lines.value, requestId: requestId.value }, (_, value) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  if (lines.value.length === 0) sessionStorage.removeItem(storageName);
  else sessionStorage.setItem(storageName, text);
});

export function addProduct(product: Product): void {
  const present = lines.value.find((line) => line.product === product.name);
  if (present) return setQuantity(product.name, present.quantity + 1);
  change([
    ...lines.value,
    {
      product: product.name,
      displayName: product.displayName,
      currencyCode: product.price?.currencyCode ?? "",
      minorUnits: product.price?.minorUnits ?? 0n,
      quantity: 1,
    },
  ]);
}

export function setQuantity(product: string, quantity: number): void {
  const whole = Number.isFinite(quantity) ? Math.trunc(Math.max(-int32Max, Math.min(int32Max, quantity))) : 0;
  batch(() => {
    lines.value = lines.value.map((line) => (line.product === product ? { ...line, quantity: whole } : line));
    requestId.value = null;
    // What the server said of the last attempt stays until the next one: taking it away would move the button that is
    // being pressed.
  });
}

export function removeLine(product: string): void {
  change(lines.value.filter((line) => line.product !== product));
}

/** Sends the draft; whether it arrived or not, sending it again cannot order twice. */
export async function placeOrder(): Promise<void> {
  const parent = user.peek()?.name;
  if (!parent || placing.peek()) return;
  const id = (requestId.value ??= drawRequestId());
  batch(() => {
    placing.value = true;
    placeFailure.value = null;
    placed.value = null;
  });
  try {
    const order = await ordering.createOrder({
      parent,
      order: { lines: lines.peek().map(({ product, quantity }) => ({ product, quantity })) },
      requestId: id,
    });
    batch(() => {
      placed.value = order;
      takeOrder(order);
      change([]);
    });
  } catch (error) {
    const failure = failureOf(error);
    placeFailure.value = failure;
    if (failure.signIn) signOut(failure);
  } finally {
    placing.value = false;
  }
}

/** Other lines: what the server said was about the old ones. */
function change(next: readonly DraftLine[]): void {
  batch(() => {
    lines.value = next;
    requestId.value = null;
    placeFailure.value = null;
  });
}

/** 128 random bits. (`randomUUID` exists only where the page is served by HTTPS or from this machine.) */
function drawRequestId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What another version of the page stored is dropped rather than guessed at. */
function read(): { lines: DraftLine[]; requestId: string | null } {
  try {
    const found = JSON.parse(sessionStorage.getItem(storageName) ?? "{}");
    const lines = found.lines.map((line: DraftLine) => ({
      product: String(line.product),
      displayName: String(line.displayName),
      currencyCode: String(line.currencyCode),
      minorUnits: BigInt(line.minorUnits),
      quantity: Math.trunc(Number(line.quantity)),
    }));
    return { lines, requestId: typeof found.requestId === "string" ? found.requestId : null };
  } catch {
    return { lines: [], requestId: null };
  }
}
