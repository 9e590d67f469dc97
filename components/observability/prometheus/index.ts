// Metrics of the whole mesh: Prometheus in the home cloud, and what lets it into every cluster.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Images } from "../../images";
import type { DependentOptions } from "../../kubernetes/options";
import { ScrapeAccess } from "../scrape/access";
import { ScrapeToken } from "../scrape/token";
import type { RulesArgs } from "../rules";
import type { MetricsSettings } from "../settings";
import { Prometheus, type ScrapedCloud } from "./prometheus";
import { TokenRenewer } from "./token-renewer";

export { scrapedNamespaces } from "./config";
export type { ScrapedCloud } from "./prometheus";

type Template = k8s.types.input.core.v1.PodTemplateSpec;

/** What `Metrics` needs. */
export interface MetricsArgs {
  /** All clouds of the mesh, each with what must be there first: its namespaces, and its part of the programs. */
  readonly clouds: readonly (ScrapedCloud & { readonly dependsOn: readonly pulumi.Resource[] })[];
  /** The home's namespace `observability`. */
  readonly namespace: pulumi.Resource;
  /** Those with pods of the mesh: `scrapedNamespaces`. */
  readonly namespaces: readonly string[];
  readonly images: Images;
  readonly settings: MetricsSettings;
  /** What the rules are made from. */
  readonly rules: pulumi.Input<RulesArgs>;
  /** Digest of the programs' bundle. */
  readonly bundleDigest: string;
  /** What the network adds to Prometheus' pod. Default: nothing. */
  readonly withNetwork?: (template: Template) => Template;
}

/** Prometheus with an account in every cluster, a token for each of the other clouds, and the renewer of these, where there are others. */
export class Metrics extends pulumi.ComponentResource {
  readonly prometheus: Prometheus;

  constructor(name: string, args: MetricsArgs, opts?: DependentOptions) {
    super("agentweave:observability:Metrics", name, {}, opts);
    const { clouds, namespace, namespaces, images, settings, rules, bundleDigest, withNetwork } = args;
    const given = opts?.dependsOn ?? [];
    const accounts = clouds.map(
      ({ cluster, home, reach, dependsOn }) =>
        new ScrapeAccess(
          `${cluster.name}-scrape-access`,
          { cluster, home, reach, namespaces },
          { parent: this, dependsOn: [...given, ...dependsOn] },
        ),
    );
    const home = clouds.find((cloud) => cloud.home);
    const inHome = [...given, ...(home?.dependsOn ?? [])];
    const tokens = clouds.flatMap(({ cluster }, i) =>
      home === undefined || cluster === home.cluster
        ? []
        : [
            new ScrapeToken(
              `${cluster.name}-scrape-token`,
              { cluster, home: home.cluster, accountUid: accounts[i]!.accountUid },
              { parent: this, dependsOn: [accounts[i]!.ready, ...inHome], deletedWith: namespace },
            ),
          ],
    );
    this.prometheus = new Prometheus(
      `${name}-prometheus`,
      { clouds, namespace, namespaces, images, settings, rules, withNetwork },
      { parent: this, dependsOn: [...inHome, ...accounts.map(({ ready }) => ready), ...tokens] },
    );
    if (home !== undefined && tokens.length > 0) {
      new TokenRenewer(
        `${name}-token-renewer`,
        {
          home: home.cluster,
          others: clouds.filter((cloud) => !cloud.home).map(({ cluster }) => cluster),
          images,
          bundleDigest,
        },
        { parent: this, dependsOn: [...inHome, ...tokens] },
      );
    }
    this.registerOutputs({});
  }
}
