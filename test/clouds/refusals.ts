// What clouds refuse to delete while something else is there, and what leaves something behind. A resource of one cloud has the cloud's name as the first part of its own.
import { CSI_DRIVER } from "../../components/well-known";
import { has, type Made } from "./properties";

type Is = (resource: Made) => boolean;

const ofType =
  (...types: RegExp[]): Is =>
  ({ type }) =>
    types.some((pattern) => pattern.test(type));
const named =
  (is: Is, name: RegExp): Is =>
  (made) =>
    is(made) && name.test(made.name);

const controlPlane = ofType(/:(eks|container)\/cluster:Cluster$/, /:ManagedCluster$/);
const nodes = ofType(/:(NodeGroup|NodePool|AgentPool)$/);
const pods = ofType(/^kubernetes:apps\/v1:/);
const withIdentity: Is = ({ inputs }) =>
  inputs.spec?.template?.spec?.volumes?.some(
    ({ csi }: { csi?: { driver: string } }) => csi?.driver === CSI_DRIVER,
  ) === true;
const csiDriver = named(pods, /-spire-csi-driver$/);
const spireServer = named(pods, /-spire-server$/);
const database = ofType(/:rds\/instance:Instance$/, /:sql\/\w+:\w+$/, /:dbforpostgresql:\w+$/);
const trust = ofType(/^pulumi-nodejs:.*\/trust:/);
const inCluster = ofType(/^kubernetes:/, /^pulumi-nodejs:dynamic\/agentweave\//);

/** While there is one of the first in a cloud, none of the second can leave it. */
const ORDER: readonly (readonly [Is, Is, string])[] = [
  [withIdentity, csiDriver, "its pods would hang: nothing unmounts their volume"],
  [csiDriver, spireServer, "pods ask for identities still"],
  [trust, spireServer, "what it holds could not be deleted"],
  [spireServer, database, "its records are there"],
  [inCluster, controlPlane, "its API could not be asked to delete it"],
  [pods, nodes, "nobody would stop them"],
  [ofType(/:VolumeCleanup$/), nodes, "its disk would be left behind: the driver that deletes it is a pod"],
  // EKS: "ResourceInUseException: Cluster has nodegroups attached" (hashicorp/terraform-provider-aws#10934).
  [nodes, controlPlane, "the cluster has nodes attached"],
  [
    nodes,
    named(ofType(/:RolePolicyAttachment$/), /-nodes-/),
    "EKS could not take away the nodes' interfaces",
  ],
  [
    nodes,
    ofType(/:IAMMember$/, /:RouterNat$/, /ec2\/route:Route$/),
    "pods need grants and the way out to end",
  ],
  // EC2: "Network has some mapped public address(es)" (hashicorp/terraform#1303).
  [ofType(/:Eip$/, /:NatGateway$/), ofType(/:InternetGateway$/), "the network has mapped public addresses"],
  [
    controlPlane,
    named(ofType(/:RoleAssignment$/), /-grant$/),
    "it takes its load balancers off the network by it",
  ],
  [ofType(/^azure-native:(?!resources:)/), ofType(/:ResourceGroup$/), "the group has resources"],
];

/** A token for one cloud is in a Secret of another one, `home`. */
const cloudOf = ({ name, inputs }: Made): string => inputs["home"] ?? name.split("-")[0];

/** Why a cloud deletes this not now; undefined if it does. `there`: all that is there. */
export function refusal(leaving: Made, there: readonly Made[]): string | undefined {
  const refuse = (blocking: Made, why: string) =>
    `cannot delete ${leaving.type} ${leaving.name} while there is ${blocking.type} ${blocking.name}: ${why}`;
  if (leaving.inputs["deletionProtection"] === true)
    return `cannot delete ${leaving.name}: its deletionProtection is true`;
  for (const [first, then, why] of ORDER) {
    if (!then(leaving)) continue;
    const blocking = there.find((other) => first(other) && cloudOf(other) === cloudOf(leaving));
    if (blocking !== undefined) return refuse(blocking, why);
  }
  // Kubernetes lets go of what others name.
  if (inCluster(leaving)) return undefined;
  const user = there.find((other) => has(other.inputs, leaving.id));
  return user && refuse(user, "which uses it");
}

/** A resource as the engine's state has it. */
export interface Recorded {
  readonly urn: string;
  readonly parent?: string;
  readonly provider?: string;
  readonly dependencies?: readonly string[];
  readonly deletedWith?: string;
}

/** What may leave too early, whatever order an engine happens to choose: it only promises that what depends on something leaves before it. */
export function unordered(there: ReadonlyMap<string, Made>, state: readonly Recorded[]): string[] {
  const recorded = new Map(state.map((each) => [each.urn, each]));
  const known = new Map<string, Set<string>>();
  const needsOf = (urn: string): Set<string> => {
    const before = known.get(urn);
    if (before !== undefined) return before;
    const needs = new Set<string>();
    known.set(urn, needs);
    const { parent, provider, dependencies = [], deletedWith } = recorded.get(urn)!;
    // A provider is named by its URN and its id.
    for (const direct of [parent, provider?.replace(/::[^:]*$/, ""), ...dependencies, deletedWith])
      if (direct) for (const each of [direct, ...needsOf(direct)]) needs.add(each);
    return needs;
  };
  const all = [...there];
  return ORDER.flatMap(([first, then, why]) =>
    all.flatMap(([urn, leaving]) =>
      !then(leaving)
        ? []
        : all.flatMap(([other, made]) =>
            first(made) && cloudOf(made) === cloudOf(leaving) && !needsOf(other).has(urn)
              ? [`${leaving.name} may leave before ${made.name}: ${why}`]
              : [],
          ),
    ),
  );
}

/** Whether a resource leaves without a word when another one does: objects of a namespace, which need not be deleted by themselves. */
export function goesWith(made: Made, leaving: Made): boolean {
  if (leaving.type !== "kubernetes:core/v1:Namespace" || cloudOf(made) !== cloudOf(leaving)) return false;
  const { metadata, object, secret } = made.inputs;
  return (metadata ?? object ?? secret)?.namespace === leaving.inputs["metadata"].name;
}
