// The page of one clip.
"use strict";

(function (view) {
  const { el } = view;
  const RATES = [0.1, 0.25, 0.5, 1, 2];
  let player = null;
  let serial = 0;

  view.closeClip = function () {
    serial += 1;
    if (player) player.close();
    player = null;
  };

  /** The player of the clip that is open, or null. */
  view.player = () => player;

  /** Show a clip in `place`. `links`: home; around(), the addresses of the clips before and after or null; of(row), group(row). */
  view.openClip = async function (place, number, links, sound) {
    view.closeClip();
    const mine = serial;
    view.empty(place, el("p", { className: "hint" }, "…"));
    const detail = await view.loadClip(number);
    if (mine !== serial) return;
    if (detail === null) {
      view.empty(place, bar(null, number, links), el("p", { className: "hint" }, `There is no clip ${number} here, or its file cannot be read.`));
      return;
    }
    const fps = positive(detail.fps) || 24;
    const frames = Math.max(1, Math.round(positive(detail.frame_count) || 1));
    const duration = positive(detail.duration_s) || frames / fps;
    player = new view.Player(fps, duration, frames);
    const row = view.data.byNumber.get(number);
    const tiles = view.passTiles(detail, player);
    if (player.master) player.master.muted = !sound;
    const space = view.spaceView(detail, player);
    const signals = view.signalPlots(detail, player);
    const questions = view.questions(detail);
    const related = el("div", {});
    view.empty(place,
      bar(detail, number, links),
      detail.problems.length ? el("div", { className: "warning" }, detail.problems.map((each) => el("p", {}, each))) : null,
      el("p", { className: "headline" }, view.text(detail.caption)),
      el("div", { className: "tiles" }, tiles.length ? tiles : el("p", { className: "hint" }, "This row has no picture, pass or sound.")),
      controls(detail),
      section("Time line", view.timeline(detail, player)),
      related,
      el("div", { className: "halves" }, el("div", {}, section("Where bodies go", space, space && view.bodyLegend(detail, 12)), section("Signals", signals)),
        el("div", {}, section("Questions", questions), section("Outcome", detail.outcome ? view.table(detail.outcome) : null))),
      section("Bodies", view.bodiesTable(detail)),
      section("Row", view.table(rowFacts(detail)), view.json("spec", detail.spec), view.json("provenance", detail.provenance)));
    const showRelated = () => { if (mine === serial && view.data.byNumber.has(number)) drawRelated(related, view.data.byNumber.get(number), links); };
    if (row && view.data.complete) showRelated();
    else view.whenComplete(showRelated);
    document.title = `${view.text(detail.sample_id)} · physreel view`;
    player.tell();
  };

  const positive = (value) => (typeof value === "number" && value > 0 ? value : null);

  function section(title, ...inside) {
    const there = inside.flat().filter(Boolean);
    return there.length ? el("section", { className: "panel" }, el("h2", {}, title), there) : null;
  }

  view.around = function (links) {
    const step = (address, words, key) => (address ? el("a", { className: "button", href: address, title: `${words} ( ${key} )` }, words) : el("span", { className: "button off" }, words));
    const [before, after] = links.around();
    return [step(before, "previous", "p"), step(after, "next", "n")];
  };

  function bar(detail, number, links) {
    return el("div", { className: "bar" }, el("a", { className: "button", href: links.home, title: "All clips ( Esc )" }, "← all clips"), el("span", { className: "around" }, view.around(links)),
      el("h1", {}, detail ? view.text(detail.sample_id) : `clip ${number}`),
      detail ? [["scene", detail.scene], ["split", detail.split], ["variant", detail.variant], ["camera", detail.camera && detail.camera.name]].filter(([, value]) => value).map(([name, value]) => el("span", { className: "tag", title: name }, view.text(value))) : null);
  }

  function controls(detail) {
    const mine = player;
    const button = el("button", { type: "button", className: "main", title: "Play or pause ( space )", onclick: () => mine.toggle() }, "▶");
    const scrub = el("input", { type: "range", min: 0, max: mine.frames - 1, step: 1, value: 0, "aria-label": "Frame", className: "scrub", oninput: (event) => { if (mine.playing) mine.pause(); mine.seekFrame(Number(event.target.value)); } });
    const time = el("output", { className: "time" });
    const rate = el("select", { "aria-label": "Speed", title: "Speed ( < > )", onchange: (event) => mine.setRate(Number(event.target.value)) }, RATES.map((each) => el("option", { value: each, selected: each === 1 }, `${each} ×`)));
    const loops = el("input", { type: "checkbox", className: "loop", onchange: (event) => { mine.loops = event.target.checked; } });
    mine.onTime((t, frame) => {
      button.textContent = mine.playing ? "❚❚" : "▶";
      button.setAttribute("aria-label", mine.playing ? "Pause" : "Play");
      if (document.activeElement !== scrub || mine.playing) scrub.value = frame;
      time.textContent = `${t.toFixed(2)} of ${mine.duration.toFixed(2)} s · frame ${frame} of ${mine.frames}`;
      if (Number(rate.value) !== mine.rate) rate.value = String(mine.rate);
    });
    const sound = detail.media.sound;
    const louder = sound && sound.gain_db > 0 && el("label", { className: "switch", title: "Raise the sound's peak to 3 dB below full scale" },
      el("input", { type: "checkbox", checked: true, onchange: (event) => { mine.master.volume = event.target.checked ? 1 : 10 ** (-sound.gain_db / 20); } }), `${sound.gain_db} dB louder`);
    return el("div", { className: "controls" }, button,
      el("button", { type: "button", title: "A frame back ( ← )", "aria-label": "A frame back", onclick: () => mine.step(-1) }, "◀❙"), el("button", { type: "button", title: "A frame on ( → )", "aria-label": "A frame on", onclick: () => mine.step(1) }, "❙▶"),
      scrub, time, rate, el("label", { className: "switch", title: "( l )" }, loops, "loop"), louder);
  }

  function drawRelated(place, row, links) {
    const { cameras, siblings } = view.related(row);
    if (!cameras.length && !siblings.length) return;
    const part = (title, rows) => (rows.length ? section(`${title} (${rows.length})`, el("div", { className: "tiles" }, view.siblingTiles(row, rows, player, links.of)),
      el("p", { className: "small" }, el("a", { href: links.group(row) }, "show the group in the grid"))) : null);
    view.empty(place, part("Other cameras of this clip", cameras), part("The same group", siblings));
  }

  function rowFacts(detail) {
    const names = ["sample_id", "scene", "scene_version", "domains", "split", "group_id", "variant", "seed", "index", "fps", "frame_count", "width", "height", "duration_s", "cue_s", "pascal_per_unit", "clipped_fraction"];
    return Object.fromEntries(names.filter((name) => name in detail).map((name) => [name, detail[name]]).concat(detail.microphones && detail.microphones.length ? [["microphones", detail.microphones]] : []));
  }

  /** Keys of a clip's page; true where the key was one. */
  view.clipKey = function (key, shift, place) {
    if (player === null) return false;
    const faster = (by) => { const k = RATES.indexOf(player.rate) + by; if (k >= 0 && k < RATES.length) player.setRate(RATES[k]); };
    const acts = {
      " ": () => player.toggle(), k: () => player.toggle(),
      ArrowLeft: () => player.step(shift ? -10 : -1), ArrowRight: () => player.step(shift ? 10 : 1), ",": () => player.step(-1), ".": () => player.step(1),
      Home: () => player.seekFrame(0), End: () => player.seekFrame(player.frames - 1),
      "<": () => faster(-1), ">": () => faster(1),
      l: () => place.querySelector(".controls .loop").click(),
    };
    if (/^[1-9]$/.test(key)) {
      const tile = place.querySelectorAll(".tile[data-pass]")[Number(key) - 1];
      if (tile) tile.classList.toggle("large");
      return Boolean(tile);
    }
    if (!(key in acts)) return false;
    acts[key]();
    return true;
  };
})(window.physreelView);
