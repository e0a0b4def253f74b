import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMoney, sumMoney } from "./money";

test("an amount has the digits of its currency", () => {
  const cases: [string, bigint, string][] = [
    ["EUR", 1250n, "€12.50"],
    ["EUR", 5n, "€0.05"],
    ["EUR", 0n, "€0.00"],
    ["EUR", -1250n, "-€12.50"],
    ["JPY", 1250n, "¥1,250"],
    ["KWD", 1250n, "KWD 1.250"],
    ["CLF", 1250n, "CLF 0.1250"],
    ["ISK", 1250n, "ISK 1,250"],
    // Beyond 2^53 no digit is lost.
    ["USD", 9223372036854775807n, "$92,233,720,368,547,758.07"],
    ["USD", -9223372036854775808n, "-$92,233,720,368,547,758.08"],
    // What is no currency code is shown as it is, rather than thrown at.
    ["", 1250n, "12.50"],
    ["euro", 1250n, "12.50 euro"],
  ];
  for (const [currencyCode, minorUnits, expected] of cases) {
    assert.equal(formatMoney({ currencyCode, minorUnits }, "en-US").replaceAll("\u00a0", " "), expected);
  }
  assert.equal(formatMoney(undefined), "–");
});

test("sums are per currency", () => {
  const [eur, yen] = [{ currencyCode: "EUR", minorUnits: 2n ** 62n }, { currencyCode: "JPY", minorUnits: 1n }];
  assert.deepEqual(sumMoney([eur, yen, eur]), [{ ...eur, minorUnits: 2n ** 63n }, yen]);
  assert.deepEqual(sumMoney([]), []);
});
