// An amount.

import { formatMoney } from "../format/money";

export function Money({ amount }: { amount: { currencyCode: string; minorUnits: bigint } | undefined }) {
  return <span class="money">{formatMoney(amount && { ...amount })}</span>;
}
