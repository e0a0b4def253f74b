// Repeats unary calls that did not reach the server, or that it asked to send again, where a repetition is safe.

import type { Interceptor, UnaryRequest } from "@connectrpc/connect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { failureOf } from "./failure";
import { pause } from "./pause";

/** Attempts of one call, the first included. */
const attemptsMax = 3;
const firstDelayMs = 250;

/**
 * A call is safe to repeat if its method says so, or if it carries a request id: then the server answers a duplicate
 * with the first one's answer.
 */
export function isSafeToRepeat(request: Pick<UnaryRequest, "method" | "message">): boolean {
  if (request.method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN) return true;
  const requestId = (request.message as { requestId?: unknown }).requestId;
  return typeof requestId === "string" && requestId !== "";
}

export const retrySafeCalls: Interceptor = (next) => async (request) => {
  const attempts = request.stream || !isSafeToRepeat(request) ? 1 : attemptsMax;
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      const failure = failureOf(error);
      if (attempt >= attempts || !failure.passing || request.signal.aborted) throw error;
      await pause(failure.retryAfterMs ?? firstDelayMs * 2 ** (attempt - 1), request.signal);
    }
  }
};
