"use strict";
// ONNX Runtime Web: loaded when it is needed, and given one piece of work at a time.

/** Bytes of base64 of gzip, as stages/gallery/explorer.py packs them. @returns {Promise<Uint8Array>} */
const unpacked = async (text) => {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) bytes[place] = letters.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

/** Run a script of the site; a page from a disk may read no file in another way. */
const loadScript = (address) =>
  new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = done;
    script.onerror = () => failed(new Error(`${address} is missing: build the gallery again`));
    document.head.append(script);
  });

/** Make the runtime ready, from what its script carries: of WebAssembly, in one thread, so that it needs no server. */
const readyRuntime = async () => {
  const [glue, code] = await Promise.all([unpacked(RUNTIME.glue), unpacked(RUNTIME.code)]);
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = code;
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([glue], { type: "text/javascript" })) };
};

/**
 * What a generator is given, each a row a sample: only those that it takes.
 * @typedef {{latents?: Float32Array, labels?: Float32Array, attributes?: Float32Array, sources?: Float32Array}} Feeds
 */

/** A generator of the release. */
class Engine {
  /** @param {object} release the page's RELEASE @param {string} name of `release.generators` */
  static async open(release, name) {
    const engine = new Engine();
    engine.release = release;
    engine.session = await ort.InferenceSession.create(await unpacked(release.generators[name]), {
      executionProviders: ["wasm"],
    });
    engine.before = Promise.resolve();
    return engine;
  }

  /**
   * Make samples.
   * @param {Feeds} feeds
   * @param {number} count
   * @returns {Promise<{values: Float32Array, milliseconds: number}>} values `[count,C,*S]` in [-1,1]
   */
  make(feeds, count) {
    const made = this.before.then(() => this.#run(feeds, count)); // the runtime refuses two at once
    this.before = made.catch(() => {});
    return made;
  }

  async #run(feeds, count) {
    const tensors = {};
    for (const name of this.session.inputNames) tensors[name] = this.#tensor(name, feeds[name], count);
    const start = performance.now();
    const { images } = await this.session.run(tensors);
    return { values: images.data, milliseconds: performance.now() - start };
  }

  #tensor(name, values, count) {
    if (name === "labels" && !this.release.mixes) {
      return new ort.Tensor("int64", BigInt64Array.from(values, (label) => BigInt(label)), [count]);
    }
    const shape = name === "sources" ? [values.length / count / this.#pixels, ...this.release.source.shape.slice(1)] : [values.length / count];
    return new ort.Tensor("float32", values, [count, ...shape]);
  }

  get #pixels() {
    return this.release.source.shape.slice(1).reduce((product, side) => product * side, 1);
  }
}
