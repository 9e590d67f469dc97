// The embedded runner's state: one JSON file, readable by its owner alone, rewritten whole after every step that changes it.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

/** Property bag as it travels between the SDK and the engine: plain JSON, with secrets and unknowns as marked values. */
export type Properties = Record<string, unknown>;

/** What is known of a resource after its last step. */
export interface ResourceState {
  urn: string;
  type: string;
  name: string;
  custom: boolean;
  id: string;
  inputs: Properties;
  outputs: Properties;
  /** URNs of what this resource needs: its parent, its provider, and every resource its inputs come from. */
  dependencies: string[];
  /** `urn::id` of the provider it was made with; empty for a provider or component. */
  provider: string;
}

/** Resources by URN, in the order in which they were made. */
export class State {
  private readonly resources = new Map<string, ResourceState>();

  constructor(private readonly file: string) {
    if (existsSync(file)) {
      const saved = JSON.parse(readFileSync(file, "utf8")) as { resources: ResourceState[] };
      for (const resource of saved.resources) this.resources.set(resource.urn, resource);
    }
  }

  get(urn: string): ResourceState | undefined {
    return this.resources.get(urn);
  }

  all(): ResourceState[] {
    return [...this.resources.values()];
  }

  set(resource: ResourceState): void {
    // Most steps change nothing, and the file has megabytes: the programs of the mesh are in it.
    if (isDeepStrictEqual(this.resources.get(resource.urn), resource)) return;
    this.resources.set(resource.urn, resource);
    this.save();
  }

  delete(urn: string): void {
    this.resources.delete(urn);
    this.save();
  }

  /** Written beside the file and renamed over it, so that a kill at any moment leaves the old or the new state. */
  private save(): void {
    const next = `${this.file}.next`;
    writeFileSync(next, JSON.stringify({ resources: this.all() }, null, 1), { mode: 0o600 });
    renameSync(next, this.file);
  }
}
