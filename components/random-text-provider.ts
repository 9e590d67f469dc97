// Provider of RandomText: the text is made once and is nowhere but in the state.
import { randomInt } from "node:crypto";
import { checker, diffBy, type Provider } from "./providers/properties";

/** Inputs of RandomText as the engine hands them to the provider. */
export interface RandomTextInputs {
  length: number;
  alphabet: string;
}

/** Inputs and the text. */
export interface RandomTextState extends RandomTextInputs {
  value: string;
}

/** The provider of RandomText. */
export const randomTextProvider: Provider<RandomTextInputs, RandomTextState> = {
  check: async (_olds, news) => {
    const { failures, must } = checker(news);
    const isLength = (value: unknown) => Number.isInteger(value) && (value as number) > 0;
    must("length", isLength, "must be a whole number above 0");
    must("alphabet", (value) => typeof value === "string" && value.length > 1, "must have two characters");
    return { inputs: news, failures };
  },

  diff: diffBy(["length", "alphabet"], ["__provider"]),

  create: async (inputs) => {
    const { length, alphabet } = inputs;
    const value = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
    // The id is shown: it tells nothing of the text.
    return { id: "random-text", outs: { ...inputs, value } };
  },

  // Only the way to this code can have changed.
  update: async (_id, olds, news) => ({ outs: { ...olds, ...news } }),

  // There is nothing to compare with: what is stored is what there is.
  read: async (id, state) => {
    if (!state) throw new Error("a RandomText cannot be imported; let the program make it");
    return { id, props: state };
  },

  delete: async () => {},
};
