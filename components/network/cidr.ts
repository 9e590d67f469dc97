// Arithmetic on IPv4 address ranges in CIDR notation, such as `10.16.0.0/16`. Every function throws a RangeError on a text that is none.
import ipaddr from "ipaddr.js";

const BITS = 32;

interface Range {
  readonly address: ipaddr.IPv4;
  readonly prefix: number;
}

function parse(cidr: string): Range {
  if (!isCidr(cidr)) {
    throw new RangeError(`${JSON.stringify(cidr)} is not an IPv4 range in CIDR notation`);
  }
  const [address, prefix] = ipaddr.IPv4.parseCIDR(cidr);
  return { address, prefix };
}

/** Whether the text is an IPv4 range: four decimal parts, a slash, and a prefix length from 0 to 32. */
export function isCidr(text: string): boolean {
  return ipaddr.IPv4.isValidCIDRFourPartDecimal(text);
}

/** Prefix length of the range, from 0 to 32. */
export function prefixLength(cidr: string): number {
  return parse(cidr).prefix;
}

/** Number of addresses in the range, the network and broadcast addresses included. */
export function addressCount(cidr: string): number {
  return 2 ** (BITS - parse(cidr).prefix);
}

/** The range with its host bits cleared: `10.16.3.1/16` becomes `10.16.0.0/16`. */
export function networkOf(cidr: string): string {
  const { prefix } = parse(cidr);
  return `${ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()}/${prefix}`;
}

/** Whether two ranges have at least one address in common. */
export function overlaps(a: string, b: string): boolean {
  const [first, second] = [parse(a), parse(b)];
  return first.address.match(second.address, Math.min(first.prefix, second.prefix));
}

/** Whether every address of `inner` is in `outer`. */
export function contains(outer: string, inner: string): boolean {
  return parse(outer).prefix <= parse(inner).prefix && overlaps(outer, inner);
}

/** The `index`th of the equal ranges of length `prefix` that the range divides into, counted from its lowest address. */
export function subnet(cidr: string, prefix: number, index: number): string {
  const range = parse(cidr);
  const available = 2 ** (prefix - range.prefix);
  if (!Number.isInteger(prefix) || prefix < range.prefix || prefix > BITS) {
    throw new RangeError(`a /${prefix} is no part of ${cidr}`);
  }
  if (!Number.isInteger(index) || index < 0 || index >= available) {
    throw new RangeError(`${cidr} has no /${prefix} number ${index}, it has ${available} of them`);
  }
  return rangeAt(firstAddress(cidr) + index * 2 ** (BITS - prefix), prefix);
}

/** The range's first address as a number. */
function firstAddress(cidr: string): number {
  return ipaddr.IPv4.networkAddressFromCIDR(cidr).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function rangeAt(address: number, prefix: number): string {
  const octets = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
  return `${octets.join(".")}/${prefix}`;
}

/**
 * Divides the range into `count` ranges of equal size, as large as they can be, in ascending order. They do not overlap;
 * the rest of the range stays free when `count` is not a power of two.
 */
export function subnets(cidr: string, count: number): string[] {
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`cannot divide ${cidr} into ${count} ranges`);
  }
  const prefix = parse(cidr).prefix + Math.ceil(Math.log2(count));
  return Array.from({ length: count }, (_, index) => subnet(cidr, prefix, index));
}

/** The lowest range of length `prefix` within `space` that overlaps none of `taken`, or undefined when there is none. */
export function firstFree(space: string, prefix: number, taken: readonly string[]): string | undefined {
  const available = 2 ** (prefix - prefixLength(space));
  for (let index = 0; index < available; index += 1) {
    const candidate = subnet(space, prefix, index);
    if (!taken.some((other) => overlaps(candidate, other))) {
      return candidate;
    }
  }
  return undefined;
}

/** The fewest ranges that have exactly the addresses of `range` that are in none of `holes`, in ascending order. */
export function without(range: string, holes: readonly string[]): string[] {
  const bounds = (cidr: string) => {
    const first = firstAddress(cidr);
    return { first, after: first + addressCount(cidr) };
  };
  const whole = bounds(range);
  const stops = [...holes.map(bounds), { first: whole.after, after: whole.after }];
  const parts: string[] = [];
  let next = whole.first;
  for (const { first, after } of stops.sort((a, b) => a.first - b.first)) {
    const limit = Math.min(first, whole.after);
    while (next < limit) {
      // The largest range that starts here: it starts at a multiple of its size, and ends before the hole.
      let prefix = 0;
      while (next % 2 ** (BITS - prefix) !== 0 || next + 2 ** (BITS - prefix) > limit) prefix += 1;
      parts.push(rangeAt(next, prefix));
      next += 2 ** (BITS - prefix);
    }
    next = Math.max(next, after);
  }
  return parts;
}
