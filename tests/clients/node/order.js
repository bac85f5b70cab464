// Creates, watches and cancels an order, and reads the reason of a refusal.
//
//     npm ci && node order.js localhost:PORT 1082185
//
// It needs only the .proto files of Tradepost. The arguments are the address of an
// order instance and the sku to buy; each step prints one line of JSON.

import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { errorInfo } from "./error_info.js";

const PROTOS = fileURLToPath(new URL("../../../protos", import.meta.url));
const TIMEOUT_MS = 30_000;

const { tradepost } = grpc.loadPackageDefinition(
  protoLoader.loadSync("tradepost/order/v1/order_service.proto", {
    includeDirs: [PROTOS],
    keepCase: true, // order_id, as the contract writes it
    longs: String, // an int64 does not fit into a number
    enums: String,
    defaults: true,
  }),
);

function call(client, method, request) {
  const deadline = Date.now() + TIMEOUT_MS;
  return new Promise((resolve, reject) =>
    client[method](request, { deadline }, (error, response) => (error ? reject(error) : resolve(response))),
  );
}

async function main(address, sku) {
  const orders = new tradepost.order.v1.OrderService(address, grpc.credentials.createInsecure());

  // Repeat a call whose answer was lost with the same request_id: one order, however often.
  const wanted = {
    request_id: randomUUID(),
    customer_id: "node",
    lines: [{ sku, quantity: 2 }],
    payment_method: "pm_visa",
  };
  const { order } = await call(orders, "CreateOrder", wanted);
  print({ created: order.state, total: order.total });

  // The stream ends when the order is settled; resume it with after_version.
  for await (const { version, event_type: type } of orders.WatchOrder({ order_id: order.order_id })) {
    print({ version, type });
  }

  const cancelled = await call(orders, "CancelOrder", {
    request_id: randomUUID(),
    order_id: order.order_id,
    reason: "changed my mind",
  });
  print({ cancelled: cancelled.order.state });

  try {
    await call(orders, "FulfillOrder", { request_id: randomUUID(), order_id: order.order_id });
  } catch (error) {
    print({ refused: grpc.status[error.code], ...errorInfo(error) });
  }
  orders.close();
}

function print(line) {
  console.log(JSON.stringify(line));
}

await main(...process.argv.slice(2));
