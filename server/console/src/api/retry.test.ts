import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { OrderingService } from "../../gen/millrace/ordering/v1/ordering_pb";
import { retrySafeCalls } from "./retry";

/** A client whose server fails so many times before it answers, and the requests that it saw. */
function client(failures: number, code: Code) {
  const seen: string[] = [];
  const answer = (text: string) => {
    seen.push(text);
    if (seen.length <= failures) throw new ConnectError("not now", code);
    return {};
  };
  const transport = createRouterTransport(
    ({ service }) =>
      service(OrderingService, {
        createOrder: ({ requestId }) => answer(requestId),
        getOrder: ({ name }) => answer(name),
      }),
    { transport: { interceptors: [retrySafeCalls] } },
  );
  return { ordering: createClient(OrderingService, transport), seen };
}

test("a read is repeated after a failure that passes", async () => {
  const { ordering, seen } = client(2, Code.Unavailable);
  await ordering.getOrder({ name: "a" });
  assert.deepEqual(seen, ["a", "a", "a"]);
});

test("attempts are bounded", async () => {
  const { ordering, seen } = client(9, Code.Unavailable);
  await assert.rejects(ordering.getOrder({ name: "a" }));
  assert.equal(seen.length, 3);
});

test("a failure that does not pass is not repeated", async () => {
  const { ordering, seen } = client(1, Code.NotFound);
  await assert.rejects(ordering.getOrder({ name: "a" }));
  assert.equal(seen.length, 1);
});

test("a write is repeated with its request id, and never without one", async () => {
  const keyed = client(1, Code.Unavailable);
  await keyed.ordering.createOrder({ requestId: "k" });
  assert.deepEqual(keyed.seen, ["k", "k"]);

  const plain = client(1, Code.Unavailable);
  await assert.rejects(plain.ordering.createOrder({}));
  assert.equal(plain.seen.length, 1);
});
