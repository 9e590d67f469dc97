// The pod of the SPIFFE CSI driver, with the sidecars that every CSI driver has: a pure function.
import type * as k8s from "@pulumi/kubernetes";
import type { Images } from "../images";
import { CSI_DRIVER } from "../well-known";
import { labels } from "../kubernetes/metadata";
import { AGENT_SOCKET_VOLUME } from "./agent-pod";
import { NODE_CRITICAL } from "../kubernetes/priority";
import { containerResources, UNPRIVILEGED } from "../kubernetes/container";
import { CSI_DRIVER_SIZE } from "./sizes";

/** Name of the DaemonSet, its pods and its account. */
export const CSI_DRIVER_NAME = "spiffe-csi-driver";

/** Inside the containers: the directory of the socket on which the driver serves CSI. */
const CSI_DIR = "/spiffe-csi";
const CSI_SOCKET = `${CSI_DIR}/csi.sock`;
/** Inside the driver: the agent's socket directory, the source of all its mounts. */
const WORKLOAD_API_DIR = "/spire-agent-socket";
/** The kubelet's own default of its root directory on the node, in which it looks for plugins. */
const KUBELET_DIRECTORY = "/var/lib/kubelet";

const HEALTH_PORTS = { driver: 9808, registrar: 9809 } as const;

/** Template of the driver's pod, on nodes whose kubelets have this root directory. */
export function csiDriverPod(
  images: Pick<Images, "spiffeCsiDriver" | "csiNodeDriverRegistrar" | "csiLivenessProbe">,
  kubelet = KUBELET_DIRECTORY,
): k8s.types.input.core.v1.PodTemplateSpec {
  const liveness = (port: string) => ({
    httpGet: { path: "/healthz", port },
    initialDelaySeconds: 5,
    periodSeconds: 30,
    timeoutSeconds: 5,
    failureThreshold: 3,
  });
  const resources = containerResources(undefined, CSI_DRIVER_SIZE);
  const pluginDir = `${kubelet}/plugins/${CSI_DRIVER}`;
  const csiDir = { name: "csi", mountPath: CSI_DIR };

  return {
    metadata: { labels: labels(CSI_DRIVER_NAME, "csi-driver") },
    spec: {
      serviceAccountName: CSI_DRIVER_NAME,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      priorityClassName: NODE_CRITICAL,
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 30,
      // Root: the kubelet's directories belong to root.
      securityContext: { runAsUser: 0, runAsGroup: 0, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: CSI_DRIVER_NAME,
          image: images.spiffeCsiDriver,
          args: ["-workload-api-socket-dir", WORKLOAD_API_DIR, "-csi-socket-path", CSI_SOCKET],
          env: [{ name: "MY_NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
          // Served by the sidecar `liveness-probe`, which asks the driver itself.
          ports: [{ name: "driver-health", containerPort: HEALTH_PORTS.driver }],
          livenessProbe: liveness("driver-health"),
          resources,
          // Mounts that the node is to see (Bidirectional) are allowed to privileged containers only.
          securityContext: { privileged: true, readOnlyRootFilesystem: true },
          volumeMounts: [
            { name: AGENT_SOCKET_VOLUME.name, mountPath: WORKLOAD_API_DIR, readOnly: true },
            csiDir,
            { name: "pods", mountPath: `${kubelet}/pods`, mountPropagation: "Bidirectional" },
          ],
        },
        {
          name: "node-driver-registrar",
          image: images.csiNodeDriverRegistrar,
          args: [
            `--csi-address=${CSI_SOCKET}`,
            `--kubelet-registration-path=${pluginDir}/csi.sock`,
            `--http-endpoint=:${HEALTH_PORTS.registrar}`,
          ],
          ports: [{ name: "registrar", containerPort: HEALTH_PORTS.registrar }],
          livenessProbe: liveness("registrar"),
          resources,
          securityContext: UNPRIVILEGED,
          volumeMounts: [csiDir, { name: "registration", mountPath: "/registration" }],
        },
        {
          name: "liveness-probe",
          image: images.csiLivenessProbe,
          args: [`--csi-address=${CSI_SOCKET}`, `--http-endpoint=:${HEALTH_PORTS.driver}`],
          resources,
          securityContext: UNPRIVILEGED,
          volumeMounts: [csiDir],
        },
      ],
      volumes: [
        AGENT_SOCKET_VOLUME,
        { name: "csi", hostPath: { path: pluginDir, type: "DirectoryOrCreate" } },
        { name: "pods", hostPath: { path: `${kubelet}/pods`, type: "Directory" } },
        { name: "registration", hostPath: { path: `${kubelet}/plugins_registry`, type: "Directory" } },
      ],
    },
  };
}
