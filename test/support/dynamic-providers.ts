// Pulumi's plugin for dynamic resources, as the engine runs it: a process of its own, in plain Node, asked by gRPC.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { type DynamicKind, providerText } from "../../components/dynamic-resource";

/** The checkout. */
export const ROOT = path.resolve(__dirname, "../..");

// The protocol as the SDK has it, with the libraries that it has for that.
const own = createRequire(require.resolve("@pulumi/pulumi/package.json"));
const grpc = own("@grpc/grpc-js");
const { Struct } = own("google-protobuf/google/protobuf/struct_pb");
const { ResourceProviderClient } = own("./proto/provider_grpc_pb");
const messages = own("./proto/provider_pb");

type Properties = Record<string, unknown>;
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- The protocol's classes have no types here.
type Message = any;

export class DynamicProviders {
  private constructor(
    private readonly plugin: ChildProcess,
    private readonly client: Message,
  ) {}

  /** @param cwd that of the Pulumi project. Default: where `pulumi` runs this program. */
  static async start(cwd = path.join(ROOT, "infra")): Promise<DynamicProviders> {
    const script = require.resolve("@pulumi/pulumi/cmd/dynamic-provider");
    const plugin = spawn(process.execPath, [script, "127.0.0.1:1"], {
      cwd,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const [port] = (await once(createInterface(plugin.stdout!), "line")) as [string];
    const client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const providers = new DynamicProviders(plugin, client);
    const request = new messages.ConfigureRequest();
    request.setArgs(Struct.fromJavaScript({}));
    await providers.ask("configure", request);
    return providers;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.plugin.kill();
    await once(this.plugin, "exit");
  }

  /** Leaves it as an engine that was killed does: nobody holds the other ends of its pipes. Resolves when it has ended. */
  async abandon(): Promise<void> {
    const ended = once(this.plugin, "exit");
    this.plugin.stdin!.destroy();
    this.plugin.stdout!.destroy();
    await ended;
    this.client.close();
  }

  /** Properties that the provider finds fault with. */
  async check(kind: DynamicKind, news: Properties): Promise<string[]> {
    const request = new messages.CheckRequest();
    request.setOlds(Struct.fromJavaScript({}));
    request.setNews(properties(kind, news));
    const response = await this.ask("check", request);
    return response.getFailuresList().map((failure: Message) => failure.getProperty() as string);
  }

  async create(kind: DynamicKind, inputs: Properties): Promise<{ id: string; state: Properties }> {
    const request = new messages.CreateRequest();
    request.setProperties(properties(kind, inputs));
    const response = await this.ask("create", request);
    return { id: response.getId(), state: response.getProperties().toJavaScript() };
  }

  private ask(method: string, request: Message): Promise<Message> {
    return new Promise((resolve, reject) => {
      this.client[method](request, (error: { details?: string } | null, response: Message) =>
        error ? reject(new Error(error.details)) : resolve(response),
      );
    });
  }
}

const properties = (kind: DynamicKind, values: Properties): Message =>
  Struct.fromJavaScript({ ...values, __provider: providerText(kind) });
