// What the page says when a call failed: one shape, made in one place, out of whatever was thrown.

import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb";

export interface Failure {
  /** The gRPC code's name, as in `INVALID_ARGUMENT`; `NETWORK` if no answer came, `PAGE` if the page itself erred. */
  code: string;
  /** One sentence for people. */
  message: string;
  /** The reason of `google.rpc.ErrorInfo`, as in `ORDER_STATE`. */
  reason?: string;
  /** What is wrong with which field of the request. */
  violations: Violation[];
  /** The server's name for the call, for its logs. */
  requestId?: string;
  /** The delay that the server asks for. */
  retryAfterMs?: number;
  /** Whether the same call may succeed a moment later. */
  passing: boolean;
  /** Whether the server may have done what was asked although no answer came. */
  uncertain: boolean;
  /** Whether another key is needed. */
  signIn: boolean;
}

export interface Violation {
  /** Path in the request, as in `order.lines[0].quantity`. */
  field: string;
  description: string;
}

/** Codes after which the same call may succeed. */
const passingCodes = new Set([Code.Unavailable, Code.Aborted, Code.ResourceExhausted]);
/** Codes that do not say whether the call took effect. */
const uncertainCodes = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown, Code.Internal, Code.Canceled]);

export function failureOf(error: unknown): Failure {
  if (!(error instanceof ConnectError)) {
    return { ...plain, code: "PAGE", message: error instanceof Error ? error.message : String(error) };
  }
  // The transport gives this code, and the cause, to what is no answer of a server: a refused or broken connection.
  if (error.code === Code.Unknown && error.cause !== undefined) {
    return {
      ...plain,
      code: "NETWORK",
      message: "the server could not be reached, or the connection broke",
      passing: true,
      uncertain: true,
    };
  }
  const info = error.findDetails(ErrorInfoSchema)[0];
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const requestId = error.metadata.get("x-request-id");
  return {
    ...plain,
    code: codeName(error.code),
    message: error.rawMessage || "the server gave no message",
    ...(info && { reason: info.reason }),
    violations: violations.map(({ field, description }) => ({ field, description })),
    ...(requestId && { requestId }),
    ...(delay && { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
    passing: passingCodes.has(error.code),
    uncertain: uncertainCodes.has(error.code),
    signIn: error.code === Code.Unauthenticated,
  };
}

/** `InvalidArgument` → `INVALID_ARGUMENT`; gRPC writes `Canceled` with two l's. */
export function codeName(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return (Code[code] ?? `CODE_${code}`).replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

const plain = { violations: [], passing: false, uncertain: false, signIn: false } satisfies Partial<Failure>;
