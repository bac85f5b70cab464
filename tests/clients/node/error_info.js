// Reads the google.rpc.ErrorInfo of a refusal from its trailers: the service and the reason.

import protobuf from "protobufjs";

const { root } = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Status { repeated Detail details = 3; }
  message Detail { string typeUrl = 1; bytes value = 2; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
`);
const Status = root.lookupType("google.rpc.Status");
const ErrorInfo = root.lookupType("google.rpc.ErrorInfo");

/** `{reason, domain, metadata}`, or undefined if the error doesn't come from the service. */
export function errorInfo(error) {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = bytes ? Status.decode(bytes).details : [];
  const detail = details.find(({ typeUrl }) => typeUrl.endsWith("/google.rpc.ErrorInfo"));
  return detail && ErrorInfo.toObject(ErrorInfo.decode(detail.value));
}
