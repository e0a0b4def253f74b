// Which screen is shown: the fragment of the address, as in `#/orders`. The server sees one page only, so the page
// works from any static server.

import { signal } from "@preact/signals";
import { takeKeyFromAddress } from "./session";

/** The screens, in the order of the navigation. One more screen is one more line here and in `app.tsx`. */
export const screens = {
  products: "Products",
  order: "New order",
  orders: "Orders",
  live: "Live",
} as const;

export type ScreenName = keyof typeof screens;

export const route = signal<ScreenName>("products");

/** Keeps `route` at what the address says, now and after each change of it. */
export function followRoutes(): void {
  const read = () => {
    takeKeyFromAddress();
    route.value = screenOf(location.hash);
  };
  addEventListener("hashchange", read);
  read();
}

/** An unknown fragment is the first screen. */
export function screenOf(hash: string): ScreenName {
  const name = hash.replace(/^#\/?/, "");
  return Object.hasOwn(screens, name) ? (name as ScreenName) : "products";
}
