// Evaluates a tailnet's policy as Tailscale does: nothing passes but what a grant lets pass, and a policy's own tests have to hold.
import type { PolicyTest, TailnetPolicy } from "../../../components/network/tailscale/policy-syntax";

type Rules = Pick<TailnetPolicy, "grants">;

/** Whether `src` may send to `dst` (selectors, compared by their text) at a port. */
export function allows({ grants }: Rules, src: string, dst: string, port: number, protocol = "tcp"): boolean {
  return grants.some(
    (grant) =>
      [src, "*"].some((selector) => grant.src.includes(selector)) &&
      [dst, "*"].some((selector) => grant.dst.includes(selector)) &&
      [`${protocol}:${port}`, String(port), "*"].some((entry) => grant.ip.includes(entry)),
  );
}

/** The lines of a policy's own tests that do not hold, as `src -> dst: accept` or `deny`. */
export function failedTests(policy: Rules & { readonly tests: readonly PolicyTest[] }): string[] {
  return policy.tests.flatMap(({ src, proto, accept = [], deny = [] }) => {
    const holds = (destination: string) => {
      const colon = destination.lastIndexOf(":");
      return allows(policy, src, destination.slice(0, colon), Number(destination.slice(colon + 1)), proto);
    };
    return [
      ...accept.filter((destination) => !holds(destination)).map((to) => `${src} -> ${to}: accept`),
      ...deny.filter(holds).map((to) => `${src} -> ${to}: deny`),
    ];
  });
}
