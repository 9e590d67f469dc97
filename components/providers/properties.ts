// What providers share in dealing with the properties that Pulumi hands them.
import type { ServerLocation } from "../trust/server-location";

/** What stands in a preview for a value that is not known yet (@pulumi/pulumi, runtime/rpc.ts, `unknownValue`). */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A problem with one input, as Pulumi's `check` reports it. */
export interface CheckFailure {
  property: string;
  reason: string;
}

/** What the engine wants to know of a change. */
export interface Diff {
  changes: boolean;
  replaces: string[];
  deleteBeforeReplace?: boolean;
}

/** What the engine is told of a resource's state on the server; an empty id means that it is gone. */
export interface Reading<Inputs, State> {
  id: string;
  props: State;
  /** Inputs as the server has them, so that the next diff sees what drifted. */
  inputs?: Inputs;
}

/** A dynamic provider that has all of its methods, typed (Pulumi's own interface gives `read` no type for inputs of its own). */
export interface Provider<Inputs, State extends Inputs> {
  check(olds: Inputs, news: Inputs): Promise<{ inputs: Inputs; failures: CheckFailure[] }>;
  diff(id: string, olds: State, news: Inputs): Promise<Diff>;
  create(inputs: Inputs): Promise<{ id: string; outs: State }>;
  read(id: string, state?: State): Promise<Reading<Inputs, State>>;
  update(id: string, olds: State, news: Inputs): Promise<{ outs: State }>;
  delete(id: string, state: State): Promise<void>;
}

/** Whether a value is unknown, or has something unknown in it. Not a text in which the marker stands. */
export function isUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(isUnknown);
}

/** JSON with sorted keys: the engine does not keep the order of keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Whether a property changes; an unknown value may. */
export function changed(olds: object, news: object, property: string): boolean {
  const [before, after] = [olds, news].map((properties) => (properties as Record<string, unknown>)[property]);
  return isUnknown(after) || canonical(before) !== canonical(after);
}

/** `diff` of what is made anew when one of `place` changes, and updated when one of `content` does. */
export function diffBy(place: readonly string[], content: readonly string[]) {
  return async (_id: string, olds: object, news: object): Promise<Diff> => {
    const replaces = place.filter((property) => changed(olds, news, property));
    return {
      changes: replaces.length > 0 || content.some((property) => changed(olds, news, property)),
      replaces,
    };
  };
}

/** The inputs that decide which server a resource lives in: another cloud or trust domain is another server. */
export function serverMoved(olds: ServerLocation, news: ServerLocation): boolean {
  return olds.cloud !== news.cloud || olds.trustDomain !== news.trustDomain;
}

/** Inputs that say how a server is reached, not what it holds, and where the provider is found (a step without changes would keep the old text in the state). */
export const ACCESS = [
  "target",
  "source",
  "kubeconfig",
  "targetKubeconfig",
  "sourceKubeconfig",
  "timeoutSeconds",
  "__provider",
];

/**
 * `diff` of the bundle of a foreign trust domain that a server holds, with `content` among its inputs: given anew where that changed or the server has none, made anew
 * elsewhere or for another trust domain. The old one goes first then: under a new name for the same server, its deletion would take away what the new one gave.
 */
export function diffHeld(content: readonly string[]) {
  return async (
    _id: string,
    olds: { readonly target: ServerLocation; readonly storedDigest: string },
    news: { readonly target: ServerLocation },
  ): Promise<Diff> => {
    const replaces = [
      ...(serverMoved(olds.target, news.target) ? ["target"] : []),
      ...(changed(olds, news, "trustDomain") ? ["trustDomain"] : []),
    ];
    const changes =
      olds.storedDigest === "" ||
      replaces.length > 0 ||
      [...ACCESS, ...content].some((name) => changed(olds, news, name));
    return { changes, replaces, deleteBeforeReplace: replaces.length > 0 };
  };
}

/** Lower-case letters, digits, dots, dashes and underscores, at most 255 (SPIFFE ID specification, sections 2.1 and 2.3). */
const trustDomainPattern = /^[a-z0-9._-]{1,255}$/;
/** Path segments of letters, digits, dots, dashes and underscores, none empty, `.` or `..` (SPIFFE ID specification, section 2.2). */
const spiffeIdPattern = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[a-zA-Z0-9._-]+)*$/;

/** Collects problems of inputs, all of them at once. Unknown values pass: they are checked when they are known. */
export function checker(news: object) {
  const inputs = news as Record<string, unknown>;
  const failures: CheckFailure[] = [];
  const must = (property: string, holds: (value: unknown) => boolean, reason: string): void => {
    const value = inputs[property];
    if (!isUnknown(value) && !holds(value)) failures.push({ property, reason });
  };
  return {
    failures,
    must,
    server: (property: string): void => {
      const isServer = (value: unknown) => {
        const server = (value ?? {}) as Record<string, unknown>;
        const names = ["cloud", "namespace", "pod", "container"].every(
          (name) => typeof server[name] === "string" && server[name] !== "",
        );
        return names && trustDomainPattern.test(String(server["trustDomain"]));
      };
      must(
        property,
        isServer,
        "needs cloud, namespace, pod, container, and a trustDomain in lower case such as aws.example.org, without spiffe://",
      );
    },
    object: (property: string): void => {
      const isObject = (value: unknown) => {
        const { namespace, name } = (value ?? {}) as Record<string, unknown>;
        return [namespace, name].every((text) => typeof text === "string" && text !== "");
      };
      must(property, isObject, "needs namespace and name");
    },
    kubeconfig: (property: string): void =>
      must(
        property,
        (value) => typeof value === "string" && value.trim() !== "",
        "must be the text of a kubeconfig, or tell where it is",
      ),
    spiffeId: (property: string): void =>
      must(
        property,
        (value) => spiffeIdPattern.test(String(value)),
        "must be a SPIFFE id such as spiffe://aws.example.org/agent/planner",
      ),
    timeout: (property: string): void =>
      must(
        property,
        (value) => typeof value === "number" && value > 0,
        "must be a number of seconds above 0",
      ),
  };
}
