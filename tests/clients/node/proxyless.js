// Asks an order service through `xds:///order`: gRPC's own client for Node, and no proxy.
//
//     npm ci && export GRPC_XDS_BOOTSTRAP=xds.json
//     node proxyless.js xds:///order
//     node proxyless.js xds:///order certificates/ TOKEN
//
// For each line on standard input it makes a call and prints a line of JSON: the token of the next
// page, or the code of the error. docs/client.md shows the bootstrap file. The second line is for a
// secure suite: the folder has the certificate (`tls.crt`), its key (`tls.key`) and the authorities
// (`ca.crt`), and the token is a person's.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";
import protoLoader from "@grpc/proto-loader";

const PROTOS = fileURLToPath(new URL("../../../protos", import.meta.url));
const TIMEOUT_MS = 60_000;

register();
const { tradepost } = grpc.loadPackageDefinition(
  protoLoader.loadSync("tradepost/order/v1/order_service.proto", { includeDirs: [PROTOS], keepCase: true }),
);
const [target, folder, token] = process.argv.slice(2);

// Credentials and options; with a folder of certificates TLS, to servers whose certificate says
// `order`. Without the option, gRPC would look for `localhost` or an address in it.
function security() {
  if (!folder) return [grpc.credentials.createInsecure()];
  const [roots, key, chain] = ["ca.crt", "tls.key", "tls.crt"].map((name) => readFileSync(join(folder, name)));
  return [grpc.credentials.createSsl(roots, key, chain), { "grpc.ssl_target_name_override": "order" }];
}

const orders = new tradepost.order.v1.OrderService(target, ...security());
const metadata = new grpc.Metadata();
if (token) metadata.set("authorization", `Bearer ${token}`);

function listOrders() {
  const deadline = Date.now() + TIMEOUT_MS;
  return new Promise((resolve) =>
    orders.ListOrders({ page_size: 1 }, metadata, { deadline }, (error, answer) =>
      resolve(error ? { error: grpc.status[error.code] } : { token: answer.next_page_token }),
    ),
  );
}

for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await listOrders()));
}
orders.close();
