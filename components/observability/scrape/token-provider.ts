// Provider of ScrapeToken: brings a token of one cloud's cluster into a Secret of another's. It does not pass through the engine, so that it is never in
// the state.
import type { Access, ObjectName } from "../../kubernetes/api";
import { deletePatience, readPatience } from "../../trust/connect";
import { checker, diffBy, type Provider } from "../../providers/properties";
import { type Patience, retry } from "../../trust/retry";
import { deleteSecret, isTokenGood, mintToken, readSecret, writeSecret } from "./token-api";

/** Inputs of ScrapeToken as the engine hands them to the provider. All that it has to tell is in them. */
export interface ScrapeTokenInputs {
  /** The cloud whose API server the token is for. */
  cloud: string;
  kubeconfig: string;
  account: ObjectName;
  /** A new account has a new one, and knows nothing of the old one's tokens. */
  accountUid: string;
  /** The cloud that keeps the Secret. */
  home: string;
  homeKubeconfig: string;
  secret: ObjectName;
  lifetimeSeconds: number;
  timeoutSeconds: number;
}

/** What makes another Secret of it. */
const PLACE = ["cloud", "home", "secret"];
/** What asks for a new token in the same Secret; the way to this code too, since a step without changes would keep the old one in the state. */
const CONTENT = [
  "kubeconfig",
  "account",
  "accountUid",
  "homeKubeconfig",
  "lifetimeSeconds",
  "timeoutSeconds",
  "__provider",
];

/** Kubernetes makes no token for less. */
const SHORTEST_SECONDS = 600;

const remote = ({ cloud, kubeconfig }: ScrapeTokenInputs): Access => ({ cloud, kubeconfig });
const home = (inputs: ScrapeTokenInputs): Access => ({
  cloud: inputs.home,
  kubeconfig: inputs.homeKubeconfig,
});

/** Makes a token and writes it into the Secret. */
async function bring(inputs: ScrapeTokenInputs, patience: Patience): Promise<void> {
  const { account, secret, lifetimeSeconds } = inputs;
  await retry(`a token for Prometheus`, patience, async () => {
    await writeSecret(home(inputs), secret, await mintToken(remote(inputs), account, lifetimeSeconds));
  });
}

/** Whether the Secret is there, with a token that the API server takes. */
async function isInPlace(inputs: ScrapeTokenInputs): Promise<boolean> {
  const token = await readSecret(home(inputs), inputs.secret);
  return token !== undefined && isTokenGood(remote(inputs), inputs.account, token);
}

const patient = ({ timeoutSeconds }: ScrapeTokenInputs): Patience => ({ limitMs: timeoutSeconds * 1000 });

/** The provider of ScrapeToken. */
export const scrapeTokenProvider: Provider<ScrapeTokenInputs, ScrapeTokenInputs> = {
  check: async (_olds, news) => {
    const { failures, must, kubeconfig, object, timeout } = checker(news);
    const isText = (value: unknown) => typeof value === "string" && value !== "";
    for (const property of ["cloud", "home"]) must(property, isText, "must be the name of a cloud");
    for (const property of ["account", "secret"]) object(property);
    for (const property of ["kubeconfig", "homeKubeconfig"]) kubeconfig(property);
    must(
      "lifetimeSeconds",
      (value) => Number.isInteger(value) && (value as number) >= SHORTEST_SECONDS,
      `must be a whole number of seconds, ${SHORTEST_SECONDS} or more`,
    );
    timeout("timeoutSeconds");
    return { inputs: news, failures };
  },

  diff: diffBy(PLACE, CONTENT),

  create: async (inputs) => {
    await bring(inputs, patient(inputs));
    return { id: `${inputs.home}/${inputs.secret.namespace}/${inputs.secret.name}`, outs: inputs };
  },

  update: async (_id, _olds, news) => {
    await bring(news, patient(news));
    return { outs: news };
  },

  // Gone if the Secret is, or if the API server says that it knows the token no more; an API server that cannot be reached is an error.
  read: async (id, state) => {
    if (!state) throw new Error("a ScrapeToken cannot be imported; let the program make it");
    const there = await retry("the Kubernetes API", readPatience, () => isInPlace(state));
    return there ? { id, props: state, inputs: state } : { id: "", props: state };
  },

  // The token itself dies with its account, which leaves after this.
  delete: async (_id, state) => {
    await retry("the Kubernetes API", deletePatience, () => deleteSecret(home(state), state.secret));
  },
};
