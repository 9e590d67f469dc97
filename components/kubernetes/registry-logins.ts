// Logins of registries that nodes pull images from: in a Secret of each namespace that has pods, which every pod names.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { withPodFields } from "./changed";
import { labels } from "./metadata";

/** A login of one registry. */
export interface RegistryLogin {
  /** The registry as images name it: `registry.example.org`, `docker.io`, or a part of one, `registry.example.org/team`. */
  readonly registry: string;
  readonly username: string;
  /** A password or a token. A secret. */
  readonly password: string;
}

/** Name of the Secret in each namespace. */
export const LOGINS_SECRET = "registry-logins";

/** Docker Hub's name in such a file (https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/). */
const DOCKER_HUB = "https://index.docker.io/v1/";

/** What `docker login` would write, as a Secret of type `kubernetes.io/dockerconfigjson` has it (https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets). */
export function dockerConfig(logins: readonly RegistryLogin[]): string {
  const auths = logins.map(({ registry, username, password }) => [
    registry === "docker.io" ? DOCKER_HUB : registry,
    { username, password, auth: Buffer.from(`${username}:${password}`).toString("base64") },
  ]);
  return JSON.stringify({ auths: Object.fromEntries(auths) as object });
}

interface Props {
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
  readonly spec?: { readonly template?: unknown };
}
interface Place {
  readonly name: string;
  readonly namespace: pulumi.Resource;
  readonly parent: pulumi.Resource | undefined;
  /** Made for the first pod. */
  secret?: k8s.core.v1.Secret;
}

/**
 * Has every pod below a component name the logins, and start after their Secret, which is made in each namespace that the component makes. Whatever has
 * a template of pods is meant, and no part has to know of it.
 */
export function withRegistryLogins(logins: readonly RegistryLogin[]): pulumi.ResourceTransformation {
  const places = new Map<pulumi.ProviderResource | undefined, Map<string, Place>>();
  const placesOf = (provider: pulumi.ProviderResource | undefined) => {
    if (!places.has(provider)) places.set(provider, new Map());
    return places.get(provider)!;
  };
  return ({ resource, type, name, props, opts }) => {
    const { provider, parent } = opts as pulumi.CustomResourceOptions;
    const { metadata, spec } = props as Props;
    if (type === "kubernetes:core/v1:Namespace") {
      placesOf(provider).set(metadata!.name!, { name, namespace: resource, parent });
      return undefined;
    }
    const place = placesOf(provider).get(metadata?.namespace ?? "");
    if (spec?.template === undefined || place === undefined) return undefined;
    place.secret ??= new k8s.core.v1.Secret(
      `${place.name}-registry-logins`,
      {
        metadata: {
          name: LOGINS_SECRET,
          namespace: metadata!.namespace!,
          labels: labels(LOGINS_SECRET, "images"),
        },
        type: "kubernetes.io/dockerconfigjson",
        stringData: { ".dockerconfigjson": pulumi.secret(dockerConfig(logins)) },
      },
      { parent: place.parent, provider, dependsOn: place.namespace },
    );
    return {
      props: withPodFields(props, { imagePullSecrets: [{ name: LOGINS_SECRET }] }),
      opts: pulumi.mergeOptions(opts, { dependsOn: place.secret }),
    };
  };
}
