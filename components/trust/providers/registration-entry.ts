// Provider of RegistrationEntry: which workloads get which SPIFFE id from a server, and whose bundles they receive.
import { CONTROLLER_MANAGER } from "../../well-known";
import { type Connect, connectByExec, deletePatience, readPatience, shareRead, unlessGone } from "../connect";
import { factsOf, fault, wordsOf } from "../fault";
import { ACCESS, changed, checker, isUnknown, serverMoved, type Provider } from "../../providers/properties";
import type { ServerLocation } from "../server-location";
import { type ApiEntry, type EntryInput, GRPC, type SpireServer } from "../spire-cli";

/** Inputs of RegistrationEntry as the engine hands them to the provider. */
export interface EntryInputs {
  target: ServerLocation;
  kubeconfig: string;
  spiffeId: string;
  parentId: string;
  selectors: string[];
  federatesWith: string[];
  x509SvidTtlSeconds: number;
  /** True, or not there. */
  downstream?: boolean;
  timeoutSeconds: number;
}

/** Inputs, and the id that the server gave the entry. */
export interface EntryState extends EntryInputs {
  entryId: string;
}

const CONTENT = ["spiffeId", "parentId", "selectors", "federatesWith", "x509SvidTtlSeconds", "downstream"];

/** Sorted and without duplicates, as sets are compared; a list with something unknown in it stays as it is. */
function asSet(values: unknown): unknown {
  if (!Array.isArray(values) || isUnknown(values)) return values;
  return [...new Set(values as string[])].sort();
}

/** An entry of the server in the terms of the inputs. */
export function contentOf(entry: ApiEntry): Omit<EntryInput, "id"> {
  const id = ({ trust_domain, path }: ApiEntry["spiffe_id"]) => `spiffe://${trust_domain}${path}`;
  return {
    spiffeId: id(entry.spiffe_id),
    parentId: id(entry.parent_id),
    selectors: asSet(entry.selectors.map(({ type, value }) => `${type}:${value}`)) as string[],
    federatesWith: asSet(
      (entry.federates_with ?? []).map((name) => name.replace("spiffe://", "")),
    ) as string[],
    x509SvidTtlSeconds: entry.x509_svid_ttl ?? 0,
    ...(entry.downstream && { downstream: true }),
  };
}

/**
 * The agents of a cloud that would be another server's know neither its address nor its CA, nor would its workloads and those of the other clouds know each other
 * in between.
 *
 * @throws an error where an identity that stands would come from the server of another cloud.
 */
function refuseAnotherServer(olds: ServerLocation, news: ServerLocation, spiffeId: string): void {
  if (isUnknown(news) || olds.cloud === news.cloud) return;
  throw new Error(
    `${spiffeId} is issued by the SPIRE server of ${olds.cloud}, and the configuration has that of ${news.cloud} issue it: all identities of its cloud would end before there are others. ` +
      `Write spire.topology and spire.serverCloud as they were; or have the cloud made anew: take it out of the configuration, run \`pulumi up\`, put it back and run it again, or \`pulumi destroy\` all of them before.`,
  );
}

/** SPIRE calls entries similar, and refuses the second, when these three agree. */
function similar(entry: ApiEntry, inputs: EntryInputs): boolean {
  const content = contentOf(entry);
  return (["spiffeId", "parentId", "selectors"] as const).every((name) => !changed(content, inputs, name));
}

/** Adds what to try when an entry names a trust domain whose bundle is not there. */
async function explained<T>(inputs: EntryInputs, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!/federated bundle/.test(wordsOf(error))) throw error;
    const peers = inputs.federatesWith.join(", ");
    throw fault(
      `${wordsOf(error)}. ${inputs.target.cloud} must hold the bundles of ${peers} first: run a refresh and then an up.`,
      factsOf(error),
    );
  }
}

/** Creates the entry, or adopts the one that is there already. Returns its id. */
export async function createOrAdopt(inputs: EntryInputs, server: SpireServer): Promise<string> {
  try {
    return await explained(inputs, server.entryCreate(inputs));
  } catch (error) {
    if (factsOf(error).code !== GRPC.alreadyExists) throw error;
    const found = (await server.entryList()).find((entry) => similar(entry, inputs));
    if (!found) throw error;
    if (found.id.startsWith(`${CONTROLLER_MANAGER.entryIdPrefix}.`))
      throw fault(
        `${inputs.target.cloud}: ${inputs.spiffeId} is registered for the same pods by entry ${found.id} of spire-controller-manager, which is not the program's to change. Take it out of the cluster's ClusterSPIFFEIDs, or out of the configuration.`,
        {},
      );
    if (CONTENT.some((name) => changed(contentOf(found), inputs, name)))
      await explained(inputs, server.entryUpdate({ ...inputs, id: found.id }));
    return found.id;
  }
}

