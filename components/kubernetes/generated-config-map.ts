// The resource whose create, read, update and delete are in generated-config-map-provider.ts.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { DynamicResource } from "../dynamic-resource";
import { recipes } from "../providers/recipes";
import { digestOf, type Recipe } from "./generated-config-map-provider";

/** What `GeneratedConfigMap` needs. */
export interface GeneratedConfigMapArgs {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** The resource of the namespace. Where that leaves, this has left. */
  readonly within: pulumi.Resource;
  /** Name of the ConfigMap. */
  readonly configMap: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly recipe: pulumi.Input<Recipe>;
}

/**
 * A ConfigMap that is too large for the state, where the Kubernetes provider writes each object three times. There is only its recipe and the digest of what came out, by
 * which a refresh sees that the object was lost or altered. The provider follows the recipe in a process of its own.
 */
export class GeneratedConfigMap extends DynamicResource {
  constructor(name: string, args: GeneratedConfigMapArgs, opts?: pulumi.CustomResourceOptions) {
    const { cluster, namespace, within, configMap, labels, recipe } = args;
    const props = {
      cloud: cluster.name,
      kubeconfig: pulumi.secret(cluster.credentials ?? cluster.kubeconfig),
      object: { namespace, name: configMap },
      labels: { ...labels },
      recipe,
      digest: pulumi.output(recipe).apply(({ name, args }) => digestOf(recipes[name](args as never))),
    };
    const leaving = pulumi.mergeOptions(opts, { dependsOn: [within], deletedWith: within });
    super("GeneratedConfigMap", name, props, ["kubeconfig"], leaving);
  }
}
