// The peers that calls know: those of the registry for good, others by address as long as they are used.
import type { AgentConfig } from "../config";
import type { IdentitySource } from "../identity/source";
import type { Telemetry } from "../telemetry";
import { OTHER, type PeerLabels } from "../telemetry/metrics";
import { Peer } from "./peer";
import { allEndpoints, labelsOf } from "./registry";
import type { Endpoint } from "./target";

// A caller can name any address; what is remembered of them must have an end.
const OTHERS = 100;

const STRANGER: PeerLabels = { peer: OTHER, peer_cloud: OTHER };

const keyOf = ({ spiffeId, address }: Endpoint) => `${spiffeId} ${address}`;

/** All peers of one agent. */
export class Peers {
  readonly #registered = new Map<string, Peer>();
  /** What metrics call the agents of the registry, by their ids. */
  readonly #labels = new Map<string, PeerLabels>();
  readonly #others = new Map<string, Peer>();
  readonly #stopListening: () => void;

  constructor(
    private readonly identity: IdentitySource,
    private readonly config: AgentConfig,
    private readonly telemetry: Telemetry,
  ) {
    for (const endpoint of allEndpoints(config)) {
      this.#labels.set(endpoint.spiffeId, labelsOf(endpoint));
      const peer = this.#create(endpoint);
      this.#registered.set(keyOf(endpoint), peer);
      peer.onBreaker(() => this.#report(peer.labels));
      this.#report(peer.labels);
    }
    this.#stopListening = identity.onUpdate(() => this.#renew());
  }

  #create(endpoint: Endpoint): Peer {
    const labels = this.#labels.get(endpoint.spiffeId) ?? STRANGER;
    return new Peer(endpoint, labels, this.identity, this.config.transport, this.telemetry);
  }

  /** Tells the circuit of an agent: the best of its endpoints, since one of them is enough to reach it. */
  #report(labels: PeerLabels): void {
    const states = [...this.#registered.values()].flatMap((peer) =>
      peer.labels.peer === labels.peer ? [peer.breaker] : [],
    );
    const best = (["closed", "half-open", "open"] as const).find((state) => states.includes(state));
    if (best) this.telemetry.metrics.circuit(labels, best);
  }

  /** The peer at an endpoint, made when it is new. */
  at(endpoint: Endpoint): Peer {
    const key = keyOf(endpoint);
    const registered = this.#registered.get(key);
    if (registered) return registered;
    const peer = this.#others.get(key) ?? this.#create(endpoint);
    // Set again as the newest: the oldest goes first.
    this.#others.delete(key);
    this.#others.set(key, peer);
    const [oldest] = this.#others;
    if (oldest && this.#others.size > OTHERS) {
      this.#others.delete(oldest[0]);
      oldest[1].connections.renew();
    }
    return peer;
  }

  /** What is known of an endpoint, without making it known. */
  find(endpoint: Endpoint): Peer | undefined {
    return this.#registered.get(keyOf(endpoint)) ?? this.#others.get(keyOf(endpoint));
  }

  /** Those of the registry first. */
  all(): Peer[] {
    return [...this.#registered.values(), ...this.#others.values()];
  }

  #renew(): void {
    for (const { connections } of this.all()) connections.renew();
  }

  close(): void {
    this.#stopListening();
    this.#renew();
  }
}
