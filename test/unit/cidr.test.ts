import * as fc from "fast-check";
import {
  addressCount,
  contains,
  firstFree,
  isCidr,
  networkOf,
  overlaps,
  prefixLength,
  subnet,
  subnets,
  without,
} from "../../components/network/cidr";

const range = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }),
    fc.integer({ min: 0, max: 32 }),
  )
  .map(([octets, prefix]) => networkOf(`${octets.join(".")}/${prefix}`));

/** Start and end of a range as numbers, by another way than the code under test. */
function bounds(cidr: string): [number, number] {
  const [address = "", prefix] = cidr.split("/");
  const start = Number(
    `0x${address
      .split(".")
      .map((o) => Number(o).toString(16).padStart(2, "0"))
      .join("")}`,
  );
  return [start, start + 2 ** (32 - Number(prefix)) - 1];
}

test.each([
  "10.0.0.0",
  "10.0.0/8",
  "10.0.0.0/33",
  "256.0.0.0/8",
  "10.0.0.0/-1",
  "010.0.0.0/8",
  "::/0",
  "",
  "x",
])("%j is no IPv4 range", (text) => {
  expect(isCidr(text)).toBe(false);
  expect(() => networkOf(text)).toThrow(RangeError);
});

test("host bits are cleared", () => {
  expect(networkOf("10.16.3.1/16")).toBe("10.16.0.0/16");
});

test("two ranges overlap exactly when they have an address in common", () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      const [[aStart, aEnd], [bStart, bEnd]] = [bounds(a), bounds(b)];
      expect(overlaps(a, b)).toBe(aStart <= bEnd && bStart <= aEnd);
      expect(contains(a, b)).toBe(aStart <= bStart && bEnd <= aEnd);
    }),
  );
});

test("subnets lie inside their range, in ascending order, of equal size, and never overlap", () => {
  const cases = range
    .filter((cidr) => prefixLength(cidr) <= 26)
    .chain((cidr) => fc.tuple(fc.constant(cidr), fc.integer({ min: 1, max: 64 })));
  fc.assert(
    fc.property(cases, ([cidr, count]) => {
      const parts = subnets(cidr, count);
      expect(parts).toHaveLength(count);
      parts.forEach((part, index) => {
        expect(contains(cidr, part)).toBe(true);
        expect(networkOf(part)).toBe(part);
        expect(addressCount(part)).toBe(addressCount(parts[0] as string));
        const next = parts[index + 1];
        expect(next === undefined || bounds(part)[1] < bounds(next)[0]).toBe(true);
      });
      // Twice as large, they would no longer fit.
      expect(addressCount(parts[0] as string) * 2 * count).toBeGreaterThan(addressCount(cidr));
    }),
  );
});

test("a range is not divided into more or smaller parts than it has addresses", () => {
  expect(() => subnets("10.0.0.0/31", 3)).toThrow(RangeError);
  expect(() => subnet("10.0.0.0/24", 26, 4)).toThrow("10.0.0.0/24 has no /26 number 4, it has 4 of them");
  expect(() => subnet("10.0.0.0/24", 16, 0)).toThrow(RangeError);
});

test("the first free range overlaps none that is taken, and there is none in a full space", () => {
  expect(firstFree("10.0.0.0/8", 16, ["10.0.0.0/15", "10.2.3.0/24"])).toBe("10.3.0.0/16");
  expect(firstFree("10.0.0.0/24", 25, ["10.0.0.1/32", "10.0.0.128/25"])).toBeUndefined();
});

test("what is left of a range has every address of it but those of the holes, once", () => {
  const overlap = (a: string, b: string) => {
    const [[aStart, aEnd], [bStart, bEnd]] = [bounds(a), bounds(b)];
    return Math.max(0, Math.min(aEnd, bEnd) - Math.max(aStart, bStart) + 1);
  };
  fc.assert(
    fc.property(range, range, range, (whole, hole, other) => {
      const left = without(whole, [hole, other]);
      for (const part of left) {
        expect(contains(whole, part)).toBe(true);
        expect(overlaps(part, hole) || overlaps(part, other)).toBe(false);
      }
      const both = contains(hole, other)
        ? overlap(whole, other)
        : contains(other, hole)
          ? overlap(whole, hole)
          : 0;
      expect(left.reduce((sum, part) => sum + addressCount(part), 0)).toBe(
        addressCount(whole) - overlap(whole, hole) - overlap(whole, other) + both,
      );
      const starts = left.map((part) => bounds(part)[0]);
      expect(starts).toEqual([...starts].sort((a, b) => a - b));
      expect(new Set(starts).size).toBe(starts.length);
    }),
  );
});

test("what is left of all addresses without one range are as many ranges as its prefix is long", () => {
  expect(without("0.0.0.0/0", ["10.0.0.0/8"])).toEqual([
    "0.0.0.0/5",
    "8.0.0.0/7",
    "11.0.0.0/8",
    "12.0.0.0/6",
    "16.0.0.0/4",
    "32.0.0.0/3",
    "64.0.0.0/2",
    "128.0.0.0/1",
  ]);
});
