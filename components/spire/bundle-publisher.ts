// Where a SPIRE server publishes its bundle beside its own endpoint: an object that is there while the server is not.
import { hclString } from "./hcl";
import { AZURE_IDENTITY, GOOGLE_PORTS } from "./key-manager";

/** The object stores that SPIRE knows (doc/plugin_server_bundlepublisher_*.md), each written to with the pod's own identity: there is no credential to keep. */
export type BundlePublisher =
  | {
      readonly type: "aws_s3";
      readonly region: string;
      readonly bucket: string;
      readonly objectKey: string;
    }
  | { readonly type: "gcp_cloudstorage"; readonly bucket: string; readonly objectName: string }
  | {
      readonly type: "azure_blob";
      readonly storageAccount: string;
      readonly container: string;
      readonly blobName: string;
    };

/** What the plugin is configured with, by SPIRE's names. */
function dataOf(publisher: BundlePublisher): Readonly<Record<string, string>> {
  switch (publisher.type) {
    case "aws_s3":
      return { region: publisher.region, bucket: publisher.bucket, object_key: publisher.objectKey };
    case "gcp_cloudstorage":
      return { bucket_name: publisher.bucket, object_name: publisher.objectName };
    case "azure_blob":
      return {
        storage_account_name: publisher.storageAccount,
        container_name: publisher.container,
        blob_name: publisher.blobName,
      };
  }
}

/** The plugin's block in server.conf; empty where there is none. */
export function renderBundlePublisher(publisher: BundlePublisher | undefined, refreshHint: string): string {
  if (publisher === undefined) return "";
  const data = { ...dataOf(publisher), format: "spiffe", refresh_hint: refreshHint };
  return `
  BundlePublisher ${hclString(publisher.type)} {
    plugin_data {
${Object.entries(data)
  .map(([key, value]) => `      ${key} = ${hclString(value)}\n`)
  .join("")}    }
  }
`;
}

/** TCP ports at which the object store, and what gives the pod its identity there, answer; as of key services (`keyManagerPorts`). */
export function bundlePublisherPorts(publisher: BundlePublisher | undefined): readonly number[] {
  switch (publisher?.type) {
    case "aws_s3":
    case "azure_blob":
      return [443];
    case "gcp_cloudstorage":
      return GOOGLE_PORTS;
    case undefined:
      return [];
  }
}

/** Labels by which the webhook of AKS knows pods, as `keyManagerPod`. */
export function bundlePublisherLabels(
  publisher: BundlePublisher | undefined,
): Readonly<Record<string, string>> {
  return publisher?.type === "azure_blob" ? AZURE_IDENTITY : {};
}
