// What runs in a pod with the volume of a SPIRE server, by Node.js 24: `read` prints all that is to be kept, `write` puts that back. Arguments: which of the two,
// the folder of the volume, a folder for what is under way.
import { Buffer } from "node:buffer";
import console from "node:console";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import process from "node:process";
import { backup, DatabaseSync } from "node:sqlite";
import { gunzipSync, gzipSync } from "node:zlib";

const DATABASE = "datastore.sqlite3";
const [command, data, scratch] = process.argv.slice(1);

const filesIn = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));
/** Keys, and what else there is beside the database and its journals. */
const others = () =>
  Object.fromEntries(
    filesIn(data)
      .filter((name) => !name.startsWith(DATABASE))
      .map((name) => [name, readFileSync(path.join(data, name)).toString("base64")]),
  );

/** How much is in a database, which must be whole. */
function examined(file) {
  const database = new DatabaseSync(file);
  try {
    const one = (sql) => Object.values(database.prepare(sql).get())[0];
    const words = one("PRAGMA integrity_check");
    if (words !== "ok") throw new Error(`the database is not whole: ${words}`);
    const count = (table) => one(`SELECT count(*) FROM ${table}`);
    return {
      entries: count("registered_entries"),
      agents: count("attested_node_entries"),
      relationships: count("federated_trust_domains"),
    };
  } finally {
    database.close();
  }
}

async function read() {
  const copy = path.join(scratch, DATABASE);
  // A rotation writes a key and then its record: both must be of one moment.
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = others();
    rmSync(copy, { force: true });
    const database = new DatabaseSync(path.join(data, DATABASE));
    await backup(database, copy);
    database.close();
    if (JSON.stringify(before) !== JSON.stringify(others())) continue;
    const counts = examined(copy);
    const files = { ...before, [DATABASE]: readFileSync(copy).toString("base64") };
    return { counts, files: gzipSync(JSON.stringify(files)).toString("base64") };
  }
  throw new Error("the server's keys change all the time");
}

function write() {
  const files = JSON.parse(gunzipSync(Buffer.from(readFileSync(0, "utf8"), "base64")).toString());
  const staged = path.join(data, ".restore");
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(staged, { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    if (path.basename(name) !== name) throw new Error(`${name} is no name of a file`);
    writeFileSync(path.join(staged, name), Buffer.from(text, "base64"), { mode: 0o600, flush: true });
  }
  const counts = examined(path.join(staged, DATABASE));
  // What is there now makes room, the journal of its database above all.
  for (const name of filesIn(data)) rmSync(path.join(data, name));
  for (const name of Object.keys(files)) renameSync(path.join(staged, name), path.join(data, name));
  rmSync(staged, { recursive: true });
  const folder = openSync(data, "r");
  fsyncSync(folder);
  closeSync(folder);
  return { counts };
}

console.log(JSON.stringify(command === "read" ? await read() : write()));
