import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointOf } from "./endpoint";

test("only a page on this machine may name another server on this machine", () => {
  const own = "http://127.0.0.1:8080";
  const cases: [string, string, boolean][] = [
    [`${own}/`, own, false],
    [`${own}/?api=http://127.0.0.1:9000`, "http://127.0.0.1:9000", false],
    [`${own}/?api=http://localhost:9000/path`, "http://localhost:9000", false],
    ["http://localhost:1/?api=http://[::1]:9000", "http://[::1]:9000", false],
    [`${own}/?api=http://example.com`, own, true],
    [`${own}/?api=http://127.0.0.1.example.com`, own, true],
    [`${own}/?api=http://user@example.com:80/127.0.0.1`, own, true],
    [`${own}/?api=https://127.0.0.1:9000`, own, true],
    [`${own}/?api=javascript:alert(1)`, own, true],
    [`${own}/?api=9000`, own, true],
    [`${own}/?api=`, own, true],
    ["https://shop.example/?api=http://127.0.0.1:9000", "https://shop.example", true],
  ];
  for (const [page, origin, refused] of cases) {
    const endpoint = endpointOf(new URL(page));
    assert.deepEqual([endpoint.origin, endpoint.refused !== undefined], [origin, refused], page);
  }
});
