// The user's orders, newest first; their states move as the watch reports.

import { useSignal } from "@preact/signals";
import type { Order } from "../../gen/millrace/ordering/v1/ordering_pb";
import { ConnectionFailure } from "../components/connection";
import { FailurePanel } from "../components/failure";
import { Money } from "../components/money";
import { StateBadge } from "../components/state-badge";
import { Time } from "../components/time";
import { countOf, isCancellable, lastSegment } from "../format/order";
import {
  cancelFailures,
  cancelling,
  cancelOrder,
  hasOlderOrders,
  loadOlderOrders,
  orders,
  ordersFailure,
  ordersLoaded,
} from "../state/orders";

export function OrdersScreen() {
  return (
    <>
      <h1>Orders</h1>
      <ConnectionFailure />
      {ordersFailure.value && (
        <FailurePanel title="The orders could not be read" failure={ordersFailure.value} />
      )}
      {!ordersLoaded.value && <p class="quiet">Reading the orders…</p>}
      {ordersLoaded.value && orders.value.length === 0 && (
        <p class="card">
          No orders yet. <a href="#/products">Choose products</a>
        </p>
      )}
      {orders.value.length > 0 && (
        <>
          <p class="quiet">
            {hasOlderOrders.value && "The newest "}
            {countOf(orders.value.length, "order")}
          </p>
          <ul class="orders">
            {orders.value.map((order) => (
              <OrderRow key={order.name} order={order} />
            ))}
          </ul>
          {hasOlderOrders.value && (
            <button type="button" onClick={() => void loadOlderOrders()}>
              Older orders
            </button>
          )}
        </>
      )}
    </>
  );
}

function OrderRow({ order }: { order: Order }) {
  const failure = cancelFailures.value.get(order.name);
  return (
    <li class="card order" data-order={order.name}>
      <div class="what">
        <h2>
          <span class="quiet">Order</span> {lastSegment(order.name)}
        </h2>
        <p class="small">
          {order.lines.map((line) => `${line.quantity} × ${line.displayName || lastSegment(line.product)}`).join(", ")}
        </p>
      </div>
      <span class="when quiet small">
        <Time at={order.createTime} />
      </span>
      <span class="amount">
        <Money amount={order.total} />
      </span>
      <StateBadge state={order.state} />
      <Cancel order={order} />
      {failure && <FailurePanel title="The order was not cancelled" failure={failure} />}
    </li>
  );
}

/** Asks once more before it cancels. */
function Cancel({ order }: { order: Order }) {
  const asked = useSignal(false);
  const busy = cancelling.value.has(order.name);
  const label = `order ${lastSegment(order.name)}`;
  if (!isCancellable(order.state)) return <span class="actions" />;
  if (!asked.value) {
    return (
      <span class="actions">
        <button type="button" disabled={busy} onClick={() => (asked.value = true)} aria-label={`Cancel ${label}`}>
          {busy ? "Cancelling…" : "Cancel"}
        </button>
      </span>
    );
  }
  const confirm = () => {
    asked.value = false;
    void cancelOrder(order.name);
  };
  return (
    <span class="actions" role="group" aria-label={`Cancel ${label}?`}>
      <button type="button" class="danger" onClick={confirm} ref={focusWhenShown}>
        Yes, cancel
      </button>
      <button type="button" class="plain" onClick={() => (asked.value = false)}>
        Keep
      </button>
    </span>
  );
}

/** The button that was pressed is gone; the keyboard goes on at the one that took its place. */
function focusWhenShown(element: HTMLButtonElement | null) {
  if (element && document.activeElement === document.body) element.focus();
}
