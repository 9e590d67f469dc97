// The tailnet: its policy, its DNS settings, the common name of all agents, and the keys of its devices.
import * as pulumi from "@pulumi/pulumi";
import { AGENT_PORTS, TAILNET } from "../../well-known";
import type { TailscaleSettings } from "../mode";
import type { ObservabilityPart } from "../part";
import { type DeviceKind, deviceKey } from "./keys";
import { mergePolicy } from "./merge";
import { renderPolicy, tailnetPolicy } from "./policy";
import { type TailnetCloud } from "./policy-syntax";
import { tailscaleSdk } from "./sdk";
import { telemetryDevices } from "./telemetry-devices";

/** What `Tailnet` needs. */
export interface TailnetArgs {
  readonly clouds: readonly TailnetCloud[];
  readonly settings: TailscaleSettings;
  /** By cloud, its part in observability. Default: there is none. */
  readonly parts?: ReadonlyMap<string, ObservabilityPart>;
}

/** A tailnet with room for the mesh's devices. One that is not managed is left alone, and only its keys are handed on. */
export class Tailnet extends pulumi.ComponentResource {
  /** What must be there before a device joins. */
  readonly settled: readonly pulumi.Resource[];
  readonly #keys: ReadonlyMap<string, pulumi.Output<string>>;

  constructor(name: string, args: TailnetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:network:Tailnet", name, {}, opts);
    const { clouds, settings, parts } = args;
    this.settled = settings.manageTailnet ? this.#manage(name, args) : [];
    const self = { parent: this, dependsOn: [...this.settled] };
    this.#keys = new Map(
      clouds.flatMap(({ name: cloud }) =>
        kindsOf(parts?.get(cloud)).map((kind) => [
          `${cloud}/${kind}`,
          settings.manageTailnet
            ? deviceKey(cloud, kind, settings.keys, self)
            : pulumi.secret(givenKey(settings, kind)),
        ]),
      ),
    );
    this.registerOutputs({});
  }

  /** What a cloud's devices log in with: the value of `TS_AUTHKEY`, a secret. */
  authKey(cloud: string, kind: DeviceKind): pulumi.Output<string> {
    const key = this.#keys.get(`${cloud}/${kind}`);
    if (key === undefined) throw new Error(`the tailnet has no key for ${kind} of ${cloud}`);
    return key;
  }

  #manage(name: string, args: TailnetArgs): pulumi.Resource[] {
    const { settings } = args;
    const { DnsPreferences, Service } = tailscaleSdk();
    const self = { parent: this };
    const policy = this.#policy(name, args);
    const dns = new DnsPreferences(
      `${name}-dns`,
      { magicDns: true },
      // Deleting the setting would turn MagicDNS off for everybody in the tailnet.
      { ...self, retainOnDelete: true },
    );
    if (!settings.global) return [...policy, dns];
    const service = new Service(
      `${name}-global`,
      {
        name: TAILNET.globalService,
        comment: "Agents of whichever cloud is up",
        ports: [`tcp:${AGENT_PORTS.mtls}`],
        tags: [TAILNET.agentTag],
      },
      { ...self, dependsOn: policy },
    );
    return [...policy, dns, service];
  }

  #policy(name: string, { clouds, settings, parts }: TailnetArgs): pulumi.Resource[] {
    const { Acl, getAclOutput } = tailscaleSdk();
    const { policy, callers, global } = settings;
    if (policy === "leave") return [];
    const mesh = tailnetPolicy({ clouds, callers, global, parts });
    const text =
      policy === "merge"
        ? getAclOutput({ parent: this }).hujson.apply((existing) => mergePolicy(existing, mesh))
        : renderPolicy(mesh);
    return [
      new Acl(
        `${name}-policy`,
        {
          acl: text,
          // Otherwise the provider writes only over the policy that every tailnet starts with, and fails on any other.
          overwriteExistingContent: policy === "merge",
          // Gives the tailnet back as it was found, so that the mesh can be made again. A merged policy is not the program's to reset.
          resetAclOnDestroy: policy === "own",
        },
        { parent: this },
      ),
    ];
  }
}

/** Kinds of device that a cloud with this part has. */
function kindsOf(part: ObservabilityPart | undefined): readonly DeviceKind[] {
  const observes = part !== undefined && telemetryDevices(part).length > 0;
  return ["agents", "routers", ...(observes ? (["observability"] as const) : [])];
}

/** The key that the configuration gives to devices of one kind. */
function givenKey(settings: TailscaleSettings, kind: DeviceKind): string {
  const { authKey, routerAuthKey, observabilityAuthKey } = settings;
  const own = { agents: authKey, routers: routerAuthKey, observability: observabilityAuthKey };
  const key = own[kind] ?? authKey;
  if (key === undefined) throw new Error("network.tailscale.authKey was not checked");
  return key;
}
