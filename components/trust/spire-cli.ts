// A typed client of the `spire-server` command line (SPIRE 1.14 and newer), which is how an operator speaks to a server.
import type { ApiBundle } from "../../spiffe/bundle";
import type { CommandResult } from "./exec";
import { factsOf, fault } from "./fault";
import { type Patience, retry } from "./retry";

/** Runs `spire-server` with these arguments and this input. Throws only when it could not be run to its end. */
export type Run = (args: string[], stdin?: string) => Promise<CommandResult>;

/** A relationship as `federation list -output json` prints it, with the bundle stored for its trust domain. */
export interface ApiRelationship {
  trust_domain: string;
  bundle_endpoint_url: string;
  /** Missing for profile https_web. */
  https_spiffe?: { endpoint_spiffe_id: string };
  /** Missing when the server holds no bundle of that trust domain. */
  trust_domain_bundle?: ApiBundle;
}

/** A registration entry as `entry show -output json` prints it. */
export interface ApiEntry {
  id: string;
  spiffe_id: { trust_domain: string; path: string };
  parent_id: { trust_domain: string; path: string };
  selectors: { type: string; value: string }[];
  /** Trust domain names, without `spiffe://`. */
  federates_with?: string[];
  x509_svid_ttl?: number;
  /** Missing for any but that of a server below this one. */
  downstream?: boolean;
}

/** What an authority signs: certificates by a CA, or JWT-SVIDs by a key. */
export type AuthorityKind = "x509" | "jwt";

/** One of a server's own authorities as `localauthority` prints it. */
export interface ApiAuthority {
  /** A CA's subject key identifier, lower-case hex; a JWT key's id. */
  authority_id: string;
  /** Seconds since 1970. */
  expires_at?: string;
  /** Subject key identifier of the authority that signed it; empty where it signed itself, missing for a JWT key. */
  upstream_authority_subject_key_id?: string;
}

/** The authorities of a server by what it does with them, as `localauthority x509 show -output json` and that of `jwt` print them. */
export interface ApiAuthorities {
  /** Signs. */
  active?: ApiAuthority;
  /** Signs next. */
  prepared?: ApiAuthority;
  /** Signed before; named here also when it is in the bundle no more. */
  old?: ApiAuthority;
}

/** A node's SPIRE agent as `agent list -output json` prints it. */
export interface ApiAgent {
  id: { trust_domain: string; path: string };
  x509svid_serial_number?: string;
  /** Seconds since 1970. */
  x509svid_expires_at?: string;
  selectors?: { type: string; value: string }[];
  banned?: boolean;
}

/** A relationship as `federation create` and `federation update` read it. */
export interface RelationshipInput {
  /** Name of the foreign trust domain. */
  trustDomain: string;
  /** `https://host:port` of its bundle endpoint. */
  bundleEndpointUrl: string;
  /** SPIFFE id that the endpoint must present. Default: it has a public certificate (profile https_web). */
  endpointSpiffeId?: string;
  /** Bundle in SPIFFE format (JSON text) to store; undefined leaves the stored one as it is. */
  bundle?: string;
}

/** A registration entry as `entry create` and `entry update` read it. */
export interface EntryInput {
  /** Entry id; required for an update, else the server makes one. */
  id?: string;
  spiffeId: string;
  parentId: string;
  /** `type:value`, for example `k8s:ns:default`. */
  selectors: string[];
  /** Trust domain names. */
  federatesWith: string[];
  /** Seconds; 0 takes the server's default. */
  x509SvidTtlSeconds: number;
  /** Whether it is a SPIRE server, whose CA this one signs. Default: false. */
  downstream?: boolean;
}

/** gRPC status codes that the program acts upon (https://grpc.io/docs/guides/status-codes/). */
export const GRPC = { ok: 0, notFound: 5, alreadyExists: 6 } as const;

interface Results {
  results?: { status?: { code?: number; message?: string }; entry?: { id?: string } }[];
}

// The command's words while the server itself starts or stops: its socket is not there, nobody listens, or it is shutting down.
const serverAway = /code = Unavailable|unable to determine health|server returned status|database is locked/;

/** Whether a command found no server in its pod, or one that was just starting or ending. */
export function isAway({ exitCode, stdout, stderr = "" }: Partial<CommandResult>): boolean {
  // 137 and 143: killed with the container (128 + SIGKILL, SIGTERM).
  return exitCode === 137 || exitCode === 143 || serverAway.test(`${stdout}\n${stderr}`);
}

/**
 * The client for one server. `cloud` begins every error. A command is repeated within `patience` while the server or its pod cannot be reached, so
 * a change may have been made already when its answer was lost: it then fails with code `alreadyExists`.
 */
