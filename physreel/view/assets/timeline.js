// The clip's time from left to right: spectrogram, what happened, what was heard, the cue; and signals as plots.
"use strict";

(function (view) {
  const { el } = view;
  const LANE = 26;
  const SPECTRUM = 150;
  const SIGNAL = 54;
  const FIRST_SIGNALS = 8;
  const HUES = ["#ef5b4f", "#46a0f0", "#e0a526", "#3fb573", "#b46ee6", "#e0739f", "#2fb9bf", "#b98b52", "#93b52e", "#7a7ff2"];

  const listOf = (value) => (Array.isArray(value) ? value : []);
  const timeOf = (value) => (typeof value === "number" ? value : null);

  /** Something with the clip's time along it: click or drag to seek, a line where the time is. */
  function along(player, height, draw, label) {
    const canvas = el("canvas", { className: "drawn", style: { height: `${height}px` } });
    const line = el("div", { className: "now" });
    const whole = el("div", { className: "along", role: "slider", tabIndex: 0, "aria-label": label, "aria-valuemin": 0, "aria-valuemax": player.duration, "aria-valuenow": 0 }, canvas, line);
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return (Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * player.duration);
    };
    whole.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      whole.setPointerCapture(event.pointerId);
      player.seek(at(event));
    });
    whole.addEventListener("pointermove", (event) => { if (whole.hasPointerCapture(event.pointerId)) player.seek(at(event)); });
    const again = () => draw(view.sized(canvas));
    new ResizeObserver(again).observe(canvas);
    player.onTime((t) => {
      line.style.left = `${(100 * t) / player.duration}%`;
      whole.setAttribute("aria-valuenow", t.toFixed(3));
    });
    return { whole, again, canvas, at };
  }

  view.timeline = function (detail, player) {
    const events = listOf(detail.events).filter((each) => each && timeOf(each.time_s) !== null);
    const sounds = listOf(detail.sound_events).filter((each) => each && timeOf(each.time_s) !== null);
    const kinds = [...new Set(events.map((each) => view.text(each.kind)))];
    const hueOf = new Map(kinds.map((kind, k) => [kind, HUES[k % HUES.length]]));
    const spectrum = detail.media.spectrogram;
    const picture = spectrum ? el("img", { src: `${view.stem(detail.number)}-spectrogram.png`, alt: "" }) : null;
    const tall = spectrum ? SPECTRUM : 0;
    const loudest = Math.max(1e-12, ...sounds.map((each) => (typeof each.peak_pa === "number" ? each.peak_pa : 0)));

    const draw = ({ pen, width }) => {
      const x = (t) => (t / player.duration) * width;
      const ink = view.theme("ink");
      const faint = view.theme("faint");
      pen.font = "10.5px system-ui, sans-serif";
      if (picture && picture.complete && picture.naturalWidth) {
        pen.drawImage(picture, 0, 0, width, tall);
        pen.textBaseline = "middle";
        for (const hz of spectrum.marks_hz) {
          const y = tall * (1 - Math.log(hz / spectrum.low_hz) / Math.log(spectrum.high_hz / spectrum.low_hz));
          pen.fillStyle = "rgba(255,255,255,0.28)";
          pen.fillRect(0, y, 6, 1);
          const words = hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`;
          pen.strokeStyle = "rgba(0,0,0,0.75)";
          pen.lineWidth = 3;
          pen.strokeText(words, 9, y);
          pen.fillStyle = "rgba(255,255,255,0.9)";
          pen.fillText(words, 9, y);
        }
      }
      // Seconds.
      const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60].find((each) => x(each) > 56) || 300;
      pen.textBaseline = "alphabetic";
      const base = tall + 2 * LANE + 14;
      for (let t = 0; t <= player.duration + 1e-9; t += step) {
        pen.fillStyle = faint;
        pen.fillRect(x(t), tall, 1, 2 * LANE + 4);
        pen.fillStyle = ink;
        pen.globalAlpha = 0.65;
        const words = `${Number(t.toFixed(2))} s`;
        pen.fillText(words, Math.min(x(t) + 3, width - pen.measureText(words).width - 1), base);
        pen.globalAlpha = 1;
      }
      lane(pen, "events", tall, width, ink);
      lane(pen, "sounds", tall + LANE, width, ink);
      for (const each of events) mark(pen, x(each.time_s), tall + LANE / 2, 6, hueOf.get(view.text(each.kind)));
      for (const each of sounds) {
        const size = typeof each.peak_pa === "number" ? Math.max(0.15, 1 + Math.log10(Math.max(each.peak_pa, 1e-12) / loudest) / 3) : 0.5;
        pen.fillStyle = view.theme("accent");
        pen.fillRect(x(each.time_s) - 1, tall + 2 * LANE - 3 - size * (LANE - 8), 2, size * (LANE - 8));
      }
      if (typeof detail.cue_s === "number" && detail.cue_s > 0 && detail.cue_s < player.duration) {
        pen.fillStyle = view.theme("cue");
        pen.fillRect(x(detail.cue_s) - 1, 0, 2, tall + 2 * LANE);
        pen.font = "600 10.5px system-ui, sans-serif";
        const room = x(detail.cue_s) + 30 < width;
        pen.textAlign = room ? "left" : "right";
        if (tall) pen.fillStyle = "#f0b64a"; // on the spectrogram, which is dark in either theme
        pen.fillText("cue", x(detail.cue_s) + (room ? 4 : -4), 12);
        pen.textAlign = "left";
      }
    };

    const line = along(player, tall + 2 * LANE + 18, draw, "Time");
    if (picture) picture.addEventListener("load", line.again);
    const told = el("p", { className: "told", role: "status" });
    line.whole.addEventListener("pointermove", (event) => {
      const t = line.at(event);
      const reach = (7 / line.canvas.clientWidth) * player.duration;
      const near = [...events.map((each) => [each, "event"]), ...sounds.map((each) => [each, "sound"])].filter(([each]) => Math.abs(each.time_s - t) <= reach).sort(([a], [b]) => Math.abs(a.time_s - t) - Math.abs(b.time_s - t));
      view.empty(told, near.length ? near.slice(0, 3).map(([each, what]) => el("span", {}, describe(each, what))) : view.seconds(t));
    });
    line.whole.addEventListener("pointerleave", () => view.empty(told));

    const legend = el("div", { className: "legend" }, kinds.map((kind) => el("span", { className: "chip-colour" }, el("i", { style: { background: hueOf.get(kind) } }), kind.replace(/_/g, " "))),
      sounds.length ? el("span", { className: "chip-colour" }, el("i", { className: "bar-mark" }), "sound, by peak") : null,
      typeof detail.cue_s === "number" ? el("span", { className: "chip-colour" }, el("i", { className: "cue-mark" }), `cue ${view.seconds(detail.cue_s)}`) : null,
      spectrum ? el("span", {}, spectrum.peak_db === null ? "silent" : `peak ${view.number(Math.round(spectrum.peak_db * 10) / 10)} dB of full scale; colours span ${spectrum.range_db} dB below the loudest`) : el("span", {}, "no sound"));
    return [line.whole, told, legend, list(events, sounds, player, hueOf)];
  };

  function lane(pen, words, y, width, ink) {
    pen.fillStyle = ink;
    pen.globalAlpha = 0.06;
    pen.fillRect(0, y + 2, width, LANE - 3);
    pen.globalAlpha = 0.45;
    pen.textBaseline = "middle";
    pen.fillText(words, 4, y + LANE / 2 + 1);
    pen.globalAlpha = 1;
    pen.textBaseline = "alphabetic";
  }

  function mark(pen, x, y, r, colour) {
    pen.fillStyle = colour;
    pen.strokeStyle = view.theme("panel");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, y - r);
    pen.lineTo(x + r, y);
    pen.lineTo(x, y + r);
    pen.lineTo(x - r, y);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }

  function describe(each, what) {
    const bodies = listOf(each.bodies).map(view.text).join(", ");
    const kind = view.text(each.kind).replace(/_/g, " ");
    if (what === "sound") return `${view.seconds(each.time_s)} sound ${kind}: ${bodies}${typeof each.dominant_hz === "number" ? `, ${Math.round(each.dominant_hz)} Hz` : ""}${typeof each.peak_pa === "number" ? `, ${view.number(each.peak_pa)} Pa` : ""}`;
    return `${view.seconds(each.time_s)} ${kind}: ${bodies}${each.speed_m_s ? `, ${view.number(each.speed_m_s)} m/s` : ""}`;
  }

  function list(events, sounds, player, hueOf) {
    if (!events.length && !sounds.length) return null;
    const line = (each, what) => el("li", {}, el("button", { type: "button", onclick: () => player.seek(each.time_s) }, el("i", { className: what === "sound" ? "bar-mark" : "", style: what === "sound" ? {} : { background: hueOf.get(view.text(each.kind)) } }), describe(each, what)));
    return el("details", { className: "event-list" }, el("summary", {}, `${view.count(events.length, "event")}, ${view.count(sounds.length, "sound")}`),
      el("div", { className: "columns" }, el("ol", {}, events.slice(0, 500).map((each) => line(each, "event"))), el("ol", {}, sounds.slice(0, 500).map((each) => line(each, "sound")))));
  }

  /** Signals as plots below one another; some at first, all when asked. */
  view.signalPlots = function (detail, player) {
    const signals = listOf(detail.signals).filter((each) => each && listOf(each.values).length);
    if (!signals.length) return null;
    const holder = el("div", { className: "signals" });
    view.add(holder, signals.slice(0, FIRST_SIGNALS).map((each) => plot(each, player)));
    const more = signals.length - FIRST_SIGNALS;
    if (more > 0) {
      const button = el("button", { type: "button", className: "more", onclick: () => { button.remove(); view.add(holder, signals.slice(FIRST_SIGNALS).map((each) => plot(each, player))); player.tell(); } }, `${more} more signals`);
      return [holder, button];
    }
    return holder;
  };

  function plot(signal, player) {
    const known = signal.values.filter((value) => value !== null);
    let [low, high] = [Math.min(...known), Math.max(...known)];
    const flat = !(high > low);
    if (flat) { low -= 1; high += 1; }
    const draw = ({ pen, width, height }) => {
      const x = (t) => (t / player.duration) * width;
      const y = (value) => height - 5 - ((value - low) / (high - low)) * (height - 10);
      if (low < 0 && high > 0) { pen.fillStyle = view.theme("faint"); pen.fillRect(0, y(0), width, 1); }
      pen.strokeStyle = view.theme("accent");
      pen.lineWidth = 1.4;
      pen.lineJoin = "round";
      pen.beginPath();
      let pending = true;
      signal.values.forEach((value, k) => {
        if (value === null) { pending = true; return; }
        if (pending) pen.moveTo(x(signal.times[k]), y(value));
        else pen.lineTo(x(signal.times[k]), y(value));
        pending = false;
      });
      pen.stroke();
    };
    const line = along(player, SIGNAL, draw, view.text(signal.name));
    const now = el("span", { className: "figure" });
    let at = 0;
    player.onTime((t) => {
      if (at > 0 && signal.times[at] > t) at = 0;
      while (at + 1 < signal.times.length && signal.times[at + 1] <= t) at += 1;
      now.textContent = `${view.number(signal.values[at])} ${signal.unit || ""}`;
    });
    const reach = flat ? `always ${view.number(known[0])}` : `${view.number(low)} to ${view.number(high)}`;
    return el("div", { className: "signal" }, el("div", { className: "signal-head" }, el("b", {}, view.text(signal.name)), now, el("span", { className: "reach" }, `${reach} ${signal.unit || ""}`)), line.whole);
  }
})(window.physreelView);
