// What kubeconfigs of tests have: client-go takes no text for a certificate that is none.
import { pemOf } from "./agent/pki";
import { issue } from "./certificate";

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Certificate of an authority, PEM, and its key. */
export const { cert: CA, key: CA_KEY } = pemOf(issue());
/** They as kubeconfigs have them. */
export const CA_DATA = base64(CA);
export const CA_KEY_DATA = base64(CA_KEY);
