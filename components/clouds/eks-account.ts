// The account of AWS that a cluster is in, for its provider and its kubeconfig: by the cloud's own settings, else by the stack's.
import * as aws from "@pulumi/aws";
import { stackSettings } from "./stack-settings";

/** Credentials for the account of one cloud. What is left out is as the stack's settings `aws:*` and the environment have it. */
export interface AwsAccount {
  /** Profile of the AWS configuration files, in place of all other credentials and roles of the stack. */
  readonly profile?: string;
  /** ARN of the IAM role to assume, in place of the stack's `aws:assumeRoles`. */
  readonly roleArn?: string;
  /** IDs of accounts outside of which nothing is made, in place of the stack's. */
  readonly allowedAccountIds?: readonly string[];
}

type Setting = keyof ReturnType<typeof stackSettings<typeof aws.config>>;

/** Settings of the stack that say who calls AWS. */
const CREDENTIALS: readonly Setting[] = [
  "accessKey",
  "secretKey",
  "token",
  "profile",
  "assumeRoles",
  "assumeRoleWithWebIdentity",
];

/** Arguments for the provider, and who calls `aws eks get-token`: that must be whoever made the cluster. */
export function awsAccount({ profile, roleArn, allowedAccountIds }: AwsAccount = {}): {
  readonly provider: Partial<aws.ProviderArgs>;
  readonly caller: { readonly profile?: string; readonly roleArn?: string };
} {
  const replaced: readonly Setting[] = [
    ...(profile === undefined ? [] : CREDENTIALS),
    ...(roleArn === undefined ? [] : (["assumeRoles"] as const)),
    ...(allowedAccountIds === undefined ? [] : (["allowedAccountIds", "forbiddenAccountIds"] as const)),
  ];
  const ofStack = Object.entries(stackSettings("aws", aws.config)).filter(
    ([key]) => !replaced.includes(key as Setting),
  );
  return {
    provider: {
      ...(Object.fromEntries(ofStack) as Partial<aws.ProviderArgs>),
      ...(profile !== undefined && { profile }),
      ...(roleArn !== undefined && { assumeRoles: [{ roleArn }] }),
      ...(allowedAccountIds && { allowedAccountIds: [...allowedAccountIds] }),
    },
    caller: {
      profile: profile ?? aws.config.profile,
      roleArn: roleArn ?? (profile === undefined ? aws.config.assumeRoles?.at(-1)?.roleArn : undefined),
    },
  };
}
