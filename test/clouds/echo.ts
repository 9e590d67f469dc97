// Stand-ins for clouds: provider plugins, which the engine asks by gRPC, that take all they are given and answer with that and with what a
// cloud would add. Dynamic resources as well: their own providers check and compare them, and what these would read from SPIRE servers or write into clusters is made up.
import type { DynamicKind } from "../../components/dynamic-resource";
import { providers } from "../../components/providers/providers";
import { isUnknown, type Provider } from "../../components/providers/properties";
import { UNKNOWN } from "../../components/providers/properties";
import { replacedBy } from "../../infra/plan/replaced";
import { added, answered } from "./answers";
import { construct } from "./component";
import { concealed, differences, type Made, merged, type Properties } from "./properties";
import {
  Empty,
  grpc,
  type Message,
  PluginInfo,
  provider,
  read,
  ResourceProviderService,
  write,
} from "./protocol";
import { goesWith, refusal } from "./refusals";

/** Providers whose resources are a cloud's. */
const CLOUDS = ["aws", "eks", "gcp", "azure-native", "tailscale", "kubernetes"];
/** That of dynamic resources. It takes no secrets, as Pulumi's own does not. */
const DYNAMIC = "pulumi-nodejs";

/** Newer than any that an SDK asks for. */
const VERSION = "1000.0.0";

/** How long a deletion takes, so that what the engine deletes at the same time is there at the same time. */
const DELETION_MS = 5;

/** Type and name of a resource. */
function partsOf(urn: string): Pick<Made, "type" | "name"> {
  const [, , types, name] = urn.split("::");
  return { type: types!.split("$").at(-1)!, name: name! };
}

/** The program's own provider of a dynamic resource, whose `check` and `diff` ask nobody; undefined for a resource of a cloud. */
function dynamicOf(type: string): Provider<object, object> | undefined {
  if (!type.startsWith(`${DYNAMIC}:`)) return undefined;
  return providers[type.split(":").at(-1) as DynamicKind] as unknown as Provider<object, object>;
}

