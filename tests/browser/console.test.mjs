// The page does what it is for: from the server's own origin, and from another one on this machine.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, newPage, until } from "./browser.mjs";
import { Platform } from "./platform.mjs";
import { Site } from "./site.mjs";

let platform, site, browser;

before(async () => {
  [platform, site, browser] = await Promise.all([Platform.start(), Site.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await site?.stop();
  await platform?.remove();
});

const origins = {
  "its own origin": () => `${platform.url}/`,
  "another origin": () => `${site.url}/?api=${platform.url}`,
};

for (const [from, address] of Object.entries(origins)) {
  /** Opens the page with the shopper's key and waits until changes arrive. */
  async function open(options) {
    const opened = await newPage(browser, options);
    await opened.page.goto(`${address()}#key=${platform.key}`);
    await opened.page.locator('.pill[data-kind="live"]').waitFor();
    return opened;
  }

  async function show(page, screen) {
    await page.getByRole("link", { name: screen, exact: true }).click();
    await page.getByRole("heading", { level: 1, name: screen }).waitFor();
  }

  test(`from ${from}: the key leaves the address, and its user is shown`, async () => {
    const { page, watch } = await open();
    assert.equal(page.url(), `${address()}#/products`);
    const { displayName } = await platform.rest("GET", "/v1/users/me");
    assert.equal(await page.locator(".who").textContent(), displayName);
    const text = await page.evaluate(() => document.documentElement.outerHTML);
    assert.ok(!text.includes(platform.key));
    // A reload keeps the key, a new tab has none.
    await page.reload();
    await page.locator(".who").waitFor();
    const other = await page.context().newPage();
    await other.goto(address());
    await other.getByLabel("API key").waitFor();
    await watch.done();
  });

  test(`from ${from}: products are listed by pages and filtered`, async () => {
    const { page, watch } = await open();
    const products = await platform.products();
    const cards = page.locator(".product");
    await cards.first().waitFor();
    assert.equal(await cards.count(), Math.min(25, products.length));
    const first = products[0];
    assert.equal(await cards.first().getByRole("heading").textContent(), first.displayName);

    await page.getByRole("searchbox").fill(first.displayName.toUpperCase());
    await until("the filter holds", async () => (await cards.count()) < 25 || products.length === 1);
    assert.ok((await cards.allTextContents()).every((text) => text.includes(first.displayName)));
    await page.getByRole("searchbox").fill("");

    const next = page.getByRole("button", { name: "Next page" });
    if (products.length > 25) {
      await next.click();
      await page.getByText("on page 2").waitFor();
      assert.equal(await cards.first().getByRole("heading").textContent(), products[25].displayName);
      await page.getByRole("button", { name: "Previous page" }).click();
      await page.getByText("on page 1").waitFor();
    } else {
      assert.ok(await next.isDisabled());
    }
    await watch.done();
  });

  test(`from ${from}: an order is placed, appears and is cancelled`, async () => {
    const { page, watch } = await open();
    await page.locator(".product").nth(0).getByRole("button").click();
    await page.locator(".product").nth(0).getByRole("button").click();
    await page.getByRole("link", { name: "Review the order" }).click();
    const before = (await platform.orders()).length;
    await page.getByRole("button", { name: "Place order" }).click();
    await page.locator(".placed").waitFor();

    const orders = await platform.orders();
    assert.equal(orders.length, before + 1);
    const [order] = orders;
    const product = (await platform.products())[0];
    assert.deepEqual(
      order.lines.map(({ product, quantity }) => [product, quantity]),
      [[product.name, 2]],
    );

    await show(page, "Orders");
    const row = page.locator(`[data-order="${order.name}"]`);
    await row.getByText("Placed").waitFor();
    await row.getByRole("button", { name: /^Cancel/ }).click();
    await row.getByRole("button", { name: "Yes, cancel" }).click();
    await row.getByText("Cancelled").waitFor();
    assert.equal((await platform.orders())[0].state, "ORDER_STATE_CANCELLED");
    await watch.done();
  });

  test(`from ${from}: states move without a reload`, async () => {
    const { page, watch } = await open();
    await show(page, "Live");
    const product = (await platform.products())[1].name;
    const { name } = await platform.order(product);
    const card = page.locator(`[data-order="${name}"]`);
    await page.getByRole("region", { name: "Placed" }).locator(card).waitFor();
    await platform.cancel(name);
    await page.getByRole("region", { name: "Other ends" }).locator(card).waitFor();
    // The summary says it to those who do not see it.
    await until("the summary speaks of the order", async () =>
      (await page.locator("#live-summary").textContent()).includes(`Order ${name.split("/").at(-1)} is cancelled`),
    );
    await watch.done();
  });

  test(`from ${from}: an error shows its reason, and each violation at its field`, async () => {
    const { page, watch } = await open();
    for (const index of [0, 1]) await page.locator(".product").nth(index).getByRole("button").click();
    await page.getByRole("link", { name: "Review the order" }).click();
    const quantities = page.locator(".lines input");
    await quantities.nth(1).fill("20000");
    await page.getByRole("button", { name: "Place order" }).click();

    const failure = page.getByRole("alert");
    await failure.getByText("INVALID_ARGUMENT").waitFor();
    await failure.getByText("INVALID_FIELD").waitFor();
    await failure.locator(".violations").getByText(/lines\[1\]\.quantity/).waitFor();
    assert.equal(await quantities.nth(0).getAttribute("aria-invalid"), null);
    assert.equal(await quantities.nth(1).getAttribute("aria-invalid"), "true");
    const described = await quantities.nth(1).getAttribute("aria-describedby");
    assert.notEqual(await page.locator(`[id="${described}"]`).textContent(), "");

    await quantities.nth(1).fill("2");
    await page.getByRole("button", { name: /Send again|Place order/ }).click();
    await page.locator(".placed").waitFor();
    await watch.done();
  });

  test(`from ${from}: a wrong key is told from a right one`, async () => {
    const { page, watch } = await newPage(browser);
    await page.goto(`${address()}#/orders`);
    await page.getByText(".millrace/dev.env").waitFor();
    for (const wrong of ["nonsense", `${platform.key.slice(0, -1)}${platform.key.endsWith("0") ? "1" : "0"}`]) {
      await page.getByLabel("API key").fill(wrong);
      await page.getByRole("button", { name: "Use key" }).click();
      await page.getByRole("alert").getByText(wrong === "nonsense" ? "PAGE" : "UNAUTHENTICATED").first().waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.getItem("millrace.key")), null);
    }
    await page.getByLabel("API key").fill(platform.key);
    await page.getByRole("button", { name: "Use key" }).click();
    await page.getByRole("heading", { level: 1, name: "Orders" }).waitFor();
    await page.getByRole("button", { name: "Forget key" }).click();
    await page.getByLabel("API key").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await watch.done();
  });
}
