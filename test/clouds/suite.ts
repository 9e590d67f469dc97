// A stack on clouds that echo, from its first preview to its end, by the real engine.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump, load } from "js-yaml";
import { PROJECT } from "../../components/project";
import program from "../../infra/index";
import { comparedPlan } from "../../infra/plan/compared";
import { differenceOf } from "../../infra/plan/difference";
import { Engine, type Foreseen, type Program } from "../../rehearsal/machine/engine";
import { programPath } from "../support/programs";
import { EchoClouds } from "./echo";
import type { Properties } from "./properties";
import { type Recorded, unordered } from "./refusals";

export const MINUTES = 60_000;

/** A stack that a test stands up. */
export class EchoStack {
  private constructor(
    readonly clouds: EchoClouds,
    private readonly stack: string,
    private readonly dir: string,
    private readonly pulumi: string,
    private readonly settings: Properties,
  ) {}

  /** @param adapt makes of the settings in the stack's file, by their names, those to begin with. */
  static async of(stack: string, adapt: (settings: Properties) => void): Promise<EchoStack> {
    const dir = path.join(PROJECT, ".rehearsal-test/clouds", stack);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const inProject = (name: string) => load(readFileSync(path.join(PROJECT, name), "utf8")) as Properties;
    // A project of the test's own: Pulumi adds the salt of its secrets to the stack's file there.
    const { main: _elsewhere, ...project } = inProject("Pulumi.yaml");
    writeFileSync(path.join(dir, "Pulumi.yaml"), dump(project));
    const { config } = inProject(`Pulumi.${stack}.yaml`);
    const named = Object.entries(config as Properties).map(([key, value]) => [
      key.replace("agentweave-mesh:", ""),
      value,
    ]);
    const settings = Object.fromEntries(named) as Properties;
    adapt(settings);
    return new EchoStack(await EchoClouds.start(), stack, dir, await programPath("pulumi"), settings);
  }

  /**
   * @param change of the settings that the stack began with.
   * @param run Default: the program of this checkout, which tests have loaded already, by a loader of their own.
   */
  async engine(
    change: (settings: Properties) => void = () => undefined,
    run: Program = program,
  ): Promise<Engine> {
    const settings = structuredClone(this.settings);
    change(settings);
    const config = path.join(this.dir, "settings.yaml");
    writeFileSync(config, dump({ config: configOf(settings) }));
    return Engine.of({
      project: this.dir,
      stack: this.stack,
      config,
      dir: path.join(this.dir, "engine"),
      programs: { pulumi: this.pulumi },
      program: () => run,
      env: {
        ...this.clouds.env,
        // Else the whole state is written after each of some hundred steps, which takes three times as long as all else.
        PULUMI_EXPERIMENTAL: "true",
        PULUMI_SKIP_CHECKPOINTS: "true",
      },
      onOutput: () => undefined,
    });
  }

  /** What the engine may delete too early (`unordered`). */
  unordered(): string[] {
    const file = path.join(this.dir, `engine/state/.pulumi/stacks/agentweave-mesh/${this.stack}.json`);
    const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as {
      checkpoint: { latest: { resources: Recorded[] } };
    };
    return unordered(this.clouds.made, checkpoint.latest.resources);
  }

  /** The same as a plan foretells it, without an engine, and the names that it knows: of no component, and of no provider of Pulumi's. */
  async foretold(
    change: (settings: Properties) => void,
  ): Promise<{ readonly steps: readonly string[]; readonly names: ReadonlySet<string> }> {
    const plan = async (edit: (settings: Properties) => void) => {
      const settings = structuredClone(this.settings);
      edit(settings);
      const file = dump({ config: configOf(settings) });
      return (await comparedPlan({ stack: this.stack, file, key: "of this test" })).resources;
    };
    // One after the other: mocks are of the whole process.
    const before = await plan(() => undefined);
    const after = await plan(change);
    const { made, changed, replaced, deleted } = differenceOf(before, after);
    const steps = Object.entries({
      create: made,
      update: changed,
      replace: replaced,
      delete: deleted,
    }).flatMap(([operation, those]) => those.map(({ name }) => `${operation} ${name}`));
    const names = new Set([...before, ...after].map(({ name }) => name));
    return { steps: [...new Set(steps)].sort(), names };
  }

  /** What would become of such a change: operation and name, once each, providers that Pulumi makes by itself left out. */
  async foreseen(change: (settings: Properties) => void): Promise<string[]> {
    return stepsOf(await (await this.engine(change)).preview());
  }
}

/** The settings as a stack's file has them. */
const configOf = (settings: Properties) =>
  Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key.includes(":") ? key : `agentweave-mesh:${key}`,
      value as unknown,
    ]),
  );

/** A replacement is one step, and not the three that the engine makes of it. */
export function stepsOf({ changed }: Foreseen): string[] {
  const steps = changed.filter((step) => !/^(create-replacement|delete-replaced) | default(_|$)/.test(step));
  return [...new Set(steps)].sort();
}
