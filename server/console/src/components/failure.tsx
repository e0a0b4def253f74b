// A failed call, in full: what, why, which fields, and how the server's logs name it.

import type { ComponentChildren } from "preact";
import type { Failure } from "../api/failure";

interface Props {
  title: string;
  failure: Failure;
  onRetry?: () => void;
  retryLabel?: string;
  /** Not read out at once, for failures that come and go. */
  quiet?: boolean;
  children?: ComponentChildren;
}

export function FailurePanel({ title, failure, onRetry, retryLabel = "Try again", quiet, children }: Props) {
  return (
    <section class="failure" role={quiet ? undefined : "alert"} aria-label={quiet ? title : undefined}>
      <h2>{title}</h2>
      <p>
        {sentence(failure.message)} <FailureCodes failure={failure} />
      </p>
      {failure.violations.length > 0 && (
        <ul class="violations">
          {failure.violations.map(({ field, description }) => (
            <li key={field + description}>
              <code>{field}</code> {description}
            </li>
          ))}
        </ul>
      )}
      {children}
      {failure.requestId && (
        <p class="quiet small">
          Request <code>{failure.requestId}</code>
        </p>
      )}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          {retryLabel}
        </button>
      )}
    </section>
  );
}

export function FailureCodes({ failure }: { failure: Failure }) {
  return (
    <span class="codes">
      <code>{failure.code}</code>
      {failure.reason && failure.reason !== failure.code && <code>{failure.reason}</code>}
    </span>
  );
}

/** Messages of the server have no capital and no full stop. One that begins with a name, as of a field, keeps it. */
export function sentence(message: string): string {
  const text = message.replace(/^[a-z](?=[a-z]*[ ,])/, (letter) => letter.toUpperCase());
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
