import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import type { ReadStream, WriteStream } from "node:tty";
import { processScreen, type Screen } from "../../../cli/screen";
import type { TopFrame } from "../../../cli/top";
import { topLive } from "../../../cli/top/live";

const frame = (home: string): TopFrame => ({
  ok: true,
  time: new Date(0),
  home,
  alerts: [],
  pairs: [],
  clouds: [{ cloud: "aws", pods: {} }],
});

/** A terminal that remembers what is on it. */
class FakeScreen extends EventEmitter implements Screen {
  columns = 80;
  rows = 24;
  shown = "";
  all = "";
  listening = false;
  size = () => ({ columns: this.columns, rows: this.rows });

  write(text: string) {
    this.all += text;
    // What is drawn begins at the top.
    this.shown = text.split("\x1b[H").at(-1)!.replaceAll("\x1b[K", "").replace("\x1b[J", "");
    this.emit("drawn");
  }

  listen(onKey: (key: string) => void, onResize: () => void) {
    this.listening = true;
    this.on("key", onKey).on("resize", onResize);
    return () => {
      this.listening = false;
      this.off("key", onKey).off("resize", onResize);
    };
  }

  /** Waits until this is shown. */
  async until(words: string) {
    while (!this.shown.includes(words)) await once(this, "drawn");
  }
}

describe("mesh top in a terminal", () => {
  let screen: FakeScreen;
  let live: Promise<void>;
  beforeEach(() => (screen = new FakeScreen()));
  afterEach(async () => {
    screen.emit("key", "q");
    await live;
  });

  /** Shows what `read` gives at each call. */
  const show = (read: () => Promise<TopFrame>, intervalMs = 1) =>
    (live = topLive({ screen, read, intervalMs, colour: false }));

  it("draws frame after frame in place, and gives the terminal back at q", async () => {
    let count = 0;
    void show(() => Promise.resolve(frame(`cloud ${++count}`)));
    await screen.until("Prometheus in cloud 3");
    screen.emit("key", "x");
    screen.emit("key", "q");
    await live;
    expect(screen.all).toMatch(/^\x1b\[\?1049h\x1b\[\?25l/); // eslint-disable-line no-control-regex
    expect(screen.all).toMatch(/\x1b\[\?25h\x1b\[\?1049l$/); // eslint-disable-line no-control-regex
    expect(screen.listening).toBe(false);
  });

  it("ends at once at Ctrl-C, even while Prometheus is silent", async () => {
    const silent = show(() => new Promise(() => {}));
    await screen.until("asking Prometheus");
    screen.emit("key", "\x03");
    await silent;
  });

  it("is drawn anew when the size changes, without asking again", async () => {
    let asked = 0;
    void show(() => Promise.resolve(frame(`cloud ${++asked}`)), 3_600_000);
    await screen.until("Prometheus in cloud 1");
    screen.columns = 10;
    screen.emit("resize");
    await screen.until("mesh  197…");
    expect(asked).toBe(1);
  });

  it("keeps the last frame when Prometheus is lost, says so, and goes on when it is back", async () => {
    const answers = [() => frame("aws"), () => Promise.reject(new Error("hung up")), () => frame("gcp")];
    let next = 0;
    const asked: (() => void)[] = [];
    void show(async () => {
      if (next > 0)
        await new Promise<void>((go) => {
          asked.push(go);
          screen.emit("asked");
        });
      return answers[Math.min(next++, 2)]!();
    });
    const release = async () => {
      if (asked.length === 0) await once(screen, "asked");
      asked.shift()!();
    };
    await screen.until("Prometheus in aws");
    await release();
    await screen.until("this is older: hung up");
    expect(screen.shown).toContain("Prometheus in aws");
    await release();
    await screen.until("Prometheus in gcp");
    expect(screen.shown).not.toContain("older");
  });

  it("says what to do when Prometheus has never answered, and tries again", async () => {
    let tries = 0;
    void show(() =>
      ++tries < 3 ? Promise.reject(new Error("look at the pods")) : Promise.resolve(frame("aws")),
    );
    await screen.until("look at the pods");
    await screen.until("Prometheus in aws");
  });
});

describe("The terminal of the process", () => {
  const terminal = () => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 100, rows: 30 });
    const modes: boolean[] = [];
    const stdin = Object.assign(new PassThrough(), {
      isTTY: true,
      setRawMode: (raw: boolean) => (modes.push(raw), stdin),
    });
    return { stdout, stdin, modes, as: [stdout, stdin] as unknown as [WriteStream, ReadStream] };
  };

  it("is none when output goes elsewhere", () => {
    const { stdout, as } = terminal();
    stdout.isTTY = false;
    expect(processScreen(...as)).toBeUndefined();
  });

  it("tells its size, of keys and of a new size, and is as before afterwards", async () => {
    const { stdout, stdin, modes, as } = terminal();
    const screen = processScreen(...as)!;
    expect(screen.size()).toEqual({ columns: 100, rows: 30 });
    const heard: string[] = [];
    const events = new EventEmitter();
    const stop = screen.listen(
      (key) => {
        heard.push(key);
        events.emit("heard");
      },
      () => void heard.push("resize"),
    );
    const pressed = once(events, "heard");
    stdin.write("q");
    await pressed;
    stdout.emit("resize");
    process.emit("SIGTERM");
    stop();
    expect(heard).toEqual(["q", "resize", "\x03"]);
    expect(modes).toEqual([true, false]);
    expect(process.listeners("SIGTERM")).toEqual([]);
    expect(stdout.listenerCount("resize")).toBe(0);
  });

  it("has no keys when input is no terminal", () => {
    const { stdin, modes, as } = terminal();
    stdin.isTTY = false;
    processScreen(...as)!.listen(
      () => {},
      () => {},
    )();
    expect(modes).toEqual([]);
  });
});
