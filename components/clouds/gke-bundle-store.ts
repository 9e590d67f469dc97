// A bucket of Google Cloud Storage for the bundle of a GKE cluster's SPIRE server, which writes it by the identity of its Kubernetes account.
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { bundleObject, type BundleStore } from "./bundle-store";
import { NAMESPACES, SPIRE_SERVER } from "../well-known";

/** Arguments of {@link GkeBundleStore}. */
export interface GkeBundleStoreArgs {
  readonly region: string;
  readonly project: string;
  readonly workloadPool: string;
  readonly trustDomain: string;
  readonly provider: gcp.Provider;
  /** What the project has once there are its APIs and the workload pool. */
  readonly dependsOn: pulumi.Resource;
}

/** The bucket. It has no other object than the one: Google gives a right to everybody on a whole bucket alone. */
export class GkeBundleStore extends pulumi.ComponentResource implements BundleStore {
  readonly publisher: BundleStore["publisher"];
  readonly annotations = {};
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: GkeBundleStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:GkeBundleStore", name, {}, opts);
    const self = { parent: this, provider: args.provider };
    const objectName = bundleObject(args.trustDomain);

    const bucket = new gcp.storage.Bucket(
      `${name}-bucket`,
      { location: args.region, uniformBucketLevelAccess: true, forceDestroy: true },
      { ...self, dependsOn: args.dependsOn },
    );
    const readers = new gcp.storage.BucketIAMMember(
      `${name}-readers`,
      // Reads objects by their names and lists none.
      { bucket: bucket.name, role: "roles/storage.legacyObjectReader", member: "allUsers" },
      self,
    );
    const { number } = gcp.organizations.getProjectOutput(
      { projectId: args.project },
      { ...self, dependsOn: args.dependsOn },
    );
    // The account itself, with no service account of Google's between (Google Kubernetes Engine, "Authenticate to Google Cloud APIs from GKE workloads").
    const pool = pulumi.interpolate`iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/${args.workloadPool}`;
    const right = new gcp.storage.BucketIAMMember(
      `${name}-right`,
      {
        bucket: bucket.name,
        role: "roles/storage.objectUser",
        member: pulumi.interpolate`principal://${pool}/subject/ns/${NAMESPACES.spireServer}/sa/${SPIRE_SERVER.serviceAccount}`,
        condition: {
          title: "the bundle alone",
          expression: pulumi.interpolate`resource.name == "projects/_/buckets/${bucket.name}/objects/${objectName}"`,
        },
      },
      self,
    );
    this.publisher = { type: "gcp_cloudstorage", bucket: bucket.name, objectName };
    this.ready = [readers, right];
    this.registerOutputs();
  }
}
