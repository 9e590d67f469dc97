// The Pod Security Standards as a checklist, from https://kubernetes.io/docs/concepts/security/pod-security-standards/,
// for pods of this program (no init containers, no Windows).

/* eslint-disable @typescript-eslint/no-explicit-any -- Pods as they were registered have no type. */

const RESTRICTED_VOLUMES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/** What keeps a pod from being `restricted`, one sentence each; an empty list if nothing does. */
export function restrictedViolations(spec: any): string[] {
  const pod = spec.securityContext ?? {};
  const violations: string[] = [];
  const refuse = (condition: boolean, sentence: string) => condition && violations.push(sentence);

  for (const key of ["hostPID", "hostNetwork", "hostIPC"]) refuse(spec[key] === true, `uses ${key}`);
  for (const volume of spec.volumes ?? []) {
    const type = Object.keys(volume).find((key) => key !== "name") ?? "";
    refuse(!RESTRICTED_VOLUMES.includes(type), `volume ${volume.name} is of type ${type}`);
  }
  for (const container of spec.containers) {
    const own = { ...pod, ...container.securityContext };
    const of = (sentence: string) => `container ${container.name} ${sentence}`;
    refuse(own.privileged === true, of("is privileged"));
    refuse(own.allowPrivilegeEscalation !== false, of("may escalate its privileges"));
    refuse(own.runAsNonRoot !== true, of("may run as root"));
    refuse(own.runAsUser === 0, of("runs as user 0"));
    refuse(!own.capabilities?.drop?.includes("ALL"), of("keeps capabilities"));
    const added = (own.capabilities?.add ?? []).filter(
      (capability: string) => capability !== "NET_BIND_SERVICE",
    );
    refuse(added.length > 0, of(`adds capabilities ${added.join(", ")}`));
    refuse(!["RuntimeDefault", "Localhost"].includes(own.seccompProfile?.type), of("has no seccomp profile"));
    refuse(
      (container.ports ?? []).some((port: any) => port.hostPort !== undefined),
      of("binds a port of the host"),
    );
  }
  return violations;
}
