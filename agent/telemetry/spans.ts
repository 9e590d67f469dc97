// Names of spans by which traces are looked for elsewhere, too. Nothing is loaded for them.

/** A call of another agent, by the name that metrics have for it. */
export const callSpan = (peer: string) => `call_agent(${peer})`;
/** The way to another agent's address. */
export const DIAL_SPAN = "network.dial";
/** The TLS handshake that follows. */
export const HANDSHAKE_SPAN = "mtls.handshake";
