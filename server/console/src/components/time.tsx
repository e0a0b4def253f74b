// A moment, exact when pointed at.

import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { formatExactTime, formatTime } from "../format/time";

export function Time({ at }: { at: Timestamp | undefined }) {
  if (!at) return <>–</>;
  return (
    <time dateTime={timestampDate(at).toISOString()} title={formatExactTime(at)}>
      {formatTime(at)}
    </time>
  );
}
