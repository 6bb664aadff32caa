// The films of a clip side by side: the picture, and the passes, which come as tiles of one film.
"use strict";

(function (view) {
  const { el } = view;
  const MOST_SIBLINGS = 6;
  const TITLES = { rgb: "picture", depth: "depth", segmentation: "segmentation", normals: "normals", flow: "optical flow" };

  /** The tiles of a clip, joined to its player. */
  view.passTiles = function (detail, player) {
    const stem = view.stem(detail.number);
    const tiles = [];
    let film = null;
    if (detail.media.sound) {
      // The sound keeps the time: a picture that is held back for a moment is not seen, a sound is heard.
      const heard = el("audio", { src: `${stem}-sound.flac`, preload: "auto" });
      player.setMaster(heard);
      tiles.push(el("div", { className: "unseen" }, heard));
    }
    if (detail.media.rgb) {
      film = el("video", { src: `${stem}-rgb.mp4`, playsInline: true, preload: "auto", muted: true, className: "shown", "aria-label": "picture" });
      if (player.master === null) player.setMaster(film);
      else player.follow(film);
      tiles.push(tile("rgb", film, null));
    }
    const passes = detail.media.passes;
    if (passes) {
      const sheet = el("video", { src: `${stem}-passes.mp4`, playsInline: true, preload: "auto", muted: true, className: "unseen", tabIndex: -1, "aria-hidden": "true" });
      if (player.master === null) player.setMaster(sheet);
      else player.follow(sheet);
      const canvases = passes.tiles.map((each) => el("canvas", { className: "shown", width: each.w, height: each.h, role: "img", "aria-label": TITLES[each.name] || each.name }));
      const paint = () => {
        if (sheet.readyState < 2) return;
        passes.tiles.forEach((each, k) => canvases[k].getContext("2d").drawImage(sheet, each.x, each.y, each.w, each.h, 0, 0, each.w, each.h));
      };
      for (const name of ["loadeddata", "seeked"]) sheet.addEventListener(name, paint);
      if (sheet.requestVideoFrameCallback) {
        const next = () => { paint(); if (!player.closed) sheet.requestVideoFrameCallback(next); };
        sheet.requestVideoFrameCallback(next);
      } else {
        player.onTime(paint);
      }
      passes.tiles.forEach((each, k) => tiles.push(tile(each.name, canvases[k], legend(each.legend, detail))));
      tiles[tiles.length - 1].append(sheet);
    }
    return tiles;
  };

  function tile(name, shown, below) {
    const whole = el("figure", { className: "tile", "data-pass": name });
    const large = () => whole.classList.toggle("large");
    shown.addEventListener("dblclick", large);
    return view.add(whole, [
      el("figcaption", {}, TITLES[name] || name, el("button", { type: "button", className: "enlarge", title: "Larger or smaller", "aria-label": `${TITLES[name] || name} larger or smaller`, onclick: large }, "⤢")),
      el("div", { className: "frame" }, shown), below,
    ]);
  }

  function legend(what, detail) {
    if (what.kind === "ramp") {
      return el("div", { className: "legend" }, `${view.number(what.low)} ${what.unit}`, el("span", { className: "ramp", style: { background: `linear-gradient(90deg, ${what.stops.join(", ")})` } }), `${view.number(what.high)} ${what.unit}`);
    }
    if (what.kind === "wheel") {
      return el("div", { className: "legend" }, el("span", { className: "wheel", style: { background: `conic-gradient(from 90deg, ${what.stops.join(", ")})` } }), `direction; full brightness ${view.number(what.high)} ${what.unit}`);
    }
    if (what.kind === "axes") {
      return el("div", { className: "legend" }, what.axes.map(([name, colour]) => el("span", { className: "chip-colour" }, el("i", { style: { background: colour } }), name)));
    }
    return bodyLegend(detail, 8);
  }

  /** Which colour is which body or liquid. */
  function bodyLegend(detail, most) {
    const named = [...(detail.bodies || []), ...(detail.fluids || [])].map((each, k) => ({ name: each.label || each.name, colour: detail.colours[k + 1], still: each.motion === "static" }));
    const order = [...named.filter((each) => !each.still), ...named.filter((each) => each.still)].filter((each) => each.colour);
    const chips = order.map((each) => el("span", { className: "chip-colour", title: view.text(each.name) }, el("i", { style: { background: each.colour } }), view.text(each.name)));
    if (chips.length <= most) return el("div", { className: "legend" }, chips);
    return el("details", { className: "legend" }, el("summary", {}, chips.slice(0, most), ` and ${chips.length - most} more`), chips.slice(most));
  }
  view.bodyLegend = bodyLegend;

  /** Films of rows of the same group, in step with this one, and how their outcomes differ. */
  view.siblingTiles = function (row, others, player, hrefOf) {
    const shown = others.slice(0, MOST_SIBLINGS);
    return shown.map((other) => {
      let film = null;
      if (other.has.includes("rgb")) {
        film = el("video", { src: `${view.stem(other.number)}-rgb.mp4`, playsInline: true, preload: "auto", muted: true, className: "shown" });
        film.addEventListener("error", () => { player.unfollow(film); film.replaceWith(el("p", { className: "hint" }, "no picture")); });
        player.follow(film);
      }
      const camera = other.camera && other.camera !== row.camera ? other.camera : null;
      const differs = other.kind.fields.map((name, k) => [name, row.kind.place.has(name) ? row.outcome[row.kind.place.get(name)] : undefined, other.outcome[k]])
        .filter(([, mine, theirs]) => JSON.stringify(mine) !== JSON.stringify(theirs));
      return el("figure", { className: "tile sibling" },
        el("figcaption", {}, el("a", { href: hrefOf(other) }, other.variant || "–", camera ? ` · camera ${camera}` : ""), el("span", { className: "figure" }, other.id)),
        el("div", { className: "frame" }, film || el("p", { className: "hint" }, "no picture")),
        other.caption !== row.caption ? el("p", { className: "small" }, other.caption) : null,
        differs.length ? el("ul", { className: "small" }, differs.slice(0, 6).map(([name, mine, theirs]) => el("li", {}, name.replace(/_/g, " "), ": ", view.text(mine), " → ", el("b", {}, view.text(theirs)))), differs.length > 6 ? el("li", {}, `and ${differs.length - 6} more`) : null) : null);
    });
  };
})(window.physreelView);
