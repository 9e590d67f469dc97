// The token renewer in the home cloud: it keeps Prometheus let in at the API servers of the other clouds.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { Images } from "../../images";
import { checksum } from "../../kubernetes/checksum";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { NAMESPACES, TOKEN_RENEWER } from "../../well-known";
import { labels, selector } from "../../kubernetes/metadata";
import { reachableApiServer } from "../../clouds/api-server";
import { authorities, clusterSecret } from "./files";
import { TOKEN_RENEWER_FILE, tokenRenewerConfig, tokenRenewerPod } from "./token-renewer-pod";

/** What `TokenRenewer` needs. */
export interface TokenRenewerArgs {
  readonly home: Cluster;
  /** Those with a Secret of `ScrapeToken`. At least one. */
  readonly others: readonly Cluster[];
  readonly images: Pick<Images, "agent">;
  /** Digest of the programs' bundle; a new one rolls the pod. */
  readonly bundleDigest: string;
}

/** One pod: while it is away, tokens live for half a day or more. It must depend on `ScrapeToken` of every other cloud. */
export class TokenRenewer extends pulumi.ComponentResource {
  constructor(name: string, args: TokenRenewerArgs, opts?: DependentOptions) {
    super("agentweave:observability:TokenRenewer", name, {}, opts);
    const { home, others, images, bundleDigest } = args;
    const self = childOptions(this, home, opts);
    const metadata = {
      name: TOKEN_RENEWER.name,
      namespace: NAMESPACES.observability,
      labels: labels(TOKEN_RENEWER.name, "metrics"),
    };
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    // It reads the Secrets as files, and writes them alone. A new one it may make only by a name of these: the name is in the path of a server-side apply,
    // and in that of no other way to create.
    const role = new k8s.rbac.v1.Role(
      `${name}-role`,
      {
        metadata,
        rules: [
          {
            apiGroups: [""],
            resources: ["secrets"],
            resourceNames: others.map((cluster) => clusterSecret(cluster.name)),
            verbs: ["patch", "create"],
          },
        ],
      },
      self,
    );
    const binding = new k8s.rbac.v1.RoleBinding(
      `${name}-role`,
      {
        metadata,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
        subjects: [{ kind: "ServiceAccount", name: metadata.name, namespace: metadata.namespace }],
      },
      { ...self, dependsOn: [...self.dependsOn, role, account] },
    );
    const servers = pulumi.output(
      Object.fromEntries(others.map((cluster) => [cluster.name, reachableApiServer(cluster)])),
    );
    const text = servers.apply((servers) => JSON.stringify(tokenRenewerConfig(home, servers)));
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata,
        data: servers.apply((servers) => ({ [TOKEN_RENEWER_FILE]: text, ...authorities(servers) })),
      },
      self,
    );
    new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: selector(TOKEN_RENEWER.name) },
          template: text.apply((config) =>
            tokenRenewerPod(
              images.agent,
              others.map((cluster) => cluster.name),
              checksum([config, bundleDigest]),
            ),
          ),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, binding, config] },
    );
    this.registerOutputs({});
  }
}
