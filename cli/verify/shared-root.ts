// The trust of two clouds of one trust domain: neither has a bundle of the other, and their SPIRE servers have a root in common.
import { type Bundle, parseSpiffeBundle } from "../../spiffe/bundle";
import { serverAdvice } from "../advice";
import { lineOf } from "../errors";
import { within } from "../limits";
import type { Member } from "../member";
import { type Check, type PairCheck, passed } from "../report";

async function bundleOf({ cloud, server }: Member, limitMs: number): Promise<Bundle> {
  const document = await within(limitMs, `${cloud.name}: its bundle`, () => server.bundleShow());
  return parseSpiffeBundle(document, cloud.trustDomain, new Date());
}

/** Checks whether the target's workloads know a root of the source's. */
export async function verifySharedRoot(
  target: Member,
  source: Member,
  limitMs: number,
): Promise<Check<PairCheck>> {
  const failed = (detail: string, cause: string, next: string): Check<PairCheck> => ({
    check: "bundle",
    status: "failed",
    detail,
    cause,
    next,
  });
  const [ours, theirs] = [target, source].map(({ cloud }) => cloud.serverCloud ?? cloud);
  if (ours!.name === theirs!.name) return passed("bundle", "one server");
  const bundles: Bundle[] = [];
  for (const member of [target, source]) {
    try {
      bundles.push(await bundleOf(member, limitMs));
    } catch (error) {
      return failed("not read", lineOf(error), serverAdvice(member.cloud, error));
    }
  }
  const [known, issued] = bundles.map(({ authorities }) => authorities.map(({ sha256 }) => sha256));
  if (known!.some((sha256) => issued!.includes(sha256))) return passed("bundle", "one root");
  return failed(
    "unrelated",
    `the SPIRE servers of ${target.cloud.name} and ${source.cloud.name} are of one trust domain and have no root in common`,
    "See that `trust.root` leads both to the same root; docs/trust.md",
  );
}
