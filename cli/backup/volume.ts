// The volume of a cloud's SPIRE server: read and written by a pod of its own, since the server's image has neither a shell nor a program that copies a database.
import { readFileSync } from "node:fs";
import path from "node:path";
import type { V1Pod, V1PodTemplateSpec } from "@kubernetes/client-node";
import { resolveImages } from "../../components/images";
import { asked, coreApi, unlessMissing } from "../../components/kubernetes/api";
import { UNPRIVILEGED } from "../../components/kubernetes/container";
import { labels } from "../../components/kubernetes/metadata";
import { SERVER_PATHS } from "../../components/spire/paths";
import { DATA_VOLUME, SERVER_CONFIG_MAP } from "../../components/spire/server-pod";
import { PROJECT } from "../../components/project";
import { execInPod } from "../../components/trust/exec";
import { SPIRE_SERVER } from "../../components/well-known";
import { CliError } from "../errors";
import { untilWell } from "../limits";
import type { MeshCloud } from "../mesh-outputs";
import { SERVER_PLACE } from "../spire";

/** What the commands need of a server beside its own commands. */
export interface ServerVolume {
  /** Where the server keeps its records, in SPIRE's word for it, and how many pods it is to have. */
  look(): Promise<{ readonly database: string; readonly replicas: number }>;
  /** Ends the server, and returns when nothing of it is left that has the volume open. */
  stop(limitMs: number): Promise<void>;
  /** Has the server started; whether it gets healthy is another question. */
  start(): Promise<void>;
  /** Runs in-pod.mjs with the volume, and returns what it prints. */
  run(command: "read" | "write", input: string | undefined, limitMs: number): Promise<string>;
}

/**
 * Makes the way to a cloud's volume; tests put another in its place.
 *
 * @param image with Node.js 24. Default: the one that this version pins.
 */
export type VolumeOf = (cloud: MeshCloud, image?: string) => ServerVolume;

const NAME = "spire-server-volume";
const CONTAINER = "volume";
const SCRATCH = "/tmp/scratch";
const CLAIM = `${DATA_VOLUME}-${SPIRE_SERVER.pod}`;
const POLL_MS = 500;

/** By what name the number of pods is changed. What it sets it gives back, or the program's own next change of that number would be a conflict. */
const RESTORE_MANAGER = "agentweave-mesh-restore";

/**
 * The pod. It has no token, speaks to nobody and prints nothing; who may exec in it has what who may exec in the server has. What is under way is in memory.
 *
 * @param template of the server's pods, whose user, tolerations and logins of registries it has.
 * @param node where the server runs, which has its volume already. Undefined: it does not run.
 * @param limitMs after which it ends by itself, whoever started it.
 */
export function volumePod(
  { spec }: V1PodTemplateSpec,
  image: string,
  node: string | undefined,
  limitMs: number,
): V1Pod {
  const { serviceAccountName, securityContext, nodeSelector, tolerations, imagePullSecrets } = spec!;
  const onNode = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchFields: [{ key: "metadata.name", operator: "In", values: [node ?? ""] }] },
        ],
      },
    },
  };
  return {
    metadata: { name: NAME, namespace: SERVER_PLACE.namespace, labels: labels(NAME, "backup") },
    spec: {
      serviceAccountName,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: "Never",
      activeDeadlineSeconds: Math.ceil(limitMs / 1000),
      terminationGracePeriodSeconds: 0,
      securityContext,
      nodeSelector,
      tolerations,
      imagePullSecrets,
      ...(node !== undefined && { affinity: onNode }),
      containers: [
        {
          name: CONTAINER,
          image,
          command: ["node", "-e", `setTimeout(() => {}, ${limitMs})`],
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "1Gi" } },
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: DATA_VOLUME, mountPath: SERVER_PATHS.dataDir },
            { name: "scratch", mountPath: SCRATCH },
          ],
        },
      ],
      volumes: [
        { name: DATA_VOLUME, persistentVolumeClaim: { claimName: CLAIM } },
        { name: "scratch", emptyDir: { medium: "Memory", sizeLimit: "512Mi" } },
      ],
    },
  };
}

