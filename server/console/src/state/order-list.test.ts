import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Order, OrderEventSchema, OrderSchema, OrderState } from "../../gen/millrace/ordering/v1/ordering_pb";
import { applyEvent, leavesGap, mergeOrders, ordersMax, type Tracked } from "./order-list";

const { PLACED, AUTHORIZED, CANCELLED } = OrderState;

function order(name: string, created: number, state = PLACED, updated = created): Order {
  const [createTime, updateTime] = [{ seconds: BigInt(created) }, { seconds: BigInt(updated) }];
  return create(OrderSchema, { name, state, createTime, updateTime });
}

function event(number: number, order: string, state: OrderState, at: number) {
  return create(OrderEventSchema, { number, order, state, time: { seconds: BigInt(at) } });
}

const names = (list: readonly Tracked[]) => list.map(({ order }) => order.name).join("");

test("orders are listed once, newest first", () => {
  const list = mergeOrders([], [order("b", 2), order("a", 1)]);
  assert.equal(names(mergeOrders(list, [order("c", 3), order("b", 2)])), "cba");
  // Of one moment, the larger name is first, as the server has it.
  assert.equal(names(mergeOrders([], [order("a", 1), order("b", 1)])), "ba");
  const many = Array.from({ length: ordersMax + 5 }, (_, index) => order(`n${index}`, index));
  assert.equal(mergeOrders([], many).length, ordersMax);
});

test("a list that was read earlier does not undo an event", () => {
  const list = applyEvent(mergeOrders([], [order("a", 1)]), event(2, "a", CANCELLED, 5));
  assert.ok(list);
  assert.equal(mergeOrders(list, [order("a", 1, AUTHORIZED, 3)])[0]?.order.state, CANCELLED);
  assert.equal(mergeOrders(list, [order("a", 1, AUTHORIZED, 6)])[0]?.order.state, AUTHORIZED);
});

test("an event changes its order, unless it is older than what is known", () => {
  const cases: [string, ReturnType<typeof event>, OrderState][] = [
    ["newer", event(8, "a", CANCELLED, 9), CANCELLED],
    ["of the same moment", event(8, "a", CANCELLED, 4), CANCELLED],
    ["older than the list", event(8, "a", CANCELLED, 3), AUTHORIZED],
    ["seen already", event(7, "a", CANCELLED, 9), AUTHORIZED],
  ];
  for (const [what, change, expected] of cases) {
    const known = [{ order: order("a", 1, AUTHORIZED, 4), number: 7 }];
    assert.equal(applyEvent(known, change)?.[0]?.order.state, expected, what);
  }
  assert.equal(applyEvent([], event(1, "a", PLACED, 1)), undefined);
});

test("a new first page that does not reach what is known leaves a gap", () => {
  const known = mergeOrders([], [order("a", 1)]);
  assert.equal(leavesGap(known, [order("c", 3), order("b", 2)], true), true);
  assert.equal(leavesGap(known, [order("b", 2), order("a", 1)], true), false);
  assert.equal(leavesGap(known, [order("b", 2)], false), false);
  assert.equal(leavesGap([], [order("b", 2)], true), false);
});
