import { changed, isUnknown, UNKNOWN } from "../../../components/providers/properties";

describe("whether a property changes", () => {
  test("the unknown marker counts as a value, alone or inside of another", () => {
    expect(isUnknown(UNKNOWN)).toBe(true);
    expect(isUnknown({ endpoint: { hosts: ["a", UNKNOWN] } })).toBe(true);
    expect(isUnknown(undefined)).toBe(false);
  });

  test("a text in which the marker stands is known: the provider's own code is one", () => {
    const code = `var UNKNOWN = "${UNKNOWN}";`;
    expect(changed({ __provider: code }, { __provider: code }, "__provider")).toBe(false);
    expect(changed({ __provider: code }, { __provider: `${code} // newer` }, "__provider")).toBe(true);
  });

  test("the order of keys is no change, since the engine does not keep it", () => {
    expect(
      changed({ target: { cloud: "aws", pod: "p" } }, { target: { pod: "p", cloud: "aws" } }, "target"),
    ).toBe(false);
  });
});
