// Calls to other agents: plain HTTP to the Envoy beside this one, which finds the agent by its name, proves who both are, and tries again where
// it may.
import * as http from "node:http";
import { readAnswer, type Response } from "../program/answer";
import { isWorkloadId } from "../spiffe/spiffe-id";
import type { Call } from "./call";
import { A2A_HEADERS, resultOf, sendMessage } from "./message";
import { SkillFailed } from "./failures";
import { plainText } from "./text";

/** Longest answer that is read, in bytes. */
const LONGEST_ANSWER = 2 << 20;

/** Since a time of `performance.now()`, to the tenth. */
export const millisecondsSince = (started: number): number =>
  Math.round((performance.now() - started) * 10) / 10;

/** What another agent answered. */
export interface Answer {
  /** SPIFFE id that it proved. */
  readonly agent: string;
  /** Where Envoy reached it. */
  readonly address: string;
  readonly attempts: number;
  readonly milliseconds: number;
  readonly result: unknown;
}

/** The other agents, by their names. */
export class Mesh {
  constructor(private readonly url: string) {}

  /**
   * Asks the agent of this name for a skill; without one, `params` is sent as a message.
   * @throws SkillFailed that says who failed and why, or the signal's reason.
   */
  async ask(
    name: string,
    skill: string | undefined,
    params: unknown,
    call: Call,
    signal: AbortSignal,
  ): Promise<Answer> {
    const host = name.replaceAll("_", "-");
    const started = performance.now();
    try {
      const response = await this.#post(
        `${host}.mesh`,
        JSON.stringify(sendMessage(skill, params)),
        call,
        signal,
      );
      const {
        "x-mesh-peer": agent,
        "x-mesh-address": address,
        "x-envoy-attempt-count": attempts,
      } = response.headers as Record<string, string>;
      if (response.status === 404 && agent === undefined) throw new SkillFailed("is no agent of this mesh");
      const result = resultOf(response.status, response.body);
      if (agent === undefined || !isWorkloadId(agent))
        throw new SkillFailed("Envoy does not say who answered");
      const milliseconds = millisecondsSince(started);
      return { agent, address: address ?? "", attempts: Number(attempts ?? 1) || 1, milliseconds, result };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SkillFailed) throw new SkillFailed(`${host}: ${error.message}`);
      throw new SkillFailed(`${host}: ${plainText((error as Error).message)}`, { cause: error });
    }
  }

  #post(host: string, body: string, { passedOn }: Call, signal: AbortSignal) {
    const headers = {
      ...passedOn,
      host,
      accept: "application/json",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...A2A_HEADERS,
    };
    return new Promise<Response & { readonly headers: http.IncomingHttpHeaders }>((resolve, reject) => {
      http
        .request(this.url, { method: "POST", path: "/", headers, signal, agent: false })
        .on("error", reject)
        .once("response", (response) => {
          const { headers } = response;
          readAnswer(response, LONGEST_ANSWER).then((answer) => resolve({ ...answer, headers }), reject);
        })
        .end(body);
    });
  }
}
