// The page against those who mean harm: scripts in stored text, pages of other hosts, links that name another server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { foreignHost, launch, newPage } from "./browser.mjs";
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

test("every file of the page comes with its headers, and once", async () => {
  for (const path of ["/", "/app.js", "/app.css", "/icon.svg", "/licenses.txt"]) {
    const response = await fetch(platform.url + path);
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get("content-type"), /; charset=utf-8$/, path);
    assert.equal(
      response.headers.get("content-security-policy"),
      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      path,
    );
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
    const tag = response.headers.get("etag");
    const again = await fetch(platform.url + path, { headers: { "if-none-match": tag } });
    assert.equal(again.status, 304, path);
    const head = await fetch(platform.url + path, { method: "HEAD" });
    assert.equal(head.headers.get("etag"), tag, path);
  }
  assert.equal((await fetch(`${platform.url}/app.js`, { method: "POST" })).status, 404);
});

test("stored text is text", async () => {
  const payloads = [
    `<img src=x onerror="globalThis.pwned=1">`,
    `"><script>globalThis.pwned=1</script>`,
    "javascript:globalThis.pwned=1",
    "{{constructor.constructor('globalThis.pwned=1')()}}",
  ];
  for (const [index, displayName] of payloads.entries()) {
    const price = { currencyCode: "EUR", minorUnits: "100" };
    const body = { displayName, description: displayName, price };
    await platform.rest("POST", `/v1/products?productId=a-payload-${index}`, body, platform.operatorKey);
    await platform.order(`products/a-payload-${index}`);
  }
  const { page, watch } = await newPage(browser);
  await page.goto(`${platform.url}/#key=${platform.key}`);
  for (const displayName of payloads) await page.getByRole("heading", { name: displayName }).waitFor();
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  for (const displayName of payloads) await page.getByText(`1 × ${displayName}`).waitFor();
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  await watch.done();
});

test("the content security policy stops a script that got in, and a call to another server", async () => {
  const { page, watch } = await newPage(browser);
  watch.expected = /Content Security Policy/;
  await page.goto(`${platform.url}/`);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.pwned = 1";
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  // A link that names another server gets no key: the page as the platform serves it may not call there.
  const calls = [];
  page.on("response", (response) => calls.push(response.url()));
  await page.goto(`${platform.url}/?api=${site.url}#key=${platform.key}`);
  await page.getByText("could not be reached").first().waitFor();
  assert.deepEqual(
    calls.filter((url) => url.startsWith(site.url)),
    [],
  );
  await watch.done();
});

test("a link may name only a server on this machine", async () => {
  const { page, watch } = await newPage(browser);
  await page.goto(`${platform.url}/?api=https://shop.example`);
  await page.getByText("is ignored: it must be an").waitFor();
  await page.locator(".product").first().waitFor();
  await watch.done();
});

test("a page of a foreign host can neither call nor pass for the platform", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://${foreignHost}:${site.port}/text_mode.html`);
  for (const contentType of ["application/grpc-web+proto", "application/json", "text/plain"]) {
    const outcome = await page.evaluate(
      async ([url, contentType, key]) => {
        const headers = { "content-type": contentType, authorization: `Bearer ${key}` };
        const response = await fetch(url, { method: "POST", headers, body: "{}" }).catch((error) => error);
        return response instanceof Error ? "refused" : response.status;
      },
      [`${platform.url}/v1/users/me/orders`, contentType, platform.key],
    );
    assert.equal(outcome, "refused", contentType);
  }
  // A name that was rebound to this machine is not one of the platform's.
  const rebound = await page.goto(`http://${foreignHost}:${platform.port}/v1/products`);
  assert.equal(rebound.status(), 421);
  await context.close();
});
