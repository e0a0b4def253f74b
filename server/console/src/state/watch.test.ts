import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { OrderEventSchema } from "../../gen/millrace/ordering/v1/ordering_pb";
import { backoffMs, follow } from "./watch";

/** What one stream does: event numbers, then perhaps an error; a number of milliseconds before all that. */
interface Stream {
  numbers?: number[];
  error?: unknown;
  lastsMs?: number;
}

/** Follows through the streams one after the other, on a clock of its own; says what happened. */
async function run(streams: Stream[]) {
  const controller = new AbortController();
  const log: string[] = [];
  let now = 0;
  await follow(
    {
      async *open(after, opened) {
        const stream = streams.shift();
        if (!stream) return controller.abort();
        log.push(`open ${after}`);
        if (stream.numbers) opened();
        now += stream.lastsMs ?? 0;
        for (const number of stream.numbers ?? []) yield create(OrderEventSchema, { number });
        if (stream.error) throw stream.error;
      },
      deliver: (event) => log.push(`event ${event.number}`),
      report: (state) => {
        if (state.kind === "stopped") log.push(`stopped ${state.failure.code}`);
        if (state.kind === "waiting") log.push(`${state.failure.code}, wait ${state.retryAt - now}`);
      },
      wait: async (ms) => void (now += ms),
      now: () => now,
      random: () => 1,
    },
    controller.signal,
  );
  return log;
}

const cut = ConnectError.from(new TypeError("network error"));

test("a broken stream is resumed after the last event, and no event is delivered twice", async () => {
  assert.deepEqual(await run([{ numbers: [1, 2], error: cut }, { numbers: [2, 3] }]), [
    "open 0",
    "event 1",
    "event 2",
    "NETWORK, wait 500",
    "open 2",
    "event 3",
    "UNAVAILABLE, wait 500",
  ]);
});

test("waits grow with each failure, and begin anew after an event or a long stream", async () => {
  const log = await run([
    { error: cut },
    { error: cut },
    { numbers: [], error: cut },
    { numbers: [1], error: cut },
    { error: cut },
    { numbers: [], lastsMs: 10_000 },
  ]);
  const waits = log.filter((line) => line.includes("wait")).map((line) => Number(line.split(" ").at(-1)));
  assert.deepEqual(waits, [500, 1000, 2000, 500, 1000, 500]);
});

test("a failure that would come again ends it", async () => {
  for (const code of [Code.Unauthenticated, Code.PermissionDenied, Code.InvalidArgument, Code.Unimplemented]) {
    const log = await run([{ error: new ConnectError("no", code) }, { numbers: [1] }]);
    assert.deepEqual(log.length, 2, log.join());
    assert.match(log[1] ?? "", /^stopped /);
  }
});

test("the wait doubles up to a limit, half of it by chance", () => {
  const cases: [number, number, number][] = [
    [1, 1, 500],
    [1, 0, 250],
    [2, 1, 1000],
    [5, 1, 8000],
    [6, 1, 15_000],
    [60, 0, 7500],
  ];
  for (const [failures, random, expected] of cases) assert.equal(backoffMs(failures, random), expected);
});