/** Clouds that echo. */
export class EchoClouds {
  /** By URN, all that is there. */
  readonly made = new Map<string, Made>();
  /** Resources that were to be checked with inputs that are not known. */
  readonly unknown = new Set<string>();
  /** Has an engine ask these in place of plugins of its own. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(
    private readonly servers: readonly Message[],
    ports: readonly string[],
  ) {
    this.env = { PULUMI_DEBUG_PROVIDERS: ports.join(",") };
  }

  static async start(): Promise<EchoClouds> {
    const servers = [new grpc.Server(), new grpc.Server()];
    const [cloud, dynamic] = await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve, reject) =>
            server.bindAsync(
              "127.0.0.1:0",
              grpc.ServerCredentials.createInsecure(),
              (error: Error | null, port: number) => (error ? reject(error) : resolve(port)),
            ),
          ),
      ),
    );
    const clouds = new EchoClouds(servers, [
      ...CLOUDS.map((name) => `${name}:${cloud}`),
      `${DYNAMIC}:${dynamic}`,
    ]);
    servers.forEach((server, index) =>
      server.addService(ResourceProviderService, clouds.service({ secrets: index === 0 })),
    );
    return clouds;
  }

  stop(): void {
    for (const server of this.servers) server.forceShutdown();
  }

  /** What a plugin does, by the protocol's names. */
  private service({ secrets }: { secrets: boolean }): object {
    const calls: Record<string, (request: Message) => Message> = {
      attach: () => new Empty(),
      cancel: () => new Empty(),
      getPluginInfo: () => new PluginInfo().setVersion(VERSION),
      configure: () => new provider.ConfigureResponse().setAcceptsecrets(secrets).setSupportspreview(true),
      checkConfig: (request) => this.check(request),
      diffConfig: (request) => this.diff(request),
      check: (request) => this.check(request),
      diff: (request) => this.diff(request),
      create: (request) => this.create(request),
      update: (request) => this.update(request),
      delete: (request) => this.delete(request),
      construct,
      invoke: (request) =>
        new provider.InvokeResponse().setReturn(write(answered(request.getTok(), read(request.getArgs())))),
    };
    const asked =
      (call: (request: Message) => Message) =>
      ({ request }: Message, callback: (error: object | null, response?: Message) => void) =>
        void (async () => call(request))().then(
          (response) => callback(null, response),
          (error: Error) => callback({ code: grpc.status.UNKNOWN, details: error.message }),
        );
    return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, asked(call)]));
  }

  private async check(request: Message): Promise<Message> {
    const urn = request.getUrn();
    const news = read(request.getNews());
    if (isUnknown(news)) this.unknown.add(urn);
    const own = dynamicOf(partsOf(urn).type);
    const checked = await own?.check(read(request.getOlds()), news);
    const response = new provider.CheckResponse().setInputs(write(checked?.inputs ?? news));
    for (const { property, reason } of checked?.failures ?? [])
      response.addFailures(new provider.CheckFailure().setProperty(property).setReason(reason));
    return response;
  }

  private async diff(request: Message): Promise<Message> {
    const { type } = partsOf(request.getUrn());
    const news = read(request.getNews());
    const own = dynamicOf(type);
    const differing = differences(read(request.getOldInputs()), news);
    const paths = differing.map(([path]) => path);
    // Of what is not known yet, the Kubernetes provider looks for no part that would force a replacement.
    const known = differing.flatMap(([path, value]) => (value === UNKNOWN ? [] : [path]));
    const { changes, replaces, deleteBeforeReplace } = own
      ? await own.diff(request.getId(), read(request.getOlds()), news)
      : { changes: paths.length > 0, replaces: [...replacedBy(type, known)], deleteBeforeReplace: undefined };
    const { DIFF_SOME, DIFF_NONE } = provider.DiffResponse.DiffChanges;
    const response = new provider.DiffResponse()
      .setChanges(changes ? DIFF_SOME : DIFF_NONE)
      .setReplacesList(replaces)
      .setDeletebeforereplace(deleteBeforeReplace ?? false)
      .setHasdetaileddiff(own === undefined);
    const { UPDATE, UPDATE_REPLACE } = provider.PropertyDiff.Kind;
    for (const path of own ? [] : paths) {
      const kind = replaces.includes(path) ? UPDATE_REPLACE : UPDATE;
      response.getDetaileddiffMap().set(path, new provider.PropertyDiff().setKind(kind).setInputdiff(true));
    }
    return response;
  }

  private create(request: Message): Message {
    const urn = request.getUrn();
    const inputs = read(request.getProperties());
    const { type, name } = partsOf(urn);
    const more = added(type, name, inputs);
    if (request.getPreview())
      return new provider.CreateResponse().setProperties(write(merged(inputs, concealed(more))));
    const id = `${type.split(":").at(-1)}/${name}`;
    this.made.set(urn, { id, type, name, inputs });
    return new provider.CreateResponse().setId(id).setProperties(write(merged(inputs, more)));
  }

  private update(request: Message): Message {
    const urn = request.getUrn();
    const inputs: Properties = read(request.getNews());
    const { type, name } = partsOf(urn);
    if (!request.getPreview()) this.made.set(urn, { id: request.getId(), type, name, inputs });
    return new provider.UpdateResponse().setProperties(write(merged(inputs, added(type, name, inputs))));
  }

  private async delete(request: Message): Promise<Message> {
    const urn = request.getUrn();
    const leaving = this.made.get(urn)!;
    const why = refusal(leaving, [...this.made.values()]);
    if (why !== undefined) throw new Error(why);
    await new Promise((resolve) => setTimeout(resolve, DELETION_MS));
    this.made.delete(urn);
    for (const [other, made] of this.made) if (goesWith(made, leaving)) this.made.delete(other);
    return new Empty();
  }
}
