// The protocol between the engine and a provider as Pulumi's SDK has it, with the libraries that it has for that.
import { createRequire } from "node:module";
import type { Properties } from "./properties";

const own = createRequire(require.resolve("@pulumi/pulumi/package.json"));
const { Struct } = own("google-protobuf/google/protobuf/struct_pb");

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- The protocol's classes have no types here.
export type Message = any;

export const grpc = own("@grpc/grpc-js");
export const { Empty } = own("google-protobuf/google/protobuf/empty_pb");
export const { PluginInfo } = own("./proto/plugin_pb");
export const { ResourceProviderService } = own("./proto/provider_grpc_pb");
export const provider = own("./proto/provider_pb");
export const { ResourceMonitorClient } = own("./proto/resource_grpc_pb");
export const resource = own("./proto/resource_pb");

export const read = (struct: Message): Properties => struct?.toJavaScript() ?? {};
export const write = (properties: Properties): Message => Struct.fromJavaScript(properties);
