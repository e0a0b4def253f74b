// gRPC-Web in text mode, by the npm client `grpc-web` in a page of another origin.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, newPage, until } from "./browser.mjs";
import { Platform } from "./platform.mjs";
import { Site } from "./site.mjs";

let platform, site, browser, page, watch;

before(async () => {
  [platform, site, browser] = await Promise.all([Platform.start(), Site.start(), launch()]);
  ({ page, watch } = await newPage(browser));
  await page.goto(`${site.url}/text_mode.html`);
});

after(async () => {
  await watch?.done();
  await browser?.close();
  await site?.stop();
  await platform?.remove();
});

const unary = (...call) => page.evaluate((call) => globalThis.unary(...call), [platform.url, ...call]);

test("a unary call is answered", async () => {
  const { answer } = await unary("millrace.catalog.v1.CatalogService/ListProducts", { 1: 3 });
  assert.equal(answer[1].length, 3, "three products");
  const me = await unary("millrace.identity.v1.IdentityService/GetUser", { 1: "users/me" }, platform.key, [1, 2, 3]);
  assert.deepEqual(me.answer[1], [(await platform.rest("GET", "/v1/users/me")).name]);
});

test("an error comes with its code, message and details", async () => {
  const missing = await unary("millrace.catalog.v1.CatalogService/GetProduct", { 1: "products/missing" });
  assert.equal(missing.error.code, 5);
  assert.notEqual(missing.error.message, "");
  assert.ok(missing.error.metadata["grpc-status-details-bin"], "the details can be read across origins");
  const nobody = await unary("millrace.identity.v1.IdentityService/GetUser", { 1: "users/me" });
  assert.equal(nobody.error.code, 16);
});

test("a stream brings its messages as they happen, and ends with the server's status", async () => {
  const product = (await platform.products())[0].name;
  const user = await platform.newUser();
  const watchOrders = "millrace.ordering.v1.OrderingService/WatchOrders";
  const received = () => page.evaluate(() => globalThis.received);
  await page.evaluate((call) => globalThis.stream(...call), [
    platform.url,
    watchOrders,
    { 1: user.name },
    user.key,
    [2],
  ]);
  for (const count of [1, 2]) {
    const { name } = await platform.order(product, 1, user.key);
    await until(`event ${count}`, async () => (await received()).length === count);
    const { answer } = (await received()).at(-1);
    // Number, order, state PLACED.
    assert.deepEqual([answer[1], answer[2], answer[3]], [count, [name], 1]);
  }
  await platform.end("SIGTERM");
  await until("the end", async () => (await received()).at(-1).error?.code === 14);
});
