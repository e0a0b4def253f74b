// The catalog, a page at a time, with a filter over the page that is loaded.

import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Product } from "../../gen/millrace/catalog/v1/catalog_pb";
import { catalog } from "../api/clients";
import { type Failure, failureOf } from "../api/failure";
import { DraftBar } from "../components/draft-bar";
import { FailurePanel } from "../components/failure";
import { KeyForm } from "../components/key-form";
import { countOf, lastSegment } from "../format/order";
import { formatMoney } from "../format/money";
import { key } from "../session";
import { addProduct, lines } from "../state/draft";

const pageSize = 25;

interface Page {
  /** From 1. */
  number: number;
  products: readonly Product[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export function ProductsScreen() {
  /** The page that is shown; another one may be on its way. */
  const page = useSignal<Page | null>(null);
  const failure = useSignal<Failure | null>(null);
  const filter = useSignal("");
  /** The tokens of the pages up to the one asked for; the first page's is empty. */
  const tokens = useSignal<readonly string[]>([""]);
  const attempt = useSignal(0);
  const shown = useComputed(() => page.value?.products.filter((product) => matches(product, filter.value)) ?? []);

  /** Asks for the page before the one shown, or the one after it. Pressing twice asks for the same one. */
  const turnTo = (number: number, token?: string) => {
    const known = tokens.value.slice(0, token === undefined ? number : number - 1);
    tokens.value = token === undefined ? known : [...known, token];
  };

  useEffect(() => {
    const controller = new AbortController();
    const pageToken = tokens.value[tokens.value.length - 1] ?? "";
    catalog
      .listProducts({ pageSize, pageToken }, { signal: controller.signal })
      .then(({ products, nextPageToken }) => {
        failure.value = null;
        page.value = { number: tokens.value.length, products, nextPageToken };
      })
      .catch((error) => {
        if (!controller.signal.aborted) failure.value = failureOf(error);
      });
    return () => controller.abort();
  }, [tokens.value, attempt.value]);

  return (
    <>
      {key.value === null && (
        <section class="card">
          <h2>Bring a key to order</h2>
          <KeyForm />
        </section>
      )}
      <div class="title">
        <h1>Products</h1>
        <label class="search">
          <span class="hidden">Filter the products of this page</span>
          <input
            type="search"
            placeholder="Filter this page"
            value={filter.value}
            onInput={(event) => (filter.value = event.currentTarget.value)}
          />
        </label>
      </div>
      {failure.value && (
        <FailurePanel
          title="The products could not be read"
          failure={failure.value}
          onRetry={() => (attempt.value += 1)}
        />
      )}
      {page.value === null && !failure.value && <p class="quiet">Reading the catalog…</p>}
      {page.value !== null && (
        <>
          <p class="quiet" role="status">
            {filter.value.trim() !== "" && `${shown.value.length} of `}
            {countOf(page.value.products.length, "product")} on page {page.value.number}
          </p>
          <ul class="products">
            {shown.value.map((product) => (
              <ProductCard key={product.name} product={product} />
            ))}
          </ul>
          <nav class="pager" aria-label="Pages of products">
            <button
              type="button"
              disabled={page.value.number === 1}
              onClick={() => page.value && turnTo(page.value.number - 1)}
            >
              Previous page
            </button>
            <button
              type="button"
              disabled={page.value.nextPageToken === ""}
              onClick={() => page.value && turnTo(page.value.number + 1, page.value.nextPageToken)}
            >
              Next page
            </button>
          </nav>
        </>
      )}
      <DraftBar />
    </>
  );
}

function ProductCard({ product }: { product: Product }) {
  const picked = lines.value.find((line) => line.product === product.name)?.quantity;
  return (
    <li class="card product">
      <h2>{product.displayName}</h2>
      <p class="quiet small">
        <code>{lastSegment(product.name)}</code>
      </p>
      {product.description && <p class="description">{product.description}</p>}
      <div class="row end">
        <span class="price">{formatMoney(product.price)}</span>
        {picked !== undefined && <span class="quiet small">{picked} in the order</span>}
        <button type="button" onClick={() => addProduct(product)} aria-label={`Add ${product.displayName}`}>
          Add
        </button>
      </div>
    </li>
  );
}

function matches(product: Product, filter: string): boolean {
  const text = `${product.displayName} ${product.name} ${product.description}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
