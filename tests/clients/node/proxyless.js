// Asks an order service through `xds:///order`: gRPC's own client for Node, and no proxy.
//
//     npm ci && GRPC_XDS_BOOTSTRAP=xds.json node proxyless.js xds:///order
//
// For each line on standard input it makes a call and prints a line of JSON: the token of the next
// page, or the code of the error. docs/client.md shows the bootstrap file.

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";
import protoLoader from "@grpc/proto-loader";

const PROTOS = fileURLToPath(new URL("../../../protos", import.meta.url));
const TIMEOUT_MS = 20_000;

register();
const { tradepost } = grpc.loadPackageDefinition(
  protoLoader.loadSync("tradepost/order/v1/order_service.proto", { includeDirs: [PROTOS], keepCase: true }),
);
const [target] = process.argv.slice(2);
const orders = new tradepost.order.v1.OrderService(target, grpc.credentials.createInsecure());

function listOrders() {
  const deadline = Date.now() + TIMEOUT_MS;
  return new Promise((resolve) =>
    orders.ListOrders({ page_size: 1 }, { deadline }, (error, answer) =>
      resolve(error ? { error: grpc.status[error.code] } : { token: answer.next_page_token }),
    ),
  );
}

for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await listOrders()));
}
orders.close();
