// The kinds of value that several parts of the configuration are made of.
import { z } from "zod";
import { isCidr, networkOf } from "../../components/network/cidr";
import { DURATION_PATTERN, durationSeconds } from "./duration";

/** Longest trust domain name (SPIFFE ID specification, section 2.1). */
const TRUST_DOMAIN_LENGTH = 255;

/** What a cloud may be called: a DNS label, since it is one in the trust domain, and short, since resources are named after it. */
export const CLOUD_NAME_LENGTH = 20;

/** Text that a pattern describes. `instead` follows "write" in the problem's text. */
export function text(pattern: RegExp, instead: string): z.ZodString {
  return z.string().regex(pattern, { error: `write ${instead}` });
}

/** A key, password or token, which no message shows, not even where it is wrong. Settings of theirs keep `writeOnly`, JSON Schema's word for that. */
export function secret(): z.ZodString {
  return z.string().min(1).meta({ writeOnly: true });
}

/** An IPv4 range in CIDR notation without host bits. */
export function cidr(): z.ZodString {
  return z
    .string()
    .refine((value) => isCidr(value), {
      error: "write an IPv4 range in CIDR notation such as 10.16.0.0/16",
      abort: true,
    })
    .refine((value) => networkOf(value) === value, {
      error: (issue) => `it has host bits set; write ${networkOf(issue.input as string)}`,
    })
    .meta({ format: "cidrv4" });
}

/** A CIDR range whose prefix length has bounds set by the provider. */
export function cidrBetween(largest: number, smallest: number): z.ZodString {
  const bounds = largest === smallest ? `exactly /${largest}` : `between /${largest} and /${smallest}`;
  return cidr().refine(
    (value) => {
      const prefix = Number(value.split("/")[1]);
      return !isCidr(value) || (prefix >= largest && prefix <= smallest);
    },
    { error: `write a range with a prefix length ${bounds}` },
  );
}

/** A positive duration in Go's notation. */
export function duration(): z.ZodString {
  return z
    .string()
    .regex(DURATION_PATTERN, { error: "write a duration such as 5m, 1h30m or 168h", abort: true })
    .refine((value) => durationSeconds(value) > 0, { error: "write a duration longer than zero" });
}

/** Name of a SPIFFE trust domain (SPIFFE ID specification, section 2.1). */
export function trustDomain(): z.ZodString {
  return z
    .string()
    .regex(/^[a-z0-9._-]+$/, {
      error: (issue) =>
        String(issue.input).startsWith("spiffe://")
          ? "write the name alone, without spiffe:// and without a path"
          : "write lower-case letters, digits, dots, dashes and underscores only, such as example.org",
    })
    .max(TRUST_DOMAIN_LENGTH, { error: `write at most ${TRUST_DOMAIN_LENGTH} characters` });
}

/** A DNS label (RFC 1035) of bounded length. */
function name(length: number): z.ZodString {
  return text(
    new RegExp(`^(?=.{1,${length}}$)[a-z]([a-z0-9-]*[a-z0-9])?$`),
    `a name of at most ${length} lower-case letters, digits and dashes that starts with a letter and does not end with a dash`,
  );
}

/** Key of a cloud in the `clouds` map. */
export const cloudName = name(CLOUD_NAME_LENGTH);

/** Role of an agent: it is part of its SPIFFE id and of the names of its objects, pods included, which have 63 characters at most. */
export const roleName = name(30);

/** A Kubernetes quantity, for example `1Gi` or `250m`. */
export function quantity(instead: string): z.ZodString {
  return text(/^[0-9]+(\.[0-9]+)?(m|[kMGTPE]|[KMGTPE]i)?$/, instead);
}

/** Refuses an item of a list that is there a second time. `keyOf` gives what tells items apart. */
export function distinct<T>(keyOf: (item: T) => string): z.core.CheckFn<T[]> {
  return ({ value, issues }) => {
    const keys = value.map(keyOf);
    keys.forEach((key, index) => {
      if (keys.indexOf(key) !== index) {
        const message = `${key} is in the list already; remove it`;
        issues.push({ code: "custom", input: value[index], path: [index], message });
      }
    });
  };
}
