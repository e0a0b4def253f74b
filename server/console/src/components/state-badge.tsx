// An order's state, by colour, shape and word.

import type { OrderState } from "../../gen/millrace/ordering/v1/ordering_pb";
import { stateText } from "../format/order";

export function StateBadge({ state }: { state: OrderState }) {
  const { label, glyph, tone, meaning } = stateText(state);
  // The key makes a new element of a new state, which starts its animation.
  return (
    <span key={state} class="badge" data-tone={tone} title={meaning}>
      <span aria-hidden="true">{glyph}</span> {label}
    </span>
  );
}
