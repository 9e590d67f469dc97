// The Workload API in a pod: its volume, by the SPIFFE CSI driver, and where its socket is.
import { AGENT, CSI_DRIVER, SPIRE_AGENT } from "../well-known";

const name = "workload-api";
const socket = `${AGENT.socketDir}/${SPIRE_AGENT.socketName}`;

/** The same in every pod with an identity. */
export const WORKLOAD_API = {
  volume: { name, csi: { driver: CSI_DRIVER, readOnly: true } },
  mount: { name, mountPath: AGENT.socketDir, readOnly: true },
  /** Path of the socket. */
  socket,
  /** URL of the socket, as the SPIFFE Workload Endpoint has it. */
  endpoint: `unix://${socket}`,
} as const;
