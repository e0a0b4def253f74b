// Amounts for people. Exact: an amount never becomes a floating-point number.

import type { Money } from "../../gen/millrace/type/v1/money_pb";

/** Currencies whose smallest unit is not a hundredth (ISO 4217, of 2026): how many decimal digits they have. */
const digitsOf: Record<string, number> = {
  ...digits(0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
  ...digits(3, "BHD IQD JOD KWD LYD OMR TND"),
  ...digits(4, "CLF UYW"),
};

type Amount = Pick<Money, "currencyCode" | "minorUnits">;

/** As in `€12.50`, `¥1,250`, `KWD 1.250`. Absent money is a dash. */
export function formatMoney(money: Amount | undefined, locale?: string): string {
  if (!money) return "–";
  const { currencyCode: currency, minorUnits } = money;
  const fraction = digitsOf[currency] ?? 2;
  const decimal = decimalText(minorUnits, fraction);
  if (!/^[A-Z]{3}$/.test(currency)) return `${decimal} ${currency}`.trim();
  return new Intl.NumberFormat(locale, {
    style: "currency",
    currency,
    minimumFractionDigits: fraction,
    maximumFractionDigits: fraction,
    // A text is taken digit by digit; a number would round beyond 2^53.
  }).format(decimal as `${number}`);
}

/** Sums per currency, in the order in which the currencies appear. */
export function sumMoney(amounts: Amount[]): Amount[] {
  const sums = new Map<string, bigint>();
  for (const { currencyCode, minorUnits } of amounts) {
    sums.set(currencyCode, (sums.get(currencyCode) ?? 0n) + minorUnits);
  }
  return [...sums].map(([currencyCode, minorUnits]) => ({ currencyCode, minorUnits }));
}

function decimalText(minorUnits: bigint, fraction: number): string {
  const sign = minorUnits < 0n ? "-" : "";
  const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(fraction + 1, "0");
  return fraction === 0 ? sign + text : `${sign}${text.slice(0, -fraction)}.${text.slice(-fraction)}`;
}

function digits(count: number, currencies: string): Record<string, number> {
  return Object.fromEntries(currencies.split(" ").map((currency) => [currency, count]));
}