/** The real one, through the cloud's Kubernetes API. */
export const kubernetesVolume: VolumeOf = (cloud, image = resolveImages().agent) => {
  const { namespace, statefulSet: name } = SERVER_PLACE;
  const access = { cloud: cloud.name, kubeconfig: cloud.kubeconfig };
  const connect = async () => {
    const { k8s, api, clientOf } = await coreApi(access);
    return { k8s, core: api, apps: clientOf(k8s.AppsV1Api) };
  };
  // Once: it may run a program of the cloud's for its login.
  let connected: ReturnType<typeof connect> | undefined;
  const apis = () => (connected ??= connect());
  const ask = <T>(what: string, work: () => Promise<T>) => asked(cloud.name, what, work);

  const statefulSet = async () => {
    const { apps } = await apis();
    const found = await unlessMissing(
      ask(`read StatefulSet ${namespace}/${name}`, () => apps.readNamespacedStatefulSet({ namespace, name })),
    );
    if (found) return found;
    throw new CliError(
      `${cloud.name}: there is no StatefulSet ${namespace}/${name}. \`pulumi up\` makes it, with an empty volume.`,
    );
  };

  const podNamed = async (pod: string) => {
    const { core } = await apis();
    return unlessMissing(
      ask(`read pod ${namespace}/${pod}`, () => core.readNamespacedPod({ namespace, name: pod })),
    );
  };

  const until = (what: string, limitMs: number, look: () => Promise<string | undefined>) =>
    untilWell(
      limitMs,
      look,
      (missing) => new CliError(`${cloud.name}: ${what} took longer than ${limitMs / 1000} s: ${missing}`),
      POLL_MS,
    );

  /** Server-side apply by a manager of its own. Without `replicas` it gives them up, and there is one again, Kubernetes' default. */
  const setReplicas = async (replicas: number | undefined) => {
    const { k8s, apps } = await apis();
    const body = {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name, namespace },
      ...(replicas !== undefined && { spec: { replicas } }),
    };
    const apply = { namespace, name, body, fieldManager: RESTORE_MANAGER, force: true };
    await ask(`scale StatefulSet ${namespace}/${name}`, () =>
      apps.patchNamespacedStatefulSet(
        apply,
        k8s.setHeaderOptions("Content-Type", "application/apply-patch+yaml"),
      ),
    );
  };

  const leave = async (limitMs: number) => {
    const { core } = await apis();
    await unlessMissing(
      ask(`delete pod ${namespace}/${NAME}`, () => core.deleteNamespacedPod({ namespace, name: NAME })),
    );
    await until("deleting the pod that had the volume", limitMs, async () =>
      (await podNamed(NAME)) ? `pod ${NAME} is still there` : undefined,
    );
  };

  const claimed = async () => {
    const { core } = await apis();
    const claim = await unlessMissing(
      ask(`read claim ${namespace}/${CLAIM}`, () =>
        core.readNamespacedPersistentVolumeClaim({ namespace, name: CLAIM }),
      ),
    );
    return claim !== undefined && claim.metadata?.deletionTimestamp === undefined;
  };

  return {
    look: async () => {
      const { core } = await apis();
      const [{ spec }, config] = await Promise.all([
        statefulSet(),
        ask("read the server's configuration", () =>
          core.readNamespacedConfigMap({ namespace, name: SERVER_CONFIG_MAP.name }),
        ),
      ]);
      const written = /database_type\s*=?\s*"([^"]+)"/.exec(config.data?.[SERVER_CONFIG_MAP.conf] ?? "");
      return { database: written?.[1] ?? "unknown", replicas: spec?.replicas ?? 1 };
    },

    stop: async (limitMs) => {
      // Only the StatefulSet's controller makes the claim, and only for a pod that is to be.
      if (!(await claimed())) {
        await setReplicas(undefined);
        await until("making the volume's claim", limitMs, async () =>
          (await claimed()) ? undefined : `there is no claim ${namespace}/${CLAIM}`,
        );
      }
      await setReplicas(0);
      await until("stopping the server", limitMs, async () =>
        (await podNamed(SPIRE_SERVER.pod)) ? `pod ${SPIRE_SERVER.pod} is still there` : undefined,
      );
    },

    start: () => setReplicas(undefined),

    run: async (command, input, limitMs) => {
      const { core } = await apis();
      // One that a run before has left.
      await leave(limitMs);
      const [{ spec }, server] = await Promise.all([statefulSet(), podNamed(SPIRE_SERVER.pod)]);
      const body = volumePod(spec!.template, image, server?.spec?.nodeName, 2 * limitMs);
      await ask(`make pod ${namespace}/${NAME}`, () => core.createNamespacedPod({ namespace, body }));
      try {
        await until("starting a pod with the server's volume", limitMs, async () => {
          const { status } = (await podNamed(NAME)) ?? {};
          if (status?.phase === "Running") return undefined;
          const waiting = status?.containerStatuses?.[0]?.state?.waiting;
          const unscheduled = status?.conditions?.find(({ status: is }) => is === "False")?.message;
          return `pod ${NAME} is ${status?.phase ?? "missing"}: ${waiting?.message ?? waiting?.reason ?? unscheduled ?? "no reason given"}`;
        });
        const script = readFileSync(path.join(PROJECT, "cli/backup/in-pod.mjs"), "utf8");
        const { exitCode, stdout, stderr } = await execInPod(
          { cloud: cloud.name, namespace, pod: NAME, container: CONTAINER },
          cloud.kubeconfig,
          [
            ...["node", "--no-warnings", "--input-type=module", "-e", script],
            ...[command, SERVER_PATHS.dataDir, SCRATCH],
          ],
          input,
          limitMs,
        ).catch((error: unknown) => {
          // Its words name the command, of which the whole script is a part.
          throw new CliError((error as Error).message.replace(script, "in-pod.mjs"));
        });
        if (exitCode === 0) return stdout;
        const words = stderr.split("\n").find((line) => line.includes("Error")) ?? stderr;
        throw new CliError(
          `${cloud.name}: the volume cannot be ${command === "read" ? "read" : "written"}: ${words.trim()}`,
        );
      } finally {
        await leave(limitMs).catch(() => undefined);
      }
    },
  };
};
