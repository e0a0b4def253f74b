// Times for people, in the browser's language and zone.

import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

const today = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** The time of day, with the date unless it is today's. */
export function formatTime(time: Timestamp, now = new Date()): string {
  const date = timestampDate(time);
  return (date.toDateString() === now.toDateString() ? today : earlier).format(date);
}

export function formatExactTime(time: Timestamp): string {
  return exact.format(timestampDate(time));
}

/** Microseconds since the epoch: comparable, and what the server's clock resolves. */
export function micros(time: Timestamp | undefined): bigint {
  return time ? time.seconds * 1_000_000n + BigInt(Math.trunc(time.nanos / 1000)) : 0n;
}
