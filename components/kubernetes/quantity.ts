// Kubernetes' quantities as numbers.

/** Factors of the units (API conventions, "resource.Quantity"). */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  ...Object.fromEntries(["k", "M", "G", "T", "P", "E"].map((unit, i) => [unit, 1000 ** (i + 1)])),
  ...Object.fromEntries(["K", "M", "G", "T", "P", "E"].map((unit, i) => [`${unit}i`, 1024 ** (i + 1)])),
};

/** The number that a quantity such as `250m` or `1Gi` means: cores or bytes. */
export function quantityValue(quantity: string): number {
  const [, number, unit] = /^([0-9.]+)([a-zA-Z]*)$/.exec(quantity)!;
  return Number(number) * (UNITS[unit!] ?? 1);
}
