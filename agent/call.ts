// Who calls, as the Envoy beside the agent has verified it, and what of a call goes on with the calls made for it.
import type { IncomingHttpHeaders } from "node:http";
import { ServerCallContext } from "@a2a-js/sdk/server";
import { isWorkloadId } from "../spiffe/spiffe-id";

// One element of exactly this form is what Envoy makes of one certificate with one URI. Anything else is nobody: names inside a certificate are
// whatever its authority likes, and must not be searched for a URI.
const VERIFIED = /^By=([^;,"]+);Hash=[0-9a-f]{64};URI=([^;,"]+)$/;
const TRACE = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A request of one caller. The SDK keeps the tasks of different callers apart by it. */
export class Call extends ServerCallContext {
  /** Task that was begun by this request and may outlast it. */
  work: Promise<void> = Promise.resolve();
  /** Id of the trace, if there is one. */
  readonly traceId: string | undefined;
  /** Headers of every call that is made for this one. */
  readonly passedOn: Readonly<Record<string, string>>;

  private constructor(
    /** SPIFFE id of this agent. */
    readonly own: string,
    /** SPIFFE id of who calls. */
    readonly caller: string,
    headers: IncomingHttpHeaders,
  ) {
    const version = headers["a2a-version"];
    super({
      user: { isAuthenticated: true, userName: caller },
      ...(typeof version === "string" && { requestedVersion: version }),
    });
    const { traceparent, tracestate, "x-mesh-hops": hops = "0" } = headers as Record<string, string>;
    this.traceId = TRACE.exec(traceparent ?? "")?.[1];
    this.passedOn = {
      ...(this.traceId !== undefined && traceparent !== undefined && { traceparent }),
      ...(this.traceId !== undefined && tracestate !== undefined && { tracestate }),
      // The policy ends chains that are too long. What is no number must not begin a new one.
      "x-mesh-hops": /^\d{1,3}$/.test(hops) ? String(Number(hops) + 1) : "999",
    };
  }

  /** The call that these headers tell of; undefined when they prove nobody. */
  static of(headers: IncomingHttpHeaders): Call | undefined {
    const { "x-forwarded-client-cert": certificate } = headers;
    const [, own, caller] = VERIFIED.exec(typeof certificate === "string" ? certificate : "") ?? [];
    if (own === undefined || caller === undefined) return undefined;
    return isWorkloadId(own) && isWorkloadId(caller) ? new Call(own, caller, headers) : undefined;
  }
}
