"use strict";
// The explorer begins when it comes into sight: its scripts have several megabytes.

/**
 * What a program may use, and the page's own forms do: `ready` ends when the first picture is there.
 * `make(feeds, count)` gives values `[count,C,*S]` in [-1,1], and `show(feeds)` shows one sample. `milliseconds` says how
 * long the first one took, the runtime and the generator loaded; `idle()` ends when what was asked for is done.
 */
const explorer = {};

const startExplorer = async () => {
  const section = $("explore");
  const begun = performance.now();
  say("Loading the generator, which takes some seconds …");
  await Promise.all([loadScript(section.dataset.runtime).then(readyRuntime), loadScript(section.dataset.release)]);
  const engines = {};
  for (const name of Object.keys(RELEASE.generators)) engines[name] = await Engine.open(RELEASE, name);
  const engine = engines.generator;
  const begin = { noise: startNoise, rows: startRow, lengths: startLengths }[RELEASE.way];
  $("explore-hint").textContent = RELEASE.way === "drawing" ? "" : [VIEW.hint, RELEASE.source ? "" : VIEW.drag].filter(Boolean).join(" ");
  explorer.make = (feeds, count = 1) => engine.make(feeds, count);
  explorer.show = async (feeds) => {
    const { values } = await engine.make(feeds, VIEW.many ?? 1);
    show($("explore-picture"), values, RELEASE.shape, 0, true);
  };
  const { update, settle, drawing, given } = begin ? begin(RELEASE, engine) : startTranslator(RELEASE, engines);
  Object.assign(explorer, { drawing, given });
  await update();
  explorer.milliseconds = performance.now() - begun;
  await settle();
  explorer.idle = idle;
  startQuiz(RELEASE, engine);
};

/** What to do where a browser reads less beside a page from a disk than beside one from a server. */
const elsewhere = () => location.protocol === "file:"
  ? ". From a disk some browsers read less: run `python3 -m http.server` in the site's folder, and open http://localhost:8000"
  : "";

if (typeof document !== "undefined") {
  say("The generator is loaded as soon as this is in sight.");
  explorer.ready = new Promise((done) => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      done(
        startExplorer().catch((error) => {
          say(`The explorer does not work in this browser: ${error.message}${elsewhere()}`);
          throw error;
        }),
      );
    });
    observer.observe($("explore"));
  });
}
