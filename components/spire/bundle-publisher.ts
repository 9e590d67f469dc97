// Where a SPIRE server publishes its bundle beside its own endpoint: an object that is there while the server is not.
import { urlPort } from "../network/part";
import { hclString } from "./hcl";
import { AZURE_IDENTITY, GOOGLE_PORTS } from "./key-manager";

/** The object stores that SPIRE knows (doc/plugin_server_bundlepublisher_*.md), each written to with the pod's own identity: there is no credential to keep. */
export type BundlePublisher<Text = string> =
  | {
      readonly type: "aws_s3";
      readonly region: Text;
      readonly bucket: Text;
      readonly objectKey: Text;
      /** URL of a store of another maker. Default: Amazon's. */
      readonly endpoint?: string;
    }
  | { readonly type: "gcp_cloudstorage"; readonly bucket: Text; readonly objectName: Text }
  | {
      readonly type: "azure_blob";
      readonly storageAccount: Text;
      readonly container: Text;
      readonly blobName: Text;
    };

/** What the plugin is configured with, by SPIRE's names. */
function dataOf(publisher: BundlePublisher): Readonly<Record<string, string>> {
  switch (publisher.type) {
    case "aws_s3":
      return {
        region: publisher.region,
        bucket: publisher.bucket,
        object_key: publisher.objectKey,
        ...(publisher.endpoint !== undefined && { endpoint: publisher.endpoint }),
      };
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

/** Where everybody reads the object; undefined of a store whose URLs only its maker knows. */
export function publishedUrl(publisher: BundlePublisher): string | undefined {
  switch (publisher.type) {
    case "aws_s3": {
      const { region, bucket, objectKey, endpoint } = publisher;
      if (endpoint !== undefined) return undefined;
      const host = `s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
      // The store's certificate has one label before its own name (Amazon S3 user guide, "Virtual hosting of general purpose buckets").
      const key = encodeURI(objectKey);
      return bucket.includes(".") ? `https://${host}/${bucket}/${key}` : `https://${bucket}.${host}/${key}`;
    }
    case "gcp_cloudstorage":
      return `https://storage.googleapis.com/${publisher.bucket}/${encodeURI(publisher.objectName)}`;
    case "azure_blob":
      return `https://${publisher.storageAccount}.blob.core.windows.net/${publisher.container}/${encodeURI(publisher.blobName)}`;
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
export function bundlePublisherPorts(publisher: BundlePublisher<unknown> | undefined): readonly number[] {
  switch (publisher?.type) {
    case "aws_s3":
      // Amazon's token service is asked besides.
      return [...new Set([443, publisher.endpoint === undefined ? 443 : urlPort(publisher.endpoint)])];
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
  publisher: BundlePublisher<unknown> | undefined,
): Readonly<Record<string, string>> {
  return publisher?.type === "azure_blob" ? AZURE_IDENTITY : {};
}
