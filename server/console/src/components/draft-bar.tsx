// What was picked so far, while picking goes on.

import { countOf } from "../format/order";
import { formatMoney } from "../format/money";
import { estimate, lines, pieces } from "../state/draft";

export function DraftBar() {
  if (lines.value.length === 0) return null;
  return (
    <aside class="draft-bar" aria-label="The order so far">
      <span>
        {countOf(pieces.value, "piece")} of {countOf(lines.value.length, "product")},{" "}
        <strong>{estimate.value.map((sum) => formatMoney(sum)).join(" + ")}</strong>
      </span>
      <a class="button primary" href="#/order">
        Review the order
      </a>
    </aside>
  );
}
