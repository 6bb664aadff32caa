// What is known of a clip in words: questions, outcome, bodies, the spec and where it comes from.
"use strict";

(function (view) {
  const { el } = view;
  const listOf = (value) => (Array.isArray(value) ? value : []);

  /** Questions whose answers show when they are clicked on. */
  view.questions = function (detail) {
    const questions = listOf(detail.questions).filter((each) => each && typeof each === "object");
    if (!questions.length) return null;
    const items = questions.map((each) => el("details", { className: "question" },
      el("summary", {}, el("span", { className: "asked" }, view.text(each.question)), listOf(each.choices).length ? el("span", { className: "choices" }, listOf(each.choices).map(view.text).join(" / ")) : null,
        el("span", { className: "tag" }, view.text(each.kind).replace(/_/g, " ")), each.needs ? el("span", { className: "tag" }, `needs ${view.text(each.needs)}`) : null),
      el("p", { className: "answer" }, view.text(each.answer))));
    const all = el("button", { type: "button", onclick: () => {
      const open = items.some((each) => !each.open);
      for (const each of items) each.open = open;
    } }, "show or hide all answers");
    return [items, all];
  };

  /** An object as a table: nested names with dots, lists of objects as tables of their own. */
  view.table = function (value) {
    const rows = [];
    const walk = (inner, name, depth) => {
      if (inner !== null && typeof inner === "object" && !Array.isArray(inner) && depth < 6) {
        for (const [key, each] of Object.entries(inner)) walk(each, name ? `${name}.${key}` : key, depth + 1);
      } else if (Array.isArray(inner) && inner.length && inner.every((each) => each !== null && typeof each === "object" && !Array.isArray(each))) {
        rows.push([name, el("details", {}, el("summary", {}, inner.length === 1 ? "1 entry" : `${inner.length} entries`), view.records(inner))]);
      } else {
        rows.push([name, Array.isArray(inner) && inner.every((each) => each === null || typeof each !== "object") ? inner.map(view.text).join(", ") || "none" : view.text(inner)]);
      }
    };
    walk(value, "", 0);
    return el("table", { className: "pairs" }, el("tbody", {}, rows.map(([name, cell]) => el("tr", {}, el("th", { scope: "row" }, name.replace(/_/g, " ")), el("td", { className: typeof cell === "string" ? (cell === "true" ? "yes" : cell === "false" ? "no" : "") : "" }, cell)))));
  };

  /** A list of objects as one table. */
  view.records = function (list, names) {
    const columns = names || [...new Set(list.flatMap((each) => Object.keys(each)))];
    return el("div", { className: "scrolls" }, el("table", {}, el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name.replace(/_/g, " "))))),
      el("tbody", {}, list.slice(0, 1000).map((each) => el("tr", {}, columns.map((name) => el("td", {}, each[name] instanceof Node ? each[name] : view.text(each[name]))))))));
  };

  view.bodiesTable = function (detail) {
    const bodies = listOf(detail.bodies);
    const fluids = listOf(detail.fluids);
    const dot = (k) => el("i", { className: "dot", style: { background: detail.colours[k + 1] || "transparent" } });
    const parts = [];
    if (bodies.length) parts.push(view.records(bodies.map((each, k) => ({ ...each, "": dot(k) })), ["", "name", "label", "shape", "material", "motion", "mass_kg", "segmentation_id"]));
    if (fluids.length) parts.push(view.records(fluids.map((each, k) => ({ ...each, "": dot(bodies.length + k) })), ["", "name", "label", "liquid", "volume_m3", "particle_count", "segmentation_id"]));
    return parts.length ? parts : null;
  };

  /** JSON that came as text in pieces, laid out when it is opened; text that is none is shown as it is. */
  view.json = function (title, pieces) {
    const text = listOf(pieces).join("");
    if (!text) return null;
    const holder = el("pre", { tabIndex: 0 });
    const whole = el("details", { className: "json" }, el("summary", {}, title, el("span", { className: "figure" }, ` ${Math.max(1, Math.round(text.length / 1000))} kB`)), holder);
    whole.addEventListener("toggle", () => {
      if (!whole.open || holder.textContent) return;
      try { holder.textContent = JSON.stringify(JSON.parse(text), null, 2); } catch { holder.textContent = text; }
    });
    return whole;
  };
})(window.physreelView);
