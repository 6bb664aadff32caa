// The panel of filters.
"use strict";

(function (view) {
  const { el } = view;
  const MOST_SHOWN = 14;
  const opened = new Set();

  /** Draw the panel. `change(state)` is called with what the user has chosen. */
  view.drawFacets = function (panel, state, result, hint, change) {
    const held = document.activeElement && panel.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const above = panel.scrollTop;
    const colours = [view.theme("accent"), view.theme("faint")];
    const parts = result.tallies.map((tally) => (tally.field.kind === "range" ? range(tally, state, change, colours) : values(tally, state, change)));
    const base = parts.filter((_, k) => !result.tallies[k].field.outcome);
    const labels = parts.filter((_, k) => result.tallies[k].field.outcome);
    view.empty(panel, base, labels.length ? el("h2", {}, "labels") : null, labels, hint ? el("p", { className: "hint" }, "Choose one scene to filter by its labels.") : null);
    panel.scrollTop = above;
    if (held) for (const node of panel.querySelectorAll("[data-key]")) if (node.dataset.key === held) { node.focus({ preventScroll: true }); break; }
  };

  function values({ field, counts }, state, change) {
    const chosen = state.facets.get(field.name) || new Set();
    for (const value of chosen) if (!counts.has(value)) counts.set(value, 0);
    const sorted = [...counts].sort(([a], [b]) => compare(a, b));
    let most = 1;
    for (const count of counts.values()) if (count > most) most = count;
    const all = opened.has(field.name);
    const items = sorted.filter(([value], k) => all || k < MOST_SHOWN || chosen.has(value)).map(([value, count]) => {
      const toggle = () => {
        const facets = new Map(state.facets);
        const wanted = new Set(chosen);
        if (wanted.has(value)) wanted.delete(value);
        else wanted.add(value);
        if (wanted.size) facets.set(field.name, wanted);
        else facets.delete(field.name);
        change({ ...state, facets });
      };
      return el("label", { className: count ? "value" : "value zero" },
        el("input", { type: "checkbox", checked: chosen.has(value), onchange: toggle, "data-key": `${field.name}\n${value}` }),
        el("span", { className: "bar", style: { width: `${(100 * count) / most}%` } }),
        el("span", { className: "word" }, value), el("span", { className: "figure" }, count));
    });
    const more = sorted.length - MOST_SHOWN;
    return section(field, items, more > 0 && el("button", {
      type: "button", className: "more",
      onclick: () => { if (all) opened.delete(field.name); else opened.add(field.name); change(state); },
    }, all ? "fewer" : `${more} more`));
  }

  function range({ field, numbers }, state, change, colours) {
    const [low, high] = state.ranges.get(field.name) || [null, null];
    let least = Infinity;
    let most = -Infinity;
    for (const value of numbers) { if (value < least) least = value; if (value > most) most = value; }
    const bins = new Array(28).fill(0);
    for (const value of numbers) bins[most > least ? Math.min(27, Math.floor(((value - least) / (most - least)) * 28)) : 0] += 1;
    const top = Math.max(1, ...bins);
    const ends = [low, high];
    const input = (k, name, ghost) => el("input", {
      type: "number", step: "any", value: ends[k] ?? "", placeholder: Number.isFinite(ghost) ? view.number(ghost) : "", "aria-label": `${field.label} ${name}`,
      "data-key": `${field.name}\n${name}`,
      onchange: (event) => {
        const next = [low, high];
        next[k] = event.target.value === "" ? null : Number(event.target.value);
        const ranges = new Map(state.ranges);
        if (next[0] === null && next[1] === null) ranges.delete(field.name);
        else ranges.set(field.name, next);
        change({ ...state, ranges });
      },
    });
    // One small canvas: as elements, the bars of a dozen fields would be most of what the page has to lay out.
    const bars = el("canvas", { className: "bins", width: 28 * 6, height: 34, "aria-hidden": "true" });
    const pen = bars.getContext("2d");
    bins.forEach((count, k) => {
      const from = least + ((most - least) * k) / 28;
      const inside = (low === null || from + (most - least) / 28 > low) && (high === null || from < high);
      const tall = count ? Math.max(2, (33 * count) / top) : 0;
      pen.fillStyle = colours[inside ? 0 : 1];
      pen.fillRect(k * 6, 34 - tall, 5, tall);
    });
    return section(field, bars, el("div", { className: "ends" }, input(0, "at least", least), el("span", {}, "to"), input(1, "at most", most)));
  }

  function section(field, ...inside) {
    return el("fieldset", { className: "facet" }, el("legend", { title: field.label }, field.label.replace(/_/g, " ")), inside);
  }

  function compare(a, b) {
    const [x, y] = [Number(a), Number(b)];
    if (Number.isFinite(x) && Number.isFinite(y)) return x - y;
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** What is chosen as words that can be taken away one by one. */
  view.drawChosen = function (place, state, change) {
    const chips = [];
    const chip = (words, without) => chips.push(el("button", { type: "button", className: "chip", title: "Take this filter away", onclick: () => change(without) }, words, " ×"));
    if (state.group !== null) chip(`group ${state.group}`, { ...state, group: null });
    const plain = (name) => name.replace(/^outcome\./, "").replace(/_/g, " ");
    for (const [name, values] of state.facets) {
      const facets = new Map(state.facets);
      facets.delete(name);
      chip(`${plain(name)}: ${[...values].join(" or ")}`, { ...state, facets });
    }
    for (const [name, [low, high]] of state.ranges) {
      const ranges = new Map(state.ranges);
      ranges.delete(name);
      chip(`${plain(name)}: ${low ?? ""} to ${high ?? ""}`, { ...state, ranges });
    }
    view.empty(place, chips);
  };
})(window.physreelView);
