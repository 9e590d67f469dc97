// The SPIFFE CSI driver of one cluster: it mounts the directory of the Workload API's socket into pods that ask for it,
// so that those pods need no hostPath volume and can be `restricted`.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { CSI_DRIVER, NAMESPACES } from "../well-known";
import { labels, selector } from "../kubernetes/metadata";
import { CSI_DRIVER_NAME, csiDriverPod } from "./csi-driver-pod";
import { childOptions, type DependentOptions } from "../kubernetes/options";

/** What `SpiffeCsiDriver` needs. */
export interface SpiffeCsiDriverArgs {
  readonly cluster: Cluster;
  readonly images: Images;
}

/**
 * The CSI driver `csi.spiffe.io`. Workloads that mount its volumes must depend on it: without the driver their volumes
 * cannot be unmounted, and their pods hang in Terminating.
 */
export class SpiffeCsiDriver extends pulumi.ComponentResource {
  /** What others depend on: all else of it was made before. */
  readonly ready: pulumi.Resource;

  constructor(name: string, { cluster, images }: SpiffeCsiDriverArgs, opts?: DependentOptions) {
    super("agentweave:spire:CsiDriver", name, {}, opts);
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: CSI_DRIVER_NAME,
      namespace: NAMESPACES.spireSystem,
      labels: labels(CSI_DRIVER_NAME, "csi-driver"),
    };

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const driver = new k8s.storage.v1.CSIDriver(
      `${name}-object`,
      {
        metadata: { name: CSI_DRIVER, labels: metadata.labels },
        spec: {
          // Volumes live and die with their pod; nothing is provisioned or attached.
          volumeLifecycleModes: ["Ephemeral"],
          attachRequired: false,
          // The driver learns from it that a volume is an ephemeral one.
          podInfoOnMount: true,
          // The socket is open to all; changing its owner for one pod would break the others.
          fsGroupPolicy: "None",
        },
      },
      self,
    );
    this.ready = new k8s.apps.v1.DaemonSet(
      name,
      {
        metadata,
        spec: {
          selector: { matchLabels: selector(CSI_DRIVER_NAME) },
          template: csiDriverPod(images, cluster.kubeletDirectory),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, account, driver] },
    );
    this.registerOutputs({});
  }
}
