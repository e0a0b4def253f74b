// The page when connections break: what it shows, that it comes back, that nothing is lost or done twice.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { launch, newPage, until } from "./browser.mjs";
import { Platform } from "./platform.mjs";
import { Proxy } from "./proxy.mjs";
import { Site } from "./site.mjs";

/** What the browser itself says of a broken connection. */
const broken = /^console error: Failed to load resource: net::ERR_/;

let platform, site, proxy, browser, product;

before(async () => {
  [platform, site, browser] = await Promise.all([Platform.start(), Site.start(), launch()]);
  proxy = await Proxy.start(platform.port);
  product = (await platform.products())[0].name;
});

beforeEach(() => (proxy.mode = "pass"));

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await site?.stop();
  await platform?.remove();
});

const pill = (page, kind) => page.locator(`.pill[data-kind="${kind}"]`);

async function openLive(address) {
  const opened = await newPage(browser);
  opened.watch.expected = broken;
  await opened.page.goto(`${address}#key=${platform.key}`);
  await pill(opened.page, "live").waitFor();
  await opened.page.getByRole("link", { name: "Live", exact: true }).click();
  return opened;
}

/** The numbers of the events shown, newest first; each is one more than the next, or one was lost or shown twice. */
async function assertGapless(page) {
  const numbers = await page
    .locator("[data-event]")
    .evaluateAll((rows) => rows.map((row) => Number(row.getAttribute("data-event"))));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => numbers[0] - index),
  );
}

/** From now on, every code that the page shows, however shortly, is in `globalThis.codes`. */
async function collectCodes(page) {
  await page.evaluate(() => {
    globalThis.codes = new Set();
    const collect = () => document.querySelectorAll(".failure code").forEach((code) => codes.add(code.textContent));
    new MutationObserver(collect).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

for (const from of ["its own origin", "another origin"]) {
  const address = () => (from === "its own origin" ? `${proxy.url}/` : `${site.url}/?api=${proxy.url}`);

  test(`from ${from}: a stream that is cut in the middle is shown, and resumed without a gap`, async () => {
    const { page, watch } = await openLive(address());
    const first = await platform.order(product);
    await page.locator(`.lane [data-order="${first.name}"]`).waitFor();

    proxy.mode = "refuse";
    proxy.cut();
    await pill(page, "waiting").waitFor();
    await page.getByText("The live connection broke").waitFor();
    await page.locator(".failure").getByText("NETWORK").waitFor();
    // What happens while the page is cut off...
    const missed = await platform.order(product);
    await platform.cancel(first.name);
    assert.equal(await page.locator(`[data-order="${missed.name}"]`).count(), 0);

    // ... is made up for.
    proxy.mode = "pass";
    await pill(page, "live").waitFor();
    await page.getByRole("region", { name: "Placed" }).locator(`[data-order="${missed.name}"]`).waitFor();
    await page.getByRole("region", { name: "Other ends" }).locator(`[data-order="${first.name}"]`).waitFor();
    assert.equal(await page.getByText("The live connection broke").count(), 0);
    await assertGapless(page);
    await watch.done();
  });
}

test("a wait can be cut short by hand", async () => {
  const { page, watch } = await openLive(`${proxy.url}/`);
  // By chance the waits are as long as they can be: half a second, one, two, four, eight.
  await page.evaluate(() => (Math.random = () => 1));
  proxy.mode = "refuse";
  proxy.cut();
  await page.getByText("Next attempt in 8 s").waitFor();
  proxy.mode = "pass";
  await page.getByRole("button", { name: "Reconnect now" }).click();
  await pill(page, "live").waitFor({ timeout: 7_000 });
  await watch.done();
});

// A drain ends streams with a status, a crash without one.
for (const [signal, code] of [
  ["SIGTERM", "UNAVAILABLE"],
  ["SIGKILL", "NETWORK"],
]) {
  test(`a server that ends by ${signal} in the middle of a stream is shown, and found again`, async () => {
    const { page, watch } = await openLive(`${platform.url}/`);
    const { name } = await platform.order(product);
    await page.locator(`.lane [data-order="${name}"]`).waitFor();
    await collectCodes(page);

    await platform.end(signal);
    await pill(page, "waiting").waitFor();
    await page.getByText("The live connection broke").waitFor();
    await until("the code of the end is shown", () => page.evaluate((code) => globalThis.codes.has(code), code));

    await platform.run();
    await platform.cancel(name);
    await pill(page, "live").waitFor({ timeout: 30_000 });
    await page.getByRole("region", { name: "Other ends" }).locator(`[data-order="${name}"]`).waitFor();
    await assertGapless(page);
    await watch.done();
  });
}

test("an order whose answer is lost is sent again with its request id, and placed once", async () => {
  const { page, watch } = await openLive(`${proxy.url}/`);
  const requestIds = [];
  page.on("request", (request) => {
    // The request id is the only run of 32 hexadecimal digits in the message.
    if (!request.url().endsWith("/CreateOrder")) return;
    requestIds.push(/[0-9a-f]{32}/.exec(request.postDataBuffer().toString("latin1"))[0]);
  });
  await page.getByRole("link", { name: "Products", exact: true }).click();
  await page.locator(".product").nth(2).getByRole("button").click();
  await page.getByRole("link", { name: "Review the order" }).click();
  const before = (await platform.orders()).length;

  proxy.mode = "swallow";
  await page.getByRole("button", { name: "Place order" }).click();
  await page.getByRole("alert").getByText("It may have been placed all the same").waitFor({ timeout: 20_000 });
  assert.equal((await platform.orders()).length, before + 1);

  // Even a page that was closed and opened in between sends the same attempt.
  proxy.mode = "pass";
  await page.reload();
  await pill(page, "live").waitFor();
  await page.getByRole("button", { name: "Send again" }).click();
  await page.locator(".placed").waitFor();
  assert.equal((await platform.orders()).length, before + 1);
  assert.ok(requestIds.length >= 2);
  assert.equal(new Set(requestIds).size, 1);

  // The next order is another attempt.
  await page.getByRole("link", { name: "Order more" }).click();
  await page.locator(".product").nth(2).getByRole("button").click();
  await page.getByRole("link", { name: "Review the order" }).click();
  await page.getByRole("button", { name: "Place order" }).click();
  await page.locator(".placed").waitFor();
  await until("another order", async () => (await platform.orders()).length === before + 2);
  assert.equal(new Set(requestIds).size, 2);
  await watch.done();
});

test("products can be read again after a failure", async () => {
  const { page, watch } = await openLive(`${proxy.url}/`);
  proxy.mode = "refuse";
  proxy.cut();
  await page.getByRole("link", { name: "Products", exact: true }).click();
  await page.getByText("The products could not be read").waitFor();
  proxy.mode = "pass";
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".product").first().waitFor();
  await watch.done();
});
