// The page for everybody: no violation of WCAG 2.2 AA that axe can find, in light and dark, wide and narrow; by
// keyboard alone; without motion where none is wanted.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, newPage, until } from "./browser.mjs";
import { Platform } from "./platform.mjs";
import { Proxy } from "./proxy.mjs";

let platform, proxy, browser, product;

before(async () => {
  [platform, browser] = await Promise.all([Platform.start(), launch()]);
  proxy = await Proxy.start(platform.port);
  product = (await platform.products())[0].name;
  const { name } = await platform.order(product, 3);
  await platform.cancel(name);
  await platform.order(product);
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await platform?.remove();
});

/** Screens and states, in an order in which one leads to the next. */
const steps = {
  "without a key": (page) => page.goto(`${proxy.url}/`),
  "asked for a key": (page) => page.goto(`${proxy.url}/#/orders`),
  "a wrong key": async (page) => {
    await page.getByLabel("API key").fill("nonsense");
    await page.getByRole("button", { name: "Use key" }).click();
    await page.getByRole("alert").waitFor();
  },
  products: async (page) => {
    await page.goto(`${proxy.url}/#key=${platform.key}`);
    await page.locator('.pill[data-kind="live"]').waitFor();
    await page.locator(".product").first().getByRole("button").click();
  },
  "a draft": (page) => page.getByRole("link", { name: "Review the order" }).click(),
  violations: async (page) => {
    await page.locator(".lines input").fill("-1");
    await page.getByRole("button", { name: "Place order" }).click();
    await page.getByRole("alert").waitFor();
  },
  "an order that is placed": async (page) => {
    await page.locator(".lines input").fill("1");
    await page.getByRole("button", { name: /Send again|Place order/ }).click();
    await page.locator(".placed").waitFor();
  },
  orders: (page) => page.getByRole("link", { name: "Orders", exact: true }).click(),
  "a question": (page) => page.getByRole("button", { name: /^Cancel order/ }).first().click(),
  live: async (page) => {
    await page.getByRole("link", { name: "Live", exact: true }).click();
    await page.locator("[data-event]").first().waitFor();
  },
  "a broken connection": async (page) => {
    proxy.mode = "refuse";
    proxy.cut();
    await page.getByText("The live connection broke").waitFor();
  },
};

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    test(`nothing is wrong with any screen, ${colorScheme}, ${width} pixels wide`, async () => {
      proxy.mode = "pass";
      // axe is a script from outside, which the content security policy would rightly refuse.
      const { page, watch } = await newPage(browser, {
        colorScheme,
        viewport: { width, height: 780 },
        reducedMotion: "reduce",
        bypassCSP: true,
      });
      watch.expected = /net::ERR_/;
      for (const [name, go] of Object.entries(steps)) {
        await go(page);
        await page.getByRole("heading", { level: 1 }).waitFor();
        assert.deepEqual(await axe(page), [], name);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`);
      }
      await watch.done();
    });
  }
}

test("an order is placed and cancelled by keyboard alone", async () => {
  const { page, watch } = await newPage(browser);
  await page.goto(`${platform.url}/#key=${platform.key}`);
  await page.locator(".product").first().waitFor();
  const before = (await platform.orders()).length;

  /** Presses Tab until the element is reached. */
  const reach = async (locator) => {
    for (let presses = 0; presses < 100; presses++) {
      await page.keyboard.press("Tab");
      if (await locator.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`${locator} is out of the keyboard's reach`);
  };
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  await reach(page.locator(".product").first().getByRole("button"));
  await page.keyboard.press("Space");
  await reach(page.getByRole("link", { name: "Review the order" }));
  await page.keyboard.press("Enter");
  await reach(page.locator(".lines input"));
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.locator(".placed").waitFor();
  const orders = await platform.orders();
  assert.equal(orders.length, before + 1);
  assert.equal(orders[0].lines[0].quantity, 2);

  await reach(page.getByRole("link", { name: "All orders" }));
  await page.keyboard.press("Enter");
  const row = page.locator(`[data-order="${orders[0].name}"]`);
  await reach(row.getByRole("button", { name: /^Cancel order/ }));
  await page.keyboard.press("Enter");
  // The question takes the focus over, so Enter answers it.
  const yes = row.getByRole("button", { name: "Yes, cancel" });
  await until("the question has the focus", () => yes.evaluate((element) => element === document.activeElement));
  await page.keyboard.press("Enter");
  await row.getByText("Cancelled").waitFor();
  await watch.done();
});

test("the focus moves together with the screen, so that no key is pressed in vain", async () => {
  const { page, watch } = await newPage(browser);
  await page.goto(`${platform.url}/#key=${platform.key}`);
  await page.locator('.pill[data-kind="live"]').waitFor();
  // It is told before anything that a timer or a frame runs.
  const focused = page.evaluate(
    () =>
      new Promise((resolve) => {
        const observer = new MutationObserver(() => {
          if (document.querySelector("h1").textContent === "Orders") resolve(document.activeElement.id);
        });
        observer.observe(document.getElementById("content"), { childList: true, characterData: true, subtree: true });
      }),
  );
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  assert.equal(await focused, "content");
  await watch.done();
});

test("nothing moves where no motion is wanted", async () => {
  for (const [reducedMotion, moves] of [
    ["no-preference", true],
    ["reduce", false],
  ]) {
    const { page, watch } = await newPage(browser, { reducedMotion });
    await page.goto(`${platform.url}/#key=${platform.key}`);
    await page.locator('.pill[data-kind="live"]').waitFor();
    await page.getByRole("link", { name: "Live", exact: true }).click();
    await page.evaluate(() => {
      globalThis.moved = false;
      document.addEventListener("animationstart", () => (globalThis.moved = true), true);
    });
    const { name } = await platform.order(product);
    await page.locator(`.lane [data-order="${name}"]`).waitFor();
    // What starts to move with a change is told within the next frame.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    assert.equal(await page.evaluate(() => globalThis.moved), moves, reducedMotion);
    await watch.done();
  }
});
