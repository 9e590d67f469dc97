// Passwords of Pulumi's random provider: a plugin of its own, which the embedded runner does without.
import { randomInt } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Handler } from "./handler";

/** Type token of a password. */
export const RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const ALPHABET = `${LETTERS}${LETTERS.toUpperCase()}0123456789`;

/** Letters and digits: the program asks for no others. Whatever changes makes another password. */
export const passwordHandler: Handler = {
  check: (_old, inputs) => Promise.resolve(inputs),
  plan: (old, inputs) => {
    if (!old) return Promise.resolve({ operation: "create" });
    return Promise.resolve({ operation: isDeepStrictEqual(old.inputs, inputs) ? "same" : "replace" });
  },
  create(inputs) {
    const { length, special } = inputs as { length: number; special?: boolean };
    if (special !== false) throw new Error("the embedded runner makes passwords of letters and digits alone");
    const result = Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
    return Promise.resolve({ id: "none", outputs: { ...inputs, result } });
  },
  update: () => Promise.reject(new Error("a password is never updated")),
  read: ({ id, outputs }) => Promise.resolve({ id, outputs }),
  delete: () => Promise.resolve(),
};