export function spireServer(cloud: string, run: Run, patience: Patience) {
  const failure = (command: string, exitCode: number, words: string, code?: number): Error => {
    const duplicate = /UNIQUE constraint failed|[Dd]uplicate/.test(words);
    const transient = isAway({ exitCode, stdout: words });
    const facts = { transient, code: duplicate ? GRPC.alreadyExists : code };
    return fault(`${cloud}: spire-server ${command} failed (exit ${exitCode}): ${words.trim()}`, facts);
  };

  const once = async (command: string, flags: string[], stdin?: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await run([...command.split(" "), ...flags], stdin);
    if (exitCode === 0) return stdout;
    const words = stderr.trim() === "" ? stdout : stderr;
    throw failure(
      command,
      exitCode,
      words,
      /code = NotFound|no federation relationship/.test(words) ? GRPC.notFound : undefined,
    );
  };

  const output = (command: string, flags: string[] = [], stdin?: string): Promise<string> =>
    retry(`spire-server ${command}`, patience, () => once(command, flags, stdin));

  /** An answer in JSON, and its text. It is asked for again where it was cut short: a kubelet that ends lets a command end well, without all of its output. */
  const parsed = (command: string, flags: string[], stdin?: string) =>
    retry(`spire-server ${command}`, patience, async () => {
      const text = await once(command, flags, stdin);
      try {
        return { text, value: JSON.parse(text) as unknown };
      } catch {
        if (/^\s*($|[{[])/.test(text))
          throw fault(`${cloud}: the answer of spire-server ${command} was cut short.`, { transient: true });
        throw fault(`${cloud}: spire-server ${command} printed no JSON. Is it SPIRE 1.14 or newer?`, {});
      }
    });

  const json = async <T>(command: string, flags: string[] = [], stdin?: string): Promise<T> =>
    (await parsed(command, [...flags, "-output", "json"], stdin)).value as T;

  /** With `-output json` the exit code is 0 even when an item failed; its status says so. */
  const change = async (command: string, flags: string[], stdin?: string) => {
    const [result] = (await json<Results>(command, flags, stdin)).results ?? [];
    if (!result) throw fault(`${cloud}: spire-server ${command} answered without a result.`, {});
    const code = result.status?.code ?? GRPC.ok;
    if (code !== GRPC.ok)
      throw failure(command, 0, `code ${code}, ${result.status?.message ?? "no message"}`, code);
    return result;
  };

  const remove = async (command: string, flags: string[]): Promise<void> => {
    try {
      await change(command, flags);
    } catch (error) {
      if (factsOf(error).code !== GRPC.notFound) throw error;
    }
  };

  const relationship = (input: RelationshipInput): string =>
    JSON.stringify({
      federationRelationships: [
        {
          trustDomain: input.trustDomain,
          bundleEndpointURL: input.bundleEndpointUrl,
          ...(input.endpointSpiffeId === undefined
            ? { bundleEndpointProfile: "https_web" }
            : { bundleEndpointProfile: "https_spiffe", endpointSPIFFEID: input.endpointSpiffeId }),
          ...(input.bundle === undefined
            ? {}
            : { trustDomainBundle: JSON.parse(input.bundle) as unknown, trustDomainBundleFormat: "spiffe" }),
        },
      ],
    });

  const federationUpdate = async (input: RelationshipInput): Promise<void> =>
    void (await change("federation update", ["-data", "-"], relationship(input)));

  const entry = (input: EntryInput): string => {
    const selectors = input.selectors.map((text) => {
      const colon = text.indexOf(":");
      return { type: text.slice(0, colon), value: text.slice(colon + 1) };
    });
    return JSON.stringify({
      entries: [
        {
          ...(input.id === undefined ? {} : { entry_id: input.id }),
          spiffe_id: input.spiffeId,
          parent_id: input.parentId,
          selectors,
          federates_with: input.federatesWith.map((trustDomain) => `spiffe://${trustDomain}`),
          x509_svid_ttl: input.x509SvidTtlSeconds,
          ...(input.downstream && { downstream: true }),
        },
      ],
    });
  };

  const authority = async (kind: AuthorityKind, command: string, id: string): Promise<void> =>
    void (await json(`localauthority ${kind} ${command}`, ["-authorityID", id]));

  return {
    /** Throws a transient fault while the server is not healthy. */
    healthcheck: async (): Promise<void> => void (await output("healthcheck")),
    /** The server's own bundle in SPIFFE format. */
    bundleShow: async (): Promise<string> => (await parsed("bundle show", ["-format", "spiffe"])).text,
    /** The bundle stored for a foreign trust domain; undefined when there is none. */
    bundleStored: async (trustDomain: string): Promise<ApiBundle | undefined> => {
      try {
        return await json<ApiBundle>("bundle list", ["-id", `spiffe://${trustDomain}`]);
      } catch (error) {
        if (factsOf(error).code === GRPC.notFound) return undefined;
        throw error;
      }
    },
    /** Stores a bundle for a foreign trust domain, which no endpoint keeps up to date: in SPIFFE format, or certificates as PEM. */
    bundleSet: async (trustDomain: string, bundle: string): Promise<void> => {
      const format = bundle.trimStart().startsWith("{") ? "spiffe" : "pem";
      await change("bundle set", ["-id", `spiffe://${trustDomain}`, "-format", format], bundle);
    },
    /** Takes a foreign bundle away, and out of every entry that names it. Succeeds when it is gone already. */
    bundleDelete: (trustDomain: string): Promise<void> =>
      remove("bundle delete", ["-id", `spiffe://${trustDomain}`, "-mode", "dissociate"]),
    federationList: async (): Promise<ApiRelationship[]> =>
      (await json<{ federation_relationships?: ApiRelationship[] }>("federation list"))
        .federation_relationships ?? [],
    /** Updates what is there already: made by this very command, whose answer was lost with the connection. */
    federationCreate: async (input: RelationshipInput): Promise<void> => {
      try {
        await change("federation create", ["-data", "-"], relationship(input));
      } catch (error) {
        if (factsOf(error).code !== GRPC.alreadyExists) throw error;
        await federationUpdate(input);
      }
    },
    federationUpdate,
    /** Makes the server fetch the bundle from the live endpoint now, authenticated, and store it. */
    federationRefresh: async (trustDomain: string): Promise<void> =>
      void (await output("federation refresh", ["-id", `spiffe://${trustDomain}`])),
    /** Succeeds when it is gone already. Keeps the bundle. */
    federationDelete: (trustDomain: string): Promise<void> =>
      remove("federation delete", ["-id", trustDomain]),
    /** The server's own bundle as its API has it: with the mark of each authority that is tainted. */
    bundleOwn: (): Promise<ApiBundle> => json<ApiBundle>("bundle show"),
    authorities: (kind: AuthorityKind): Promise<ApiAuthorities> =>
      json<ApiAuthorities>(`localauthority ${kind} show`),
    /** Makes a new authority and puts it in the bundle. One that was prepared before signs never. */
    authorityPrepare: async (kind: AuthorityKind): Promise<void> =>
      void (await json(`localauthority ${kind} prepare`)),
    /** Signs with the prepared authority from now on. */
    authorityActivate: (kind: AuthorityKind, id: string): Promise<void> => authority(kind, "activate", id),
    /** Has agents and workloads renew what the old authority signed. */
    authorityTaint: (kind: AuthorityKind, id: string): Promise<void> => authority(kind, "taint", id),
    /** Takes the old authority out of the bundle. */
    authorityRevoke: (kind: AuthorityKind, id: string): Promise<void> => authority(kind, "revoke", id),
    agentList: async (): Promise<ApiAgent[]> =>
      (await json<{ agents?: ApiAgent[] }>("agent list")).agents ?? [],
    /** Forgets a node's agent: it must be attested anew, which it may. Takes a ban away, too. */
    agentEvict: async (spiffeId: string): Promise<void> =>
      void (await output("agent evict", ["-spiffeID", spiffeId])),
    /** Forgets a node's agent, and attests it no more. */
    agentBan: async (spiffeId: string): Promise<void> =>
      void (await output("agent ban", ["-spiffeID", spiffeId])),
    /** Every entry of the server, those of servers below it among them. */
    entryList: async (): Promise<ApiEntry[]> =>
      (await json<{ entries?: ApiEntry[] }>("entry show")).entries ?? [],
    /** Returns the new entry's id. */
    entryCreate: async (input: EntryInput): Promise<string> => {
      const id = (await change("entry create", ["-data", "-"], entry(input))).entry?.id;
      if (!id) throw fault(`${cloud}: spire-server entry create answered without an entry id.`, {});
      return id;
    },
    entryUpdate: async (input: EntryInput): Promise<void> =>
      void (await change("entry update", ["-data", "-"], entry(input))),
    /** Succeeds when it is gone already. */
    entryDelete: (id: string): Promise<void> => remove("entry delete", ["-entryID", id]),
  };
}

/** The client of one SPIRE server. */
export type SpireServer = ReturnType<typeof spireServer>;
