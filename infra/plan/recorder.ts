// Runs a piece of a Pulumi program against the mock monitor and tells what it registered.
import * as pulumi from "@pulumi/pulumi";
// eslint-disable-next-line @typescript-eslint/no-require-imports -- What the SDK itself calls is to be replaced, and no copy of it.
import debuggable = require("@pulumi/pulumi/runtime/debuggable");

// The SDK keeps the stack of each of its promises, to tell of those that never end. Of a plan nobody reads them, and they take a third of its time.
Object.assign(debuggable, { debuggablePromise: <T>(promise: Promise<T>) => promise });

/** One resource as the program registered it. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Inputs have as many shapes as there are resources.
  readonly inputs: any;
  readonly parent: string;
  /** URN and ID of the provider, joined by `::`; empty for the default provider. */
  readonly provider: string;
  readonly dependencies: readonly string[];
  /** Paths of properties that are given once, when the resource is made. */
  readonly ignoreChanges: readonly string[];
  /** Paths of properties whose change makes another one of it. */
  readonly replaceOnChanges: readonly string[];
  /** Whether the engine refuses to delete or replace it. */
  readonly protect: boolean;
  /** Whether it only leaves the state when it is deleted. */
  readonly retainOnDelete: boolean;
  /** Outputs that the engine encrypts, whether or not their provider calls them secret. */
  readonly secretOutputs: readonly string[];
}

export interface Fakes {
  /** Outputs that the cloud would add to a resource's inputs, by type token, or what makes them of the inputs. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Inputs have as many shapes as there are resources.
  readonly outputs?: Readonly<Record<string, object | ((inputs: any) => object)>>;
  /** Results of provider functions, by token, or what makes them of the arguments. Any other call fails. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Arguments have as many shapes as there are functions.
  readonly calls?: Readonly<Record<string, object | ((inputs: any) => object)>>;
  /** A preview of a first run: no output is known. */
  readonly preview?: boolean;
}

export class Recording {
  constructor(readonly resources: readonly Registered[]) {}

  /** The only resource of this type, or the one among them with this name. */
  one(type: string, name?: string): Registered {
    const found = this.all(type).filter((r) => name === undefined || r.name === name);
    if (found.length !== 1) throw new Error(`${found.length} resources of ${type} ${name ?? ""}, not 1`);
    return found[0]!;
  }

  all(type: string): Registered[] {
    return this.resources.filter((r) => r.type === type);
  }

  /** Whether `first` is destroyed before `then`: it depends on it, directly or through others. */
  leavesBefore(first: Registered, then: Registered, seen = new Set<string>()): boolean {
    if (seen.has(first.urn)) return false;
    seen.add(first.urn);
    const provider = first.provider.slice(0, first.provider.lastIndexOf("::"));
    const needed = [...first.dependencies, ...(provider ? [provider] : [])];
    return needed.some((urn) => {
      if (urn === then.urn) return true;
      const next = this.resources.find((r) => r.urn === urn);
      return next !== undefined && this.leavesBefore(next, then, seen);
    });
  }
}

/** What a cloud tells of inputs. */
const told = (fake: object | ((inputs: unknown) => object) | undefined, inputs: unknown) =>
  typeof fake === "function" ? fake(inputs) : fake;

/** Runs `program` to its end and returns its result with everything it registered. */
export async function record<T>(program: () => T, fakes: Fakes = {}): Promise<[T, Recording]> {
  const resources: Registered[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => ({
        id: `${name}-id`,
        state: fakes.preview ? {} : { ...inputs, ...told(fakes.outputs?.[type], inputs) },
      }),
      call: ({ token, inputs }) => {
        const result = told(fakes.calls?.[token], inputs);
        if (!result) throw new Error(`Mock not implemented: ${token}`);
        return result;
      },
    },
    "agentweave-mesh",
    "test",
    fakes.preview ?? false,
  );
  // Mocks are not told the parent and the dependencies, which the request has.
  const monitor = pulumi.runtime.getMonitor() as unknown as {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- The protocol's classes are not exported.
    registerResource(req: any, callback: (error: unknown, response: any) => void): Promise<void>;
  };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (req, callback) =>
    register(req, (error, response) => {
      if (!error) {
        resources.push({
          type: req.getType(),
          name: req.getName(),
          urn: response.getUrn(),
          inputs: pulumi.runtime.deserializeProperties(req.getObject()),
          parent: req.getParent(),
          provider: req.getProvider(),
          dependencies: req.getDependenciesList(),
          ignoreChanges: req.getIgnorechangesList(),
          replaceOnChanges: req.getReplaceonchangesList(),
          protect: req.getProtect(),
          retainOnDelete: req.getRetainondelete(),
          secretOutputs: req.getAdditionalsecretoutputsList(),
        });
      }
      callback(error, response);
    });
  const result = program();
  // Waits until every resource is registered.
  await pulumi.runtime.disconnect();
  return [result, new Recording(resources)];
}

/** Like `record`, with settings of the stack in providers' own namespaces, for example `aws:profile`. */
export async function recordWith<T>(
  settings: Readonly<Record<string, string>>,
  program: () => T,
  fakes: Fakes = {},
): Promise<[T, Recording]> {
  pulumi.runtime.setAllConfig({ ...settings });
  try {
    return await record(program, fakes);
  } finally {
    pulumi.runtime.setAllConfig({});
  }
}

/** The value of an output. */
export function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}

/** The text within a secret as the monitor receives it; fails on what is no secret. */
export function unwrapSecret(value: unknown): string {
  if (!pulumi.runtime.isRpcSecret(value)) throw new Error("not a secret");
  return pulumi.runtime.unwrapRpcSecret(value) as string;
}
