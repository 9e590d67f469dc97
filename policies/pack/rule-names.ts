// The rules of the policy pack by name, with what each asks for.

/** What each rule asks for, in the words in which Pulumi lists it. */
export const RULES = {
  "public-ports": "What is published to the internet is in the table of flows.",
  "open-firewall": "No firewall lets the whole internet in, but to ports of the table of flows.",
  "open-api-servers": "In production, no Kubernetes API server answers the whole internet.",
  "privileged-pods": "No pod has a right over its node, but the few that are known to need one.",
  "image-digests": "Every image is named by its digest.",
  "encryption-at-rest":
    "Kubernetes' secrets and disks are encrypted wherever a cloud leaves that to its customer.",
  databases: "No database is reached from the internet or in the clear, and each has backups.",
  "kubeconfig-tokens": "No kubeconfig holds a token or password.",
  tags: "Everything that takes tags has those of the configuration.",
  "kubernetes-versions": "Every cluster has a Kubernetes version that its cloud supports.",
  "protected-ca":
    "In production, Pulumi refuses to delete or replace a SPIRE server, whose volume has the CA's keys.",
} as const satisfies Readonly<Record<string, string>>;

/** Name of a rule. */
export type RuleName = keyof typeof RULES;

/** All names, in the order above. */
export const RULE_NAMES = Object.keys(RULES) as [RuleName, ...RuleName[]];
