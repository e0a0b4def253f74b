// Orders on their way: a lane per state, through which an order's card moves as its events arrive; and the events.

import { OrderState, type Order, type OrderEvent } from "../../gen/millrace/ordering/v1/ordering_pb";
import { ConnectionFailure } from "../components/connection";
import { Money } from "../components/money";
import { OrderId } from "../components/order-id";
import { StateBadge } from "../components/state-badge";
import { Time } from "../components/time";
import { stateText, states } from "../format/order";
import { events, watchState } from "../state/live";
import { orders } from "../state/orders";

/** Cards per lane; the count above says how many there are. */
const cardsMax = 6;

const lanes = [
  ...[OrderState.PLACED, OrderState.AUTHORIZED, OrderState.RESERVED, OrderState.CAPTURED, OrderState.COMPLETED].map(
    (state) => ({ title: stateText(state).label, meaning: stateText(state).meaning, of: [state] }),
  ),
  {
    title: "Other ends",
    meaning: "cancelled, declined, out of stock, expired",
    of: states.filter((state) => state > OrderState.COMPLETED),
  },
];

export function LiveScreen() {
  return (
    <>
      <h1>Live</h1>
      <ConnectionFailure />
      {watchState.value.kind === "paused" && <p class="notice">Paused while this tab was hidden.</p>}
      <div class="lanes">
        {lanes.map((lane) => (
          <Lane key={lane.title} {...lane} />
        ))}
      </div>
      <div class="events">
        <h2 id="events">Events</h2>
        {events.value.length === 0 ? (
          <p class="quiet">Nothing has happened yet. Place an order, and it shows up here.</p>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-labelledby="events">
            <table>
              <thead>
                <tr>
                  <th scope="col">Event</th>
                  <th scope="col">Time</th>
                  <th scope="col">Order</th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {events.value.map((event) => (
                  <EventRow key={event.number} event={event} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </div>
    </>
  );
}

function Lane({ title, meaning, of }: { title: string; meaning: string; of: OrderState[] }) {
  const inLane = orders.value.filter((order) => of.includes(order.state));
  return (
    <section class="lane" aria-label={title}>
      <h2 title={meaning}>
        {title} <span class="count">{inLane.length}</span>
      </h2>
      <ul>
        {inLane.slice(0, cardsMax).map((order) => (
          <LaneCard key={order.name} order={order} showState={of.length > 1} />
        ))}
      </ul>
      {inLane.length > cardsMax && <p class="quiet small">and {inLane.length - cardsMax} more</p>}
    </section>
  );
}

function LaneCard({ order, showState }: { order: Order; showState: boolean }) {
  return (
    <li class="lane-card" data-order={order.name}>
      <OrderId name={order.name} />
      <Money amount={order.total} />
      {showState && <StateBadge state={order.state} />}
    </li>
  );
}

function EventRow({ event }: { event: OrderEvent }) {
  return (
    <tr data-event={event.number}>
      <td>{event.number}</td>
      <td>
        <Time at={event.time} />
      </td>
      <td>
        <OrderId name={event.order} />
      </td>
      <td>
        <StateBadge state={event.state} />
      </td>
    </tr>
  );
}
