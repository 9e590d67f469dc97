// What the runner asks of a kind of resource. Property bags are plain here: no marks of secrets.
import type { Properties, ResourceState } from "./state";

/** What a step does to a resource. */
export type Operation = "create" | "update" | "replace" | "delete" | "same";

/** A resource as its handler knows it after a step. */
export interface Made {
  id: string;
  outputs: Properties;
  /** Inputs as the handler wants them kept, where they differ from the program's. */
  inputs?: Properties;
}

export interface Handler {
  /** Inputs as they are kept, or an error that names what is wrong with them. */
  check(old: ResourceState | undefined, inputs: Properties): Promise<Properties>;
  /** What an update would do, and for a change, to which properties. */
  plan(
    old: ResourceState | undefined,
    inputs: Properties,
  ): Promise<{ operation: Operation; changed?: string[] }>;
  create(inputs: Properties): Promise<Made>;
  update(old: ResourceState, inputs: Properties): Promise<Made>;
  /** The resource as it really is now; undefined if it is gone. */
  read(old: ResourceState): Promise<Made | undefined>;
  delete(old: ResourceState): Promise<void>;
}
