import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb";
import { codeName, failureOf } from "./failure";

test("a code has the name that gRPC gives it", () => {
  const cases: [Code, string][] = [
    [Code.InvalidArgument, "INVALID_ARGUMENT"],
    [Code.Canceled, "CANCELLED"],
    [Code.Unknown, "UNKNOWN"],
    [Code.DataLoss, "DATA_LOSS"],
    [77 as Code, "CODE_77"],
  ];
  for (const [code, expected] of cases) assert.equal(codeName(code), expected);
});

test("the details of an error are read", () => {
  const violation = { field: "order.lines[0].quantity", description: "must be from 1 to 10,000" };
  const failure = failureOf(
    new ConnectError("not valid", Code.InvalidArgument, { "x-request-id": "7f" }, [
      { desc: ErrorInfoSchema, value: { domain: "millrace", reason: "INVALID_FIELD" } },
      { desc: BadRequestSchema, value: { fieldViolations: [violation] } },
      { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } },
    ]),
  );
  assert.deepEqual(failure, {
    code: "INVALID_ARGUMENT",
    message: "not valid",
    reason: "INVALID_FIELD",
    violations: [violation],
    requestId: "7f",
    retryAfterMs: 1500,
    passing: false,
    uncertain: false,
    signIn: false,
  });
});

test("what is not an answer of the server is told apart from what is", () => {
  const cases: [unknown, string, { passing: boolean; uncertain: boolean }][] = [
    // As the transport makes it of what `fetch` throws, and of a body without an end.
    [ConnectError.from(new TypeError("network error")), "NETWORK", { passing: true, uncertain: true }],
    [ConnectError.from("missing trailer"), "NETWORK", { passing: true, uncertain: true }],
    [new ConnectError("who knows", Code.Unknown), "UNKNOWN", { passing: false, uncertain: true }],
    [new ConnectError("draining", Code.Unavailable), "UNAVAILABLE", { passing: true, uncertain: true }],
    [new ConnectError("no", Code.PermissionDenied), "PERMISSION_DENIED", { passing: false, uncertain: false }],
    [new RangeError("a fault of the page"), "PAGE", { passing: false, uncertain: false }],
  ];
  for (const [error, code, { passing, uncertain }] of cases) {
    const failure = failureOf(error);
    assert.deepEqual([failure.code, failure.passing, failure.uncertain], [code, passing, uncertain], code);
  }
  assert.ok(failureOf(new ConnectError("who?", Code.Unauthenticated)).signIn);
});
