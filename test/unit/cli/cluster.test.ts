import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { podSummary } from "../../../cli/cluster";

const container = (name: string, ready: boolean, state: V1ContainerStatus["state"]): V1ContainerStatus => ({
  ...{ name, ready, state },
  ...{ image: "i", imageID: "i", restartCount: 0 },
});
const pod = (more: Partial<V1Pod["metadata"]> = {}): V1Pod => ({
  metadata: { name: "agentweave-agent-0", ...more },
  status: {
    conditions: [
      { type: "Initialized", status: "True" },
      { type: "Ready", status: "True" },
    ],
    initContainerStatuses: [container("tailscale", false, { waiting: { reason: "CrashLoopBackOff" } })],
    containerStatuses: [container("agent", true, { running: {} })],
  },
});

describe("A pod", () => {
  it("has its sidecars among its containers, with Kubernetes' word for why one does not run", () => {
    expect(podSummary(pod())).toEqual({
      name: "agentweave-agent-0",
      ready: true,
      containers: [
        { name: "tailscale", ready: false, reason: "CrashLoopBackOff" },
        { name: "agent", ready: true },
      ],
    });
  });

  it("that is being deleted, or has no status yet, is not ready", () => {
    expect(podSummary(pod({ deletionTimestamp: new Date() as never })).ready).toBe(false);
    expect(podSummary({ metadata: { name: "p" } })).toEqual({ name: "p", ready: false, containers: [] });
  });
});
