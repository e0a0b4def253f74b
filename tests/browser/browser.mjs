// A headless Chromium, and pages in it that are watched: a page that calls a foreign host, logs an error or throws has
// failed, whatever else the test finds.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach } from "node:test";
import { load, variable } from "./parts.mjs";

const { chromium } = load("playwright-core");
const axeSource = await readFile(load.resolve("axe-core/axe.min.js"), "utf8");

/** A host name that is not loopback and yet leads to this machine, as a rebinding attacker's does. */
export const foreignHost = "shop.example";

/** The pages that are open; a page whose test failed still is. */
const open = new Set();

// What a failed test's pages showed is the only trace of a failure that does not come back.
afterEach(async (test) => {
  for (const page of test.passed ? [] : open) {
    const shown = await page
      .evaluate(() => [location.hash, document.activeElement?.outerHTML.slice(0, 200), document.body.innerText])
      .catch((error) => [String(error)]);
    test.diagnostic(`the page when it failed: ${shown.join("\n")}`);
  }
});

export async function launch() {
  return chromium.launch({
    executablePath: variable("MILLRACE_CHROMIUM"),
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${foreignHost} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost`,
    ],
  });
}

/**
 * A page in a fresh context. `watch.expected` is a pattern of console messages that belong to the test; `watch.done()`
 * fails if there was any other.
 */
export async function newPage(browser, options = {}) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  open.add(page);
  page.on("close", () => open.delete(page));
  const watch = { expected: undefined, complaints: [] };
  const complain = (text) => {
    if (!watch.expected?.test(text)) watch.complaints.push(text);
  };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complain(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complain(`thrown: ${error.stack}`));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== "http:" || hostname !== "127.0.0.1") complain(`foreign request: ${request.url()}`);
  });
  watch.done = async () => {
    await context.close();
    assert.deepEqual(watch.complaints, []);
  };
  return { page, watch };
}

/** What axe finds wrong with the page as it is now, by WCAG 2.2 A and AA and by good practice. */
export async function axe(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
    }),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** Waits for what is to become true. */
export async function until(what, isTrue, maxMs = 30_000) {
  const deadline = Date.now() + maxMs;
  while (!(await isTrue())) {
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
