// A bucket of S3 for the bundle of an EKS cluster's SPIRE server, and the role by which the server writes it.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { bundleObject, type BundleStore, POD_IDENTITY, WRITER } from "./bundle-store";
import { webIdentityRole } from "./eks-storage";

/** Arguments of {@link EksBundleStore}. */
export interface EksBundleStoreArgs {
  readonly region: string;
  readonly trustDomain: string;
  /** Partition of AWS that the cluster is in, for example `aws-us-gov`. */
  readonly partition: pulumi.Output<string>;
  /** ARN of the IAM OIDC provider of the cluster. */
  readonly oidcProviderArn: pulumi.Output<string>;
  /** Issuer of the cluster's service account tokens, without `https://`. */
  readonly oidcIssuer: pulumi.Output<string>;
  readonly provider: aws.Provider;
}

/** The bucket. S3 encrypts what is in it, and it is closed but for the one object. */
export class EksBundleStore extends pulumi.ComponentResource implements BundleStore {
  readonly publisher: BundleStore["publisher"];
  readonly annotations: BundleStore["annotations"];
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: EksBundleStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:EksBundleStore", name, {}, opts);
    const self = { parent: this, provider: args.provider };
    const objectKey = bundleObject(args.trustDomain);

    const bucket = new aws.s3.Bucket(`${name}-bucket`, { forceDestroy: true }, self);
    const object = pulumi.interpolate`arn:${args.partition}:s3:::${bucket.bucket}/${objectKey}`;
    // A new bucket refuses every public policy (Amazon S3 user guide, "Blocking public access to your Amazon S3 storage").
    const access = new aws.s3.BucketPublicAccessBlock(
      `${name}-access`,
      {
        bucket: bucket.bucket,
        blockPublicAcls: true,
        ignorePublicAcls: true,
        blockPublicPolicy: false,
        restrictPublicBuckets: false,
      },
      self,
    );
    const readers = new aws.s3.BucketPolicy(
      `${name}-readers`,
      {
        bucket: bucket.bucket,
        policy: object.apply((arn) => policy({ Principal: "*", Action: "s3:GetObject", Resource: arn })),
      },
      { ...self, dependsOn: [access] },
    );
    const role = webIdentityRole(`${name}-writer`, args, WRITER, self);
    const right = new aws.iam.RolePolicy(
      `${name}-right`,
      {
        role: role.name,
        policy: object.apply((arn) => policy({ Action: "s3:PutObject", Resource: arn })),
      },
      self,
    );
    this.publisher = { type: "aws_s3", region: args.region, bucket: bucket.bucket, objectKey };
    this.annotations = { [POD_IDENTITY.aws]: role.arn };
    this.ready = [readers, right];
    this.registerOutputs();
  }
}

/** A policy that allows one thing, as JSON text. */
const policy = (statement: object) =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
