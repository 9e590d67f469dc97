// The name under which agents of any cloud answer: a Tailscale Service, for which each sidecar that serves it is a host
// (https://tailscale.com/kb/1552/tailscale-services).
import type * as k8s from "@pulumi/kubernetes";
import { AGENT_PORTS, TAILNET } from "../../well-known";

/** ConfigMap with the part of the sidecars' configuration that says what they serve. */
export const SERVE_CONFIG = {
  configMap: "tailnet-serve",
  key: "serve.json",
  mountPath: "/etc/tailscale-serve",
} as const;

/** Text of that configuration, an `ipn.ServeConfig` of Tailscale: TCP is handed on as it comes. */
export function serveConfig(): string {
  const port = AGENT_PORTS.mtls;
  return JSON.stringify({
    Services: {
      [TAILNET.globalService]: { TCP: { [port]: { TCPForward: `127.0.0.1:${port}` } } },
    },
  });
}

/** What a sidecar's container has in addition to serve the name. */
export interface GlobalHost extends Required<
  Pick<k8s.types.input.core.v1.Container, "env" | "volumeMounts">
> {
  /** Commands of a shell after its start and before its end. */
  readonly start: string;
  readonly stop: string;
}

/** A sidecar that serves the name. */
export function serveGlobal(): GlobalHost {
  const health = `http://127.0.0.1:${TAILNET.healthPort}/healthz`;
  return {
    env: [{ name: "TS_SERVE_CONFIG", value: `${SERVE_CONFIG.mountPath}/${SERVE_CONFIG.key}` }],
    volumeMounts: [{ name: SERVE_VOLUME, mountPath: SERVE_CONFIG.mountPath, readOnly: true }],
    // containerboot offers the Service at the next change in the tailnet after it has read its configuration, which may be far off
    // (https://github.com/tailscale/tailscale/issues/19693). In the background, as the container has not started before this ends.
    start:
      `(until wget -q -O /dev/null ${health}; do sleep 1; done; ` +
      `tailscale serve advertise ${TAILNET.globalService}) >/dev/null 2>&1 &`,
    // While the agent still answers: containerboot itself withdraws it only after the agent has gone.
    stop: `tailscale serve drain ${TAILNET.globalService} || true`,
  };
}

const SERVE_VOLUME = "tailnet-serve";

/** Volume of the configuration. */
export function serveVolume(): k8s.types.input.core.v1.Volume {
  return { name: SERVE_VOLUME, configMap: { name: SERVE_CONFIG.configMap } };
}
