// Runs skills as tasks of A2A, each for a limited time, and logs how they begin and end.
import { type Message, Role, TaskState } from "@a2a-js/sdk";
import {
  AgentEvent,
  type AgentExecutor,
  type ExecutionEventBus,
  type RequestContext,
} from "@a2a-js/sdk/server";
import type { Logger } from "pino";
import type { Call } from "./call";
import { Mesh } from "./mesh";
import { dataPart, newMessage, textPart } from "./message";
import { orderOf } from "./requests";
import type { Settings } from "./settings";
import { SkillFailed } from "./failures";
import type { BoundedTaskStore } from "./task-store";
import { plainText } from "./text";

/** Why a task was aborted. */
class Cancelled extends Error {}

/** What tasks are run with. */
export interface ExecutorArgs {
  readonly settings: Settings;
  readonly tasks: BoundedTaskStore;
  readonly log: Logger;
  /** Longest that a task may take. */
  readonly limitSeconds: number;
}

/** Words of AgentWeave for the states of A2A that tasks of this agent have. */
export const STATE_WORDS: Partial<
  Record<TaskState, "pending" | "running" | "completed" | "failed" | "cancelled">
> = {
  [TaskState.TASK_STATE_SUBMITTED]: "pending",
  [TaskState.TASK_STATE_WORKING]: "running",
  [TaskState.TASK_STATE_COMPLETED]: "completed",
  [TaskState.TASK_STATE_FAILED]: "failed",
  [TaskState.TASK_STATE_CANCELED]: "cancelled",
};

/** Runs what messages ask for. */
export class Executor implements AgentExecutor {
  readonly #running = new Map<ExecutionEventBus, AbortController>();
  readonly #mesh: Mesh;
  readonly #started = performance.now();

  constructor(private readonly args: ExecutorArgs) {
    this.#mesh = new Mesh(args.settings.meshUrl);
  }

  /** Never fails: what goes wrong is how the task ends. */
  execute(request: RequestContext, bus: ExecutionEventBus): Promise<void> {
    const call = request.context as Call;
    return (call.work = this.#run(request, call, bus));
  }

  cancelTask(_taskId: string, bus: ExecutionEventBus): Promise<void> {
    this.#running.get(bus)?.abort(new Cancelled());
    return Promise.resolve();
  }

  async #run(
    { taskId, contextId, userMessage }: RequestContext,
    call: Call,
    bus: ExecutionEventBus,
  ): Promise<void> {
    const { log, limitSeconds } = this.args;
    const { skill, run } = orderOf(userMessage);
    const ids = { taskId, contextId };
    const line = { task: taskId, skill, caller: call.caller, trace_id: call.traceId };
    const status = (state: TaskState, message?: Message) => ({
      state,
      message,
      timestamp: new Date().toISOString(),
    });
    const started = performance.now();
    const controller = new AbortController();
    this.#running.set(bus, controller);
    const tooLong = new SkillFailed(`took longer than ${limitSeconds} s`);
    const timer = setTimeout(() => controller.abort(tooLong), limitSeconds * 1000);
    const end = (state: TaskState, words?: string) => {
      clearTimeout(timer);
      this.#running.delete(bus);
      const message = words === undefined ? undefined : newMessage(Role.ROLE_AGENT, [textPart(words)], ids);
      bus.publish(AgentEvent.statusUpdate({ ...ids, status: status(state, message), metadata: undefined }));
      const milliseconds = Math.round(performance.now() - started);
      log.info(
        { ...line, state: STATE_WORDS[state], milliseconds, reason: words && plainText(words) },
        "task ended",
      );
    };
    const aborted = new Promise<never>((_, reject) =>
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error)),
    );

    log.info(line, "task started");
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: status(TaskState.TASK_STATE_WORKING),
        artifacts: [],
        history: [userMessage],
        metadata: { created_at: new Date().toISOString() },
      }),
    );
    try {
      const context = { ...this.#about(call), signal: controller.signal };
      const result = await Promise.race([run(context), aborted]);
      const artifact = {
        artifactId: "result",
        name: "result",
        description: "",
        parts: [dataPart(result)],
        metadata: undefined,
        extensions: [],
      };
      bus.publish(
        AgentEvent.artifactUpdate({ ...ids, artifact, append: false, lastChunk: true, metadata: undefined }),
      );
      end(TaskState.TASK_STATE_COMPLETED);
    } catch (error) {
      if (error instanceof Cancelled)
        return end(TaskState.TASK_STATE_CANCELED, `cancelled by ${call.caller}`);
      if (!(error instanceof SkillFailed))
        log.error({ ...line, stack: plainText((error as Error).stack ?? "") }, "skill failed");
      end(TaskState.TASK_STATE_FAILED, error instanceof SkillFailed ? error.message : "internal error");
    }
  }

  /** What a skill may know. */
  #about(call: Call) {
    const { settings, tasks } = this.args;
    return {
      settings,
      call,
      mesh: this.#mesh,
      uptime: () => (performance.now() - this.#started) / 1000,
      tasks: () => {
        const counts: Record<string, number> = {};
        for (const state of tasks.states(call.caller)) {
          const word = STATE_WORDS[state] ?? "pending";
          counts[word] = (counts[word] ?? 0) + 1;
        }
        return counts;
      },
    };
  }
}
