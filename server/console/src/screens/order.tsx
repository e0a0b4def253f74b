// Places an order: quantities, an estimate, and every complaint of the server beside the field it is about.

import { FailurePanel } from "../components/failure";
import { Money } from "../components/money";
import { StateBadge } from "../components/state-badge";
import { formatMoney } from "../format/money";
import { lastSegment } from "../format/order";
import {
  type DraftLine,
  estimate,
  isRepeat,
  lines,
  placed,
  placeFailure,
  placeOrder,
  placing,
  removeLine,
  setQuantity,
} from "../state/draft";
import { orders } from "../state/orders";
import type { Violation } from "../api/failure";

export function OrderScreen() {
  const empty = lines.value.length === 0;
  return (
    <>
      <h1>New order</h1>
      <Placed />
      {empty && !placed.value && (
        <p class="card">
          Nothing is picked yet. <a href="#/products">Choose products</a>
        </p>
      )}
      {!empty && <Draft />}
    </>
  );
}

function Draft() {
  const failure = placeFailure.value;
  const submit = (event: Event) => {
    event.preventDefault();
    void placeOrder();
  };
  return (
    <form class="card" onSubmit={submit} noValidate>
      <fieldset disabled={placing.value}>
        <legend class="hidden">Lines of the order</legend>
        <ul class="lines">
          {lines.value.map((line, index) => (
            <Line key={line.product} line={line} violations={violationsOf(index, failure?.violations ?? [])} />
          ))}
        </ul>
      </fieldset>
      {failure && (
        <FailurePanel
          title={failure.uncertain ? "The order was not confirmed" : "The order was not placed"}
          failure={failure}
        >
          {failure.uncertain && (
            <p>
              It may have been placed all the same. Sending it again is safe while it is not changed: the server
              recognises it and does not order twice.
            </p>
          )}
        </FailurePanel>
      )}
      <div class="row end">
        <p class="total">
          <span class="quiet">Estimate</span>{" "}
          <strong>{estimate.value.map((sum) => formatMoney(sum)).join(" + ")}</strong>
        </p>
        <a class="button" href="#/products">
          Add more
        </a>
        <button type="submit" class="primary" aria-disabled={placing.value}>
          {placing.value ? "Placing…" : isRepeat.value ? "Send again" : "Place order"}
        </button>
      </div>
    </form>
  );
}

function Line({ line, violations }: { line: DraftLine; violations: Violation[] }) {
  const id = lastSegment(line.product);
  const failureId = `failure-${id}`;
  const remove = () => removeLine(line.product);
  return (
    <li>
      <div class="what">
        <strong>{line.displayName}</strong>
        <span class="quiet small">
          <Money amount={line} /> each
        </span>
      </div>
      <label class="quantity">
        <span class="hidden">Quantity of {line.displayName}</span>
        <input
          type="number"
          inputMode="numeric"
          min="1"
          max="10000"
          step="1"
          value={line.quantity}
          onChange={(event) => setQuantity(line.product, event.currentTarget.valueAsNumber)}
          aria-invalid={violations.length > 0 ? "true" : undefined}
          aria-describedby={violations.length > 0 ? failureId : undefined}
        />
      </label>
      <span class="amount">
        <Money amount={{ currencyCode: line.currencyCode, minorUnits: line.minorUnits * BigInt(line.quantity) }} />
      </span>
      <button type="button" class="plain" onClick={remove} aria-label={`Remove ${line.displayName}`}>
        <span aria-hidden="true">✕</span>
      </button>
      {violations.length > 0 && (
        <p class="field-failure" id={failureId}>
          {violations.map(({ description }) => description).join("; ")}
        </p>
      )}
    </li>
  );
}

/** The order that was just placed, in its present state. */
function Placed() {
  const name = placed.value?.name;
  const order = orders.value.find((order) => order.name === name) ?? placed.value;
  if (!order) return null;
  return (
    <section class="card placed" role="status">
      <h2>Order {lastSegment(order.name)} is placed</h2>
      <p>
        <Money amount={order.total} /> · <StateBadge state={order.state} />
      </p>
      <p>
        <a href="#/live">Watch it move</a> · <a href="#/orders">All orders</a> · <a href="#/products">Order more</a>
      </p>
    </section>
  );
}

/** `order.lines[2].quantity` is about the third line. */
function violationsOf(index: number, violations: Violation[]): Violation[] {
  return violations.filter(({ field }) => Number(/lines\[(\d+)\]/.exec(field)?.[1]) === index);
}
