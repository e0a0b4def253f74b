// Whether changes arrive: a word in the header, and what is wrong in full where changes are looked at.

import { useEffect, useState } from "preact/hooks";
import type { Failure } from "../api/failure";
import { tryNow, watchState } from "../state/live";
import type { WatchState } from "../state/watch";
import { FailurePanel } from "./failure";

const words: Record<WatchState["kind"], string> = {
  off: "Not connected",
  connecting: "Connecting…",
  live: "Live",
  waiting: "Reconnecting…",
  paused: "Paused",
  stopped: "Stopped",
};

export function ConnectionPill() {
  const { kind } = watchState.value;
  // The region stays in the document, so that a change of the word is read out.
  return (
    <span class="pill-place" role="status">
      {kind !== "off" && (
        <span class="pill" data-kind={kind}>
          <span class="dot" aria-hidden="true" />
          {words[kind]}
        </span>
      )}
    </span>
  );
}

export function ConnectionFailure() {
  const state = watchState.value;
  switch (state.kind) {
    case "waiting":
      return <Broken failure={state.failure} retryAt={state.retryAt} />;
    case "connecting":
      return state.failure && <Broken failure={state.failure} retryAt={0} />;
    case "stopped":
      return <FailurePanel title="Live changes have stopped" failure={state.failure} onRetry={tryNow} />;
    default:
      return null;
  }
}

function Broken({ failure, retryAt }: { failure: Failure; retryAt: number }) {
  return (
    <FailurePanel title="The live connection broke" failure={failure} onRetry={tryNow} retryLabel="Reconnect now" quiet>
      <p>
        What is shown may be out of date. <Countdown until={retryAt} />
      </p>
    </FailurePanel>
  );
}

function Countdown({ until }: { until: number }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((until - now) / 1000));
  return <span>{seconds > 0 ? `Next attempt in ${seconds} s.` : "Trying now."}</span>;
}
