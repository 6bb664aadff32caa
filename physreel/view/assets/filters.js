// Which rows are shown, in which order, and how many there would be with one more filter. No elements here.
"use strict";

(function (view) {
  const NONE = "–";
  const MOST_VALUES = 12;
  const BASE = ["scene", "split", "variant", "camera"];

  /** The page's state: what the address says behind #. */
  view.parseState = function (hash) {
    const state = { q: "", facets: new Map(), ranges: new Map(), sort: "order", descending: false, group: null, clip: null };
    for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
      if (key === "q") state.q = value;
      else if (key === "sort") state.sort = value;
      else if (key === "down") state.descending = value === "1";
      else if (key === "group") state.group = value;
      else if (key === "clip") state.clip = /^\d{1,9}$/.test(value) ? Number(value) : null;
      else if (key.startsWith("is.")) {
        const name = key.slice(3);
        if (!state.facets.has(name)) state.facets.set(name, new Set());
        state.facets.get(name).add(value);
      } else if (key.startsWith("in.")) {
        const ends = value.split("..").map((end) => (end === "" ? null : Number(end)));
        if (ends.length === 2 && ends.every((end) => end === null || Number.isFinite(end))) state.ranges.set(key.slice(3), ends);
      }
    }
    return state;
  };

  view.formatState = function (state) {
    const said = new URLSearchParams();
    if (state.q) said.append("q", state.q);
    for (const [name, values] of state.facets) for (const value of values) said.append(`is.${name}`, value);
    for (const [name, [low, high]] of state.ranges) said.append(`in.${name}`, `${low ?? ""}..${high ?? ""}`);
    if (state.group !== null) said.append("group", state.group);
    if (state.sort !== "order") said.append("sort", state.sort);
    if (state.descending) said.append("down", "1");
    if (state.clip !== null) said.append("clip", String(state.clip));
    const text = said.toString();
    return text === "" ? "#" : `#${text}`;
  };

  /** A row's value of a field: undefined where it has no such field. Fields of outcomes are "outcome.NAME". */
  view.fieldOf = function (row, name) {
    if (!name.startsWith("outcome.")) return row[name];
    const place = row.kind.place.get(name.slice(8));
    return place === undefined ? undefined : row.outcome[place];
  };

  const word = (value) => (value === null || value === "" ? NONE : String(value));

  /** What can be filtered by: fields with few values as facets, numbers with many as ranges. */
  view.fieldsOf = function (rows, state) {
    const found = [];
    for (const name of BASE) {
      const values = new Set();
      for (const row of rows) values.add(row[name]);
      if (values.size > 1 || state.facets.has(name)) found.push({ name, label: name, kind: "values" });
    }
    const numbers = [{ name: "duration", label: "duration (s)" }].filter(({ name }) => new Set(rows.map((row) => row[name])).size > 1);
    for (const field of numbers) found.push({ ...field, kind: "range" });
    const scenes = new Set(rows.map((row) => row.scene));
    const chosen = state.facets.get("scene");
    const only = scenes.size === 1 ? [...scenes][0] : chosen && chosen.size === 1 ? [...chosen][0] : null;
    if (only === null) return { fields: found, hint: scenes.size > 1 };
    const seen = new Map();
    for (const row of rows) {
      if (word(row.scene) !== word(only)) continue;
      row.kind.fields.forEach((name, k) => {
        let of = seen.get(name);
        if (of === undefined) seen.set(name, (of = { values: new Set(), numbers: true }));
        const value = row.outcome[k];
        if (value !== null && typeof value !== "number") of.numbers = false;
        if (of.values.size <= MOST_VALUES) for (const each of Array.isArray(value) ? value : [value]) of.values.add(each);
      });
    }
    for (const [name, of] of seen) {
      const range = of.numbers && of.values.size > MOST_VALUES;
      found.push({ name: `outcome.${name}`, label: name, kind: range ? "range" : "values", outcome: true });
    }
    return { fields: found, hint: false };
  };

  function tests(state) {
    const made = [];
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) made.push({ name: null, passes: (row) => words.every((each) => row.searched.includes(each)) });
    if (state.group !== null) made.push({ name: null, passes: (row) => row.group === state.group });
    for (const [name, wanted] of state.facets) {
      made.push({
        name,
        passes: (row) => {
          const value = view.fieldOf(row, name);
          if (value === undefined) return false;
          return Array.isArray(value) ? value.some((each) => wanted.has(word(each))) : wanted.has(word(value));
        },
      });
    }
    for (const [name, [low, high]] of state.ranges) {
      made.push({
        name,
        passes: (row) => {
          const value = view.fieldOf(row, name);
          return typeof value === "number" && (low === null || value >= low) && (high === null || value <= high);
        },
      });
    }
    return made;
  }

  /** A field's values row by row, quickly: where it stands in an outcome is looked up once a kind. */
  function reader(name) {
    if (!name.startsWith("outcome.")) return (row) => row[name];
    const field = name.slice(8);
    let kind = null;
    let place = -1;
    return (row) => {
      if (row.kind !== kind) {
        kind = row.kind;
        place = kind.place.has(field) ? kind.place.get(field) : -1;
      }
      return place < 0 ? undefined : row.outcome[place];
    };
  }

  /**
   * The rows that pass, sorted, and for each field its values with counts, or its numbers, among the rows that pass
   * all filters but its own.
   */
  view.filter = function (rows, state, fields) {
    const asked = tests(state);
    const tallies = fields.map((field) => ({ field, read: reader(field.name), counts: new Map(), numbers: [] }));
    const byName = new Map(tallies.map((tally) => [tally.field.name, tally]));
    const shown = [];
    const count = (tally, row) => {
      const value = tally.read(row);
      if (value === undefined) return;
      if (tally.field.kind === "range") {
        if (typeof value === "number") tally.numbers.push(value);
        return;
      }
      // Counted by value, and named in the end: a row's text is not made anew for each of its fields.
      for (const each of Array.isArray(value) ? value : [value]) tally.counts.set(each, (tally.counts.get(each) || 0) + 1);
    };
    for (const row of rows) {
      let failed = 0;
      let by = null;
      for (const test of asked) {
        if (!test.passes(row)) {
          failed += 1;
          by = test;
          if (failed > 1 || test.name === null) { failed = 2; break; }
        }
      }
      if (failed === 0) {
        shown.push(row);
        for (const tally of tallies) count(tally, row);
      } else if (failed === 1 && byName.has(by.name)) {
        count(byName.get(by.name), row);
      }
    }
    for (const tally of tallies) {
      const named = new Map();
      for (const [value, times] of tally.counts) named.set(word(value), (named.get(word(value)) || 0) + times);
      tally.counts = named;
    }
    sort(shown, state);
    return { shown, tallies };
  };

  function sort(rows, state) {
    const turn = state.descending ? -1 : 1;
    if (state.sort === "order") {
      if (state.descending) rows.reverse();
      return;
    }
    const keys = new Map(rows.map((row) => [row, view.fieldOf(row, state.sort)]));
    rows.sort((a, b) => {
      const x = keys.get(a);
      const y = keys.get(b);
      // What has no value stands last either way.
      const none = (x === undefined || x === null) - (y === undefined || y === null);
      if (none || x === undefined || x === null) return none || a.order - b.order;
      if (typeof x === "number" && typeof y === "number") return turn * (x - y) || a.order - b.order;
      const [s, t] = [String(x), String(y)];
      return turn * (s < t ? -1 : s > t ? 1 : 0) || a.order - b.order;
    });
  }
})(window.physreelView);
