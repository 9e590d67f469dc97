// One endpoint as calls see it: its connections, its circuit breaker, and how far away it is.
import { type Span, SpanKind } from "@opentelemetry/api";
import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
} from "cockatiel";
import type { AgentConfig } from "../config";
import { PeerRefused } from "../identity/chain";
import type { IdentitySource } from "../identity/source";
import type { Telemetry } from "../telemetry";
import type { CallOutcome, PeerLabels } from "../telemetry/metrics";
import { callSpan } from "../telemetry/spans";
import { inSpan } from "../telemetry/tracing";
import type { Answer, TaskRequest } from "./answer";
import { Connections } from "./connections";
import { cancelTask, type Exchange, sendTask } from "./exchange";
import type { Endpoint } from "./target";
import { Abandoned, TimedOut, withTimeout } from "./timeout";

/** The breaker let nothing through: the endpoint failed too often, or one call is just trying it again. */
export class CircuitOpen extends Error {}

/** What the attempts of a call say then. */
export const CIRCUIT_OPEN = "circuit open";

const STATES = {
  [CircuitState.Closed]: "closed",
  [CircuitState.HalfOpen]: "half-open",
  [CircuitState.Open]: "open",
  [CircuitState.Isolated]: "open",
} as const;

// Weight of the newest measurement: some ten calls forget a slow one.
const NEWEST = 0.2;

function outcomeOf(answer: Answer): CallOutcome {
  if (answer.kind !== "task") return answer.kind;
  return answer.task.state === "completed" ? "ok" : "task_failed";
}

function outcomeOfFailure(error: unknown): CallOutcome {
  if (error instanceof Abandoned) return "abandoned";
  if (error instanceof TimedOut) return "timeout";
  return error instanceof PeerRefused ? "refused" : "error";
}

/** Connections, breaker and latency of one endpoint. */
export class Peer {
  readonly connections: Connections;
  readonly #breaker: CircuitBreakerPolicy;
  #latency: number | undefined;

  /** @param labels what metrics call the peer. */
  constructor(
    readonly endpoint: Endpoint,
    readonly labels: PeerLabels,
    identity: IdentitySource,
    private readonly transport: AgentConfig["transport"],
    private readonly telemetry: Telemetry,
  ) {
    const { connection_pool, circuit_breaker, proxy } = transport;
    const { tracer } = telemetry;
    this.connections = new Connections({ endpoint, identity, tracer, pool: connection_pool, proxy });
    this.#breaker = circuitBreaker(
      // A caller that goes away says nothing about the peer; but a trial it leaves has not shown that the peer is back.
      handleWhen((error) => !(error instanceof Abandoned) || this.breaker === "half-open"),
      {
        breaker: new ConsecutiveBreaker(circuit_breaker.failure_threshold),
        halfOpenAfter: circuit_breaker.recovery_timeout_seconds * 1000,
      },
    );
  }

  /** Calls `listener` whenever the state of the circuit breaker has changed. */
  onBreaker(listener: () => void): void {
    this.#breaker.onStateChange(listener);
  }

  /** State of the circuit breaker. */
  get breaker(): (typeof STATES)[CircuitState] {
    return STATES[this.#breaker.state];
  }

  /** Milliseconds there and back without the peer's work, averaged; undefined until measured. */
  get latency(): number | undefined {
    return this.#latency;
  }

  /**
   * One try. Resolves with whatever the peer made of the task.
   * @param fresh whether it has to open a connection of its own.
   * @throws CircuitOpen when nothing was sent, Abandoned when `signal` was aborted, else the endpoint's fault.
   */
  async attempt(task: TaskRequest, signal?: AbortSignal, fresh = false): Promise<Exchange> {
    try {
      // The breaker itself would make this call wait for the trial's end.
      if (this.breaker === "half-open") throw new BrokenCircuitError();
      return await this.#breaker.execute(() => this.#traced(task, signal, fresh));
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      this.telemetry.metrics.call(this.labels, "circuit_open");
      throw new CircuitOpen(CIRCUIT_OPEN);
    }
  }

  /**
   * One try that the circuit breaker has no part in, by a connection of its own: one that is kept says nothing of whether another could be had. Throws
   * as `attempt`, CircuitOpen excepted.
   */
  probe(task: TaskRequest, signal?: AbortSignal): Promise<Exchange> {
    return this.#traced(task, signal, true);
  }

  #traced(task: TaskRequest, signal: AbortSignal | undefined, fresh: boolean): Promise<Exchange> {
    const { spiffeId, address } = this.endpoint;
    const attributes = {
      "rpc.system": "jsonrpc",
      "rpc.method": "task.send",
      "agentweave.action": task.task_type,
      "agentweave.peer": spiffeId,
      "agentweave.address": address,
    };
    return inSpan(
      this.telemetry.tracer,
      callSpan(this.labels.peer),
      { kind: SpanKind.CLIENT, attributes },
      (span) => this.#measured(task, signal, fresh, span),
    );
  }

  async #measured(
    task: TaskRequest,
    signal: AbortSignal | undefined,
    fresh: boolean,
    span: Span,
  ): Promise<Exchange> {
    const ended = (outcome: CallOutcome, seconds?: number) => {
      this.telemetry.metrics.call(this.labels, outcome, seconds);
      span.setAttribute("agentweave.outcome", outcome);
    };
    const connections = fresh ? this.connections.fresh() : this.connections;
    const started = performance.now();
    try {
      const result = await withTimeout(this.transport.timeout_seconds, signal, (limited) =>
        sendTask(connections, this.endpoint, task, limited),
      );
      const milliseconds = performance.now() - started;
      // The way to a peer is measured without the making of a connection, which most calls do without.
      if (!fresh) this.#learn(result.answer, milliseconds);
      ended(outcomeOf(result.answer), milliseconds / 1000);
      return result;
    } catch (error) {
      ended(outcomeOfFailure(error));
      // The peer may be at it already, and cannot see that its caller's own task was cancelled.
      if (error instanceof Abandoned) void cancelTask(this.connections, this.endpoint, task);
      throw error;
    }
  }

  /** How long the peer worked is told by its own clock; what a task takes says nothing about the way to it. */
  #learn(answer: Answer, milliseconds: number): void {
    if (answer.kind !== "task") return;
    const work = Date.parse(answer.task.updated_at) - Date.parse(answer.task.created_at);
    const way = Math.max(0, milliseconds - (work > 0 ? work : 0));
    this.#latency = this.#latency === undefined ? way : NEWEST * way + (1 - NEWEST) * this.#latency;
  }
}
