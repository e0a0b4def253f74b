// An order's id where there is little room; in full when pointed at.

import { lastSegment, shortId } from "../format/order";

export function OrderId({ name }: { name: string }) {
  return (
    <span class="id" title={lastSegment(name)}>
      {shortId(name)}
    </span>
  );
}
