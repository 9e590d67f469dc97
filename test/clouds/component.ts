// The one component that a provider makes and not the program: eks.Cluster, here with nothing but the cluster within.
import { UNKNOWN } from "../../components/providers/properties";
import { added } from "./answers";
import { concealed } from "./properties";
import { grpc, type Message, provider, read, resource, ResourceMonitorClient, write } from "./protocol";

/** Registers the component and its cluster with the engine, as the provider `eks` does, and answers with the component's outputs. */
export async function construct(request: Message): Promise<Message> {
  const monitor = new ResourceMonitorClient(request.getMonitorendpoint(), grpc.credentials.createInsecure());
  const ask = (method: string, message: Message): Promise<Message> =>
    new Promise((resolve, reject) =>
      monitor[method](message, (error: Error | null, response: Message) =>
        error ? reject(error) : resolve(response),
      ),
    );
  try {
    const [type, name, inputs] = [request.getType(), request.getName(), read(request.getInputs())];
    const component = new resource.RegisterResourceRequest();
    component.setType(type);
    component.setName(name);
    component.setParent(request.getParent());
    const urn = (await ask("registerResource", component)).getUrn();

    const cluster = new resource.RegisterResourceRequest();
    cluster.setType("aws:eks/cluster:Cluster");
    cluster.setName(`${name}-eksCluster`);
    cluster.setParent(urn);
    cluster.setCustom(true);
    cluster.setProvider(request.getProvidersMap().get("aws"));
    cluster.setObject(write(inputs));
    cluster.setAcceptsecrets(true);
    cluster.setSupportspartialvalues(true);
    const needed = new Set<string>(request.getDependenciesList());
    request
      .getInputdependenciesMap()
      .forEach((list: Message) => list.getUrnsList().forEach((each: string) => needed.add(each)));
    cluster.setDependenciesList([...needed]);
    const made = await ask("registerResource", cluster);

    const isKnown = !["", UNKNOWN].includes(made.getId());
    const outputs = added(type, name, inputs);
    const state = write(isKnown ? outputs : concealed(outputs));
    const registered = new resource.RegisterResourceOutputsRequest();
    registered.setUrn(urn);
    registered.setOutputs(state);
    await ask("registerResourceOutputs", registered);

    const response = new provider.ConstructResponse();
    response.setUrn(urn);
    response.setState(state);
    for (const key of Object.keys(outputs)) {
      const dependencies = new provider.ConstructResponse.PropertyDependencies();
      dependencies.setUrnsList([made.getUrn()]);
      response.getStatedependenciesMap().set(key, dependencies);
    }
    return response;
  } finally {
    monitor.close();
  }
}
