// Grafana in the home cloud: shows the dashboards of this program over Prometheus and the trace store.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { Images } from "../../images";
import { checksum } from "../../kubernetes/checksum";
import { GeneratedConfigMap } from "../../kubernetes/generated-config-map";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { servicePort } from "../../kubernetes/service-port";
import { LETTERS, RandomText } from "../../random-text";
import { GRAFANA, NAMESPACES } from "../../well-known";
import { labels, selector } from "../../kubernetes/metadata";
import { PASSWORD_KEY, provisioningFiles } from "./files";
import { GRAFANA_OBJECTS, grafanaPod } from "./pod";
import type { RulesArgs } from "../rules/rule";
import type { ObservabilitySettings } from "../settings";

/** What `Grafana` needs. */
export interface GrafanaArgs {
  /** The home cloud's. */
  readonly cluster: Cluster;
  /** Its namespace `observability`. */
  readonly namespace: pulumi.Resource;
  /** What the dashboards are made from. */
  readonly shown: RulesArgs;
  readonly settings: Pick<ObservabilitySettings, "dashboards" | "metrics">;
  readonly images: Pick<Images, "grafana">;
}

/**
 * Grafana, in namespace `observability`, which must be there. Nothing of it is kept: what it shows is in files, and what somebody changes by hand is gone
 * with the pod. It is reached by a port-forward; who wants it elsewhere puts a gateway with a login of their own before its Service.
 */
export class Grafana extends pulumi.ComponentResource {
  /** Of the user `admin`. A secret. */
  readonly password: pulumi.Output<string>;

  constructor(name: string, args: GrafanaArgs, opts?: DependentOptions) {
    super("agentweave:observability:Grafana", name, {}, opts);
    const { cluster, namespace, shown, settings, images } = args;
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: GRAFANA.name,
      namespace: NAMESPACES.observability,
      labels: labels(GRAFANA.name, "dashboards"),
    };
    const named = (name: string) => ({ metadata: { ...metadata, name } });

    const random = { length: 32, alphabet: `${LETTERS}0123456789` };
    this.password = pulumi.secret(new RandomText(`${name}-password`, random, { parent: this }).value);

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const provisioning = provisioningFiles(settings.metrics.intervalSeconds);
    const configMaps = [
      new k8s.core.v1.ConfigMap(
        `${name}-provisioning`,
        { ...named(GRAFANA_OBJECTS.provisioning), data: provisioning },
        self,
      ),
      new GeneratedConfigMap(
        `${name}-dashboards`,
        {
          cluster,
          namespace: metadata.namespace,
          within: namespace,
          configMap: GRAFANA_OBJECTS.dashboards,
          labels: metadata.labels,
          recipe: { name: "dashboards", args: shown },
        },
        { parent: this, dependsOn: self.dependsOn },
      ),
    ];
    const admin = new k8s.core.v1.Secret(
      `${name}-admin`,
      { ...named(GRAFANA_OBJECTS.admin), stringData: { [PASSWORD_KEY]: this.password } },
      self,
    );
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: selector(GRAFANA.name) },
          template: grafanaPod({
            image: images.grafana,
            size: settings.dashboards.resources,
            checksum: checksum(provisioning),
          }),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, account, ...configMaps, admin] },
    );
    // After the Deployment, because Pulumi waits until a Service has endpoints.
    new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata,
        spec: {
          selector: selector(GRAFANA.name),
          ports: [servicePort("http", GRAFANA.port)],
        },
      },
      { ...self, dependsOn: [...self.dependsOn, deployment] },
    );
    this.registerOutputs({ password: this.password });
  }
}
