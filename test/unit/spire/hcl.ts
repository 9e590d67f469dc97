// A reader of the part of HCL 1 that SPIRE's configuration files use, so that tests look at what a file says and not at
// how it is laid out. Blocks become objects; the labels of a block are further keys: `A "b" {}` is {A: {b: {}}}.

/** A value of HCL. */
export type Hcl = string | number | boolean | Hcl[] | { [key: string]: Hcl };

const TOKEN = /\s+|#[^\n]*|("(?:[^"\\\n]|\\.)*")|([A-Za-z_][\w-]*)|(-?\d+)|([{}[\]=,])/gy;

function tokens(text: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`no HCL at: ${text.slice(at, at + 40)}`);
    const token = match[1] ?? match[2] ?? match[3] ?? match[4];
    if (token !== undefined) found.push(token);
  }
  return found;
}

/** What a string literal stands for: HCL 1 has the escapes of Go, of which these are used. `${` would interpolate. */
export function hclUnquote(literal: string): string {
  if (literal.includes("${")) throw new Error(`interpolation in ${literal}`);
  const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };
  return literal
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-f]{4})|(.))/g, (_all, code: string | undefined, char: string) =>
      code !== undefined ? String.fromCharCode(parseInt(code, 16)) : (escapes[char] ?? char),
    );
}

/** An object without a prototype, so that `__proto__` is a key like any other. */
const nothing = () => Object.create(null) as { [key: string]: Hcl };

/** Reads a file of HCL 1. Throws if it is malformed, or says one thing twice. */
export function parseHcl(text: string): { [key: string]: Hcl } {
  const input = tokens(text);
  let at = 0;
  const next = () => input[at++] ?? "";
  const expect = (token: string) => {
    const found = next();
    if (found !== token) throw new Error(`expected ${token}, found ${found || "the end"}`);
  };

  function value(): Hcl {
    const token = next();
    if (token === "{") return body("}");
    if (token === "[") {
      const list: Hcl[] = [];
      while (input[at] !== "]") {
        list.push(value());
        if (input[at] !== "]") expect(",");
      }
      at++;
      return list;
    }
    if (token.startsWith('"')) return hclUnquote(token);
    if (token === "true" || token === "false") return token === "true";
    if (/^-?\d+$/.test(token)) return Number(token);
    throw new Error(`not a value: ${token || "the end"}`);
  }

  function body(end: string): { [key: string]: Hcl } {
    const result = nothing();
    while ((input[at] ?? "") !== end) {
      const keys: string[] = [];
      while (!["=", "{"].includes(input[at] ?? "=")) {
        const key = next();
        keys.push(key.startsWith('"') ? hclUnquote(key) : key);
      }
      if (input[at] === "=") at++;
      const last = keys.pop();
      if (last === undefined) throw new Error("a value without a key");
      let target = result;
      for (const key of keys) target = (target[key] ??= nothing()) as { [key: string]: Hcl };
      if (Object.hasOwn(target, last)) throw new Error(`said twice: ${last}`);
      target[last] = value();
    }
    at++;
    return result;
  }

  return body("");
}
