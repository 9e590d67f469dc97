import { columns, shortDigest, spanOf } from "../../../cli/table";

describe("A table", () => {
  it("has columns as wide as their widest cell and no spaces at the end of a line", () => {
    expect(columns([["a", "long"], ["wider", ""], ["b"]])).toBe("a      long\nwider\nb");
  });

  it("shows twelve characters of a digest", () => {
    expect(shortDigest("2d57b142f379ffff")).toBe("2d57b142f379");
    expect(shortDigest(undefined)).toBe("-");
  });

  it.each([
    [0, "0s"],
    [0.4, "0s"],
    [59, "59s"],
    [3600, "1h"],
    [3605, "1h"],
    [3665, "1h 1m"],
    [2 * 86_400 + 3 * 3600 + 5, "2d 3h"],
    [-90, "-1m 30s"],
  ])("says %d seconds in its two largest units", (seconds, text) => expect(spanOf(seconds)).toBe(text));
});
