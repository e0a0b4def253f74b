// One gRPC-Web transport, and a typed client per service over it. Nothing else of the page knows how calls travel.

import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { CatalogService } from "../../gen/millrace/catalog/v1/catalog_pb";
import { IdentityService } from "../../gen/millrace/identity/v1/identity_pb";
import { OrderingService } from "../../gen/millrace/ordering/v1/ordering_pb";
import { key } from "../session";
import { endpointOf } from "./endpoint";
import { retrySafeCalls } from "./retry";

/** The address's query does not change while the page is open. */
export const endpoint = endpointOf(new URL(location.href));

/** Unary calls end after this time, retries included; streams have no deadline. */
const unaryTimeoutMs = 10_000;

const authenticate: Interceptor = (next) => (request) => {
  const present = key.peek();
  if (present !== null) request.header.set("authorization", `Bearer ${present}`);
  return next(request);
};

const transport = createGrpcWebTransport({
  baseUrl: endpoint.origin,
  defaultTimeoutMs: unaryTimeoutMs,
  interceptors: [retrySafeCalls, authenticate],
});

export const catalog = createClient(CatalogService, transport);
export const identity = createClient(IdentityService, transport);
export const ordering = createClient(OrderingService, transport);
