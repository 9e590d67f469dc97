// Mistakes in what goes together with bundles that are fetched from buckets (`trust.endpoint: bucket`).
import { POD_IDENTITY } from "../../../components/clouds/bundle-store";
import { type Draft, isUnusable } from "../clouds/spec";
import type { CloudDraft, CloudDrafts, ConfigDraft } from "../draft";
import { durationSeconds } from "../duration";
import type { Problem } from "../problem";

/** A public object is cached for an hour (https://cloud.google.com/storage/docs/metadata#cache-control), and peers have a third of `caTtl` to fetch: twice the time. */
const GOOGLE_CA_TTL = "6h";

/** Problems of buckets, and of what leaves nobody to fetch from them. */
export function bucketProblems(clouds: CloudDrafts, { trust, spire, partners }: ConfigDraft): Problem[] {
  if (trust?.endpoint !== "bucket") return [];
  const nobody = (why: string, instead: string) => [
    { path: ["trust", "endpoint"], message: `is bucket, but ${why}; remove it, or write ${instead}` },
  ];
  if (spire?.topology === "central")
    return nobody(
      "with spire.topology central one server issues all identities, and no other fetches its bundle",
      "spire.topology: each",
    );
  if (trust.mode === "single" && Object.keys(partners ?? {}).length === 0)
    return nobody(
      "with trust.mode single and without partners nobody fetches a bundle",
      "trust.mode: federated",
    );
  const urls = new Map<string, string>();
  return [
    ...clouds.flatMap(([cloud, entry]): Problem[] => {
      if (isUnusable(entry, "spire")) return [];
      const at = (key: string, message: string) => ({ path: ["clouds", cloud, "spire", key], message });
      const { bundlePublisher, bundleUrl } = entry.spire ?? {};
      const other = bundleUrl === undefined ? undefined : urls.get(bundleUrl);
      if (bundleUrl !== undefined) urls.set(bundleUrl, other ?? cloud);
      return [
        ...(bundlePublisher === undefined && !isUnusable(entry.spire ?? {}, "bundlePublisher")
          ? unmade(entry, trust.root?.kind).map((why) => at("bundlePublisher", why))
          : []),
        ...(isOfAnotherMaker(bundlePublisher) && !("bundleUrl" in (entry.spire ?? {}))
          ? [
              at(
                "bundleUrl",
                "is missing, and only the maker of a store that speaks S3 knows at which URL everybody reads its objects; write that of the object",
              ),
            ]
          : []),
        ...(other === undefined ? [] : [at("bundleUrl", `is cloud ${other}'s already; write another`)]),
      ];
    }),
    ...googleProblems(clouds, trust.caTtl),
  ];
}

/** Why the program makes no bucket where none is written. */
function unmade({ provider, spire }: CloudDraft, signer: string | undefined): string[] {
  if (provider === "existing")
    return [
      "is missing, from whose object the other clouds are to fetch the bundle with trust.endpoint bucket; write it, or trust.endpoint: server",
    ];
  const own = Object.values(POD_IDENTITY).filter((name) => name in (spire?.serviceAccountAnnotations ?? {}));
  const inAws = [
    signer,
    spire?.keyManager?.type,
    spire?.datastore?.type,
    ...Object.keys(spire?.nodeAttestors ?? {}),
  ].find((type) => type?.startsWith("aws_"));
  if (provider === "aws" && own.length === 0 && inAws !== undefined)
    return [
      `is missing, and the identity of the bucket that the program makes would take the place of that by which the server is known to ${inAws}; write a bucket that it may write to`,
    ];
  return own.map(
    (name) =>
      `is missing, and the program makes no bucket for an identity of yours (${name} of serviceAccountAnnotations); write the bucket that it may write to, or leave that out`,
  );
}

const isOfAnotherMaker = (
  publisher: Draft<{ readonly type?: string; readonly endpoint?: string }> | undefined,
) => publisher?.type === "aws_s3" && publisher.endpoint !== undefined;

const isGoogle = ({ provider, spire }: CloudDraft) =>
  spire?.bundlePublisher === undefined
    ? provider === "gcp"
    : spire.bundlePublisher.type === "gcp_cloudstorage";

function googleProblems(clouds: CloudDrafts, caTtl: string | undefined): Problem[] {
  const [cloud] = clouds.find(([, entry]) => isGoogle(entry)) ?? [];
  if (cloud === undefined || caTtl === undefined || durationSeconds(caTtl) >= durationSeconds(GOOGLE_CA_TTL))
    return [];
  const message = `is ${caTtl}, of which others have a third to fetch the next CA, but Google Cloud lets the object of cloud ${cloud} be cached for an hour; write at least ${GOOGLE_CA_TTL}`;
  return [{ path: ["trust", "caTtl"], message }];
}
