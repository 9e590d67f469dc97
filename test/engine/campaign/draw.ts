// What each run of the campaign does: drawn from its seed and its number alone, so that any run can be done again by itself.
import { createHash } from "node:crypto";
import { CLOUDS, type Configuration, CONFIGURATIONS } from "./configurations";

const OPERATIONS = ["up", "refresh", "destroy"] as const;
/** What is killed: the engine alone, or with its program and its plugins; what stands in the cloud. */
export const VICTIMS = ["engine", "program", "spire-server", "kube-apiserver", "etcd", "kubelet"] as const;
/** What was done by hand to the servers before a refresh. */
const DRIFTS = ["nothing", "relationship removed", "bundle replaced", "entry removed"] as const;
const STEPS = ["before command", "after command", "event"] as const;

/** An operation, and where in it what is killed. */
export interface Run {
  readonly seed: string;
  readonly number: number;
  readonly operation: (typeof OPERATIONS)[number];
  readonly victim: (typeof VICTIMS)[number];
  /** Whose SPIRE server is killed, or has drifted. */
  readonly cloud: (typeof CLOUDS)[number];
  readonly drift: (typeof DRIFTS)[number];
  /** By what is counted: commands to SPIRE servers, or events of the engine (a resource's operation begins, or has ended). */
  readonly step: (typeof STEPS)[number];
  /** Where in the operation, from 0 to below 1: of a thousand commands, 0.5 is the 501st. */
  readonly share: number;
  /** How the mesh is before, and after the next `up`. */
  readonly from: Configuration;
  readonly to: Configuration;
}

/** Run `number` of those with a seed. Of six after each other, each victim is killed once, in each operation twice. */
export function runOf(seed: string, number: number): Run {
  const draw = (what: string) =>
    createHash("sha256").update(`${seed}/${what}`).digest().readUInt32BE() / 2 ** 32;
  const random = (what: string) => draw(`${number}/${what}`);
  const one = <T>(what: string, of: readonly T[]): T => of[Math.floor(random(what) * of.length)]!;
  const [six, place] = [Math.floor((number - 1) / VICTIMS.length), (number - 1) % VICTIMS.length];
  /** As `one`, but what was drawn is not put back within six runs. */
  const dealt = <T>(what: string, of: readonly T[]): T =>
    of
      .map((each, at) => ({ each, rank: draw(`${six}/${what}/${at}`) }))
      .sort((one, other) => one.rank - other.rank)[place]!.each;
  const operation = dealt("operation", [...OPERATIONS, ...OPERATIONS]);
  const [from, to] = number % 2 ? CONFIGURATIONS : [...CONFIGURATIONS].reverse();
  return {
    ...{ seed, number, operation, from: from!, to: to! },
    victim: dealt("victim", VICTIMS),
    cloud: one("cloud", CLOUDS.slice(0, 2)),
    drift: operation === "refresh" ? one("drift", DRIFTS) : "nothing",
    step: one("step", STEPS),
    share: random("share"),
  };
}

/** A run in words. */
export const wordsOfRun = ({ number, victim, cloud, operation, drift, step, share, from, to }: Run) =>
  `run ${number}: ${victim}${victim === "spire-server" ? ` of ${cloud}` : ""} is killed ${step === "event" ? "at an event" : `${step.split(" ")[0]} a command`} ` +
  `(${share.toFixed(2)}) of ${operation}, from ${from} to ${to}${drift === "nothing" ? "" : `, ${drift}`}`;
