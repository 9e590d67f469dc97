// Where a relay listens.
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import type { HostPort } from "../../agent/calls/address";
import type { Running } from "../program";

/** An end of a relay that listens. */
export interface Listening extends Running {
  readonly port: number;
}

/** Starts to listen, and returns the port. Rejects when that cannot be had. */
export async function listenAt(server: Server, address: HostPort): Promise<number> {
  await once(server.listen({ ...address }), "listening");
  return (server.address() as AddressInfo).port;
}