/** Makes the provider; `connect` reaches the servers. */
export function makeRegistrationEntryProvider(connect: Connect): Provider<EntryInputs, EntryState> {
  const patient = (inputs: EntryInputs) =>
    connect(inputs.target, inputs.kubeconfig, { limitMs: inputs.timeoutSeconds * 1000 });

  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.server("target");
      must.kubeconfig("kubeconfig");
      must.spiffeId("spiffeId");
      must.spiffeId("parentId");
      const isSelector = (value: unknown) => /^[^:]+:.+$/.test(String(value));
      const haveSelectors = (list: unknown) =>
        Array.isArray(list) && list.length > 0 && list.every(isSelector);
      must.must(
        "selectors",
        haveSelectors,
        "must be a list of at least one type:value, for example k8s:ns:default",
      );
      must.must("federatesWith", Array.isArray, "must be a list of trust domain names");
      must.must(
        "x509SvidTtlSeconds",
        (ttl) => Number.isInteger(ttl) && (ttl as number) >= 0,
        "must be a whole number of seconds, 0 for the server's default",
      );
      must.timeout("timeoutSeconds");
      if (
        failures.length === 0 &&
        !isUnknown(news.spiffeId) &&
        !`${news.spiffeId}/`.startsWith(`spiffe://${news.target.trustDomain}/`)
      ) {
        failures.push({
          property: "spiffeId",
          reason: `must be in ${news.target.trustDomain}, the trust domain of ${news.target.cloud}'s server`,
        });
      }
      // Pulumi's plugin cannot pass on a property that is undefined.
      if (failures.length > 0) return { inputs: news, failures };
      return {
        inputs: {
          ...news,
          selectors: asSet(news.selectors) as string[],
          federatesWith: asSet(news.federatesWith) as string[],
        },
        failures,
      };
    },

    diff: async (_id, olds, news) => {
      refuseAnotherServer(olds.target, news.target, olds.spiffeId);
      const replaces = serverMoved(olds.target, news.target) ? ["target"] : [];
      const changes =
        replaces.length > 0 || [...ACCESS, ...CONTENT].some((name) => changed(olds, news, name));
      // The old one goes first: under a new name for the same server, its deletion would take away what the new one adopted.
      return { changes, replaces, deleteBeforeReplace: replaces.length > 0 };
    },

    create: async (inputs) => {
      const entryId = await createOrAdopt(inputs, patient(inputs));
      return { id: entryId, outs: { ...inputs, entryId } };
    },

    update: async (id, olds, news) => {
      if (CONTENT.some((name) => changed(olds, news, name))) {
        const server = patient(news);
        try {
          await explained(news, server.entryUpdate({ ...news, id }));
        } catch (error) {
          // The server lost its database since the last refresh: make the entry again, under the id by which the state knows it.
          if (factsOf(error).code !== GRPC.notFound) throw error;
          await explained(news, server.entryCreate({ ...news, id }));
        }
      }
      return { outs: { ...olds, ...news, entryId: id } };
    },

    read: async (id, state) => {
      if (!state)
        throw new Error(
          "a RegistrationEntry cannot be imported; let the program make it, it adopts what is there",
        );
      const { target, kubeconfig, timeoutSeconds } = state;
      try {
        const server = connect(target, kubeconfig, readPatience);
        const entries = await shareRead(target, kubeconfig, "entry show", () => server.entryList());
        const found = entries.find((entry) => entry.id === id);
        if (!found) return { id: "", props: state };
        const inputs = { target, kubeconfig, timeoutSeconds, ...contentOf(found) };
        return { id, props: { ...inputs, entryId: id }, inputs };
      } catch (error) {
        if (factsOf(error).serverGone) return { id: "", props: state };
        throw error;
      }
    },

    delete: (id, state) =>
      unlessGone(connect(state.target, state.kubeconfig, deletePatience).entryDelete(id)),
  };
}

/** The provider that speaks through the Kubernetes API. */
export const registrationEntryProvider = makeRegistrationEntryProvider(connectByExec);
