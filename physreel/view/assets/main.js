// The page: what the address says is what is shown; keys; dark and light.
"use strict";

(function (view) {
  const { el } = view;
  const find = (id) => document.getElementById(id);
  const themed = [];
  const waiting = [];
  const KEYS = [
    ["/", "search"], ["arrows, Home, End, Page up, Page down", "go about the grid"], ["space", "play the clip that has the focus"], ["Enter", "open it"], ["s", "sound on or off"],
    ["space or k", "play, pause"], ["← →, with Shift", "a frame, ten frames"], ["Home, End", "first, last frame"], ["< >", "slower, faster"], ["l", "loop"], ["1 to 9", "a pass larger"],
    ["p n", "previous, next clip"], ["Esc", "back to the grid"], ["?", "these keys"],
  ];
  let state = view.parseState("");
  let fields = [];
  let fieldsFor = null;
  let result = { shown: [], tallies: [] };
  let drawn = null;
  let grid = null;

  view.onTheme = (listener) => { themed.push(listener); };
  view.whenComplete = (listener) => { if (view.data.complete) listener(); else waiting.push(listener); };

  /** Where the page would be with another state; the one way in which it goes anywhere. */
  const address = (changes) => view.formatState({ ...state, ...changes });
  const go = (next) => {
    const said = view.formatState(next);
    if (said !== location.hash && !(said === "#" && location.hash === "")) history.pushState(null, "", said);
    follow();
  };

  function follow() {
    const next = view.parseState(location.hash);
    state = next;
    const asked = view.formatState({ ...state, clip: null });
    if (asked !== drawn) {
      drawGrid(false);
      drawn = asked;
    }
    find("overview").hidden = state.clip !== null;
    find("clip").hidden = state.clip === null;
    if (state.clip !== null) {
      grid.stop();
      find("clip").scrollTop = 0;
      view.openClip(find("clip"), state.clip, clipLinks(), find("sound").checked);
    } else {
      view.closeClip();
      document.title = `${view.data.summary.dataset} · physreel view`;
      grid.layout();
    }
  }

  function drawGrid(keep) {
    const rows = view.data.rows;
    const basis = JSON.stringify([rows.length, ...["scene", "split", "variant", "camera"].map((name) => [...(state.facets.get(name) || [])])]);
    let hint = false;
    if (basis !== fieldsFor) {
      ({ fields, hint } = view.fieldsOf(rows, state));
      fields.hint = hint;
      fieldsFor = basis;
    }
    result = view.filter(rows, state, fields);
    const total = view.data.summary.count;
    const more = view.data.complete ? "" : ", reading…";
    find("count").textContent = result.shown.length === rows.length ? `${total} ${total === 1 ? "clip" : "clips"}${more}` : `${result.shown.length} of ${total} clips${more}`;
    view.drawFacets(find("facets"), state, result, fields.hint, go);
    view.drawChosen(find("chosen"), state, go);
    drawSort();
    if (document.activeElement !== find("search")) find("search").value = state.q;
    grid.show(result.shown, keep);
    find("scroller").classList.toggle("none", result.shown.length === 0);
    find("scroller").dataset.words = rows.length ? "No clip passes all filters." : "This data set has no clips yet.";
  }

  function drawSort() {
    const choices = [["order", "as stored"], ["id", "id"], ["caption", "caption"], ["duration", "duration"], ...fields.filter((field) => field.outcome).map((field) => [field.name, field.label.replace(/_/g, " ")])];
    view.empty(find("sort"), choices.map(([value, words]) => el("option", { value, selected: value === state.sort }, words)));
    find("direction").textContent = state.descending ? "↓" : "↑";
  }

  function keys() {
    let later = null;
    find("search").addEventListener("input", (event) => {
      clearTimeout(later);
      later = setTimeout(() => {
        // Letters of one search are one step of the browser's history.
        state.q = event.target.value;
        history.replaceState(null, "", view.formatState(state));
        follow();
      }, 60);
    });
    find("sort").addEventListener("change", (event) => go({ ...state, sort: event.target.value }));
    find("direction").addEventListener("click", () => go({ ...state, descending: !state.descending }));
    find("filters-toggle").addEventListener("click", (event) => {
      const open = find("overview").classList.toggle("filters-open");
      event.target.setAttribute("aria-expanded", String(open));
    });
    find("sound").addEventListener("change", (event) => {
      grid.setSound(event.target.checked);
      const player = view.player();
      if (player && player.master) player.master.muted = !event.target.checked;
    });
    find("theme").addEventListener("click", () => {
      const dark = getComputedStyle(document.documentElement).colorScheme.trim() === "dark";
      document.documentElement.dataset.theme = dark ? "light" : "dark";
      for (const listener of themed) listener();
      drawn = null;
      follow();
    });
    find("help-button").addEventListener("click", () => find("help").showModal());
    find("home").addEventListener("click", (event) => { event.preventDefault(); go(view.parseState("")); });
    document.addEventListener("keydown", (event) => {
      const at = event.target;
      if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
      if (at.matches("input:not([type=checkbox]):not([type=range]), select, textarea")) {
        if (event.key === "Escape") at.blur();
        return;
      }
      if (find("help").open) return;
      const clip = find("clip");
      const follows = (words) => [...clip.querySelectorAll(".bar a")].find((link) => link.textContent === words);
      if (event.key === "?") find("help").showModal();
      else if (event.key === "/" && state.clip === null) find("search").focus();
      else if (event.key === "s") find("sound").click();
      else if (state.clip !== null && event.key === "Escape") go({ ...state, clip: null });
      else if (state.clip !== null && (event.key === "n" || event.key === "p")) { const link = follows(event.key === "n" ? "next" : "previous"); if (link) link.click(); }
      else if (state.clip !== null) {
        // A focused button or range has the space bar and arrows for itself.
        const own = at.matches("button, summary, a, input[type=checkbox]") ? [" ", "Enter"] : at.matches("input[type=range]") ? ["ArrowLeft", "ArrowRight", "Home", "End"] : [];
        if (own.includes(event.key) || !view.clipKey(event.key, event.shiftKey, clip)) return;
      } else if (event.key.startsWith("Arrow") && at === document.body) grid.focus(grid.focused);
      else return;
      event.preventDefault();
    });
  }

  async function begin() {
    view.empty(find("help"), el("h2", {}, "Keys"), el("table", { className: "pairs" }, el("tbody", {}, KEYS.map(([key, does]) => el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, does))))), el("form", { method: "dialog" }, el("button", {}, "close")));
    if (!(await view.load("data/summary.js")) || view.data.summary === null) {
      view.empty(find("notes"), el("p", { className: "warning" }, "data/summary.js is missing: the folder is not whole. Write it again with physreel view."));
      return;
    }
    const summary = view.data.summary;
    find("dataset").textContent = summary.dataset;
    if (summary.problems.length) view.empty(find("notes"), el("details", { className: "warning" }, el("summary", {}, summary.problems.length === 1 ? "Something of this data set is left out" : `${summary.problems.length} things of this data set are left out`), el("ul", {}, summary.problems.map((each) => el("li", {}, each)))));
    grid = new view.Grid(find("scroller"), find("cards"), (row) => address({ clip: row.number }));
    keys();
    window.addEventListener("popstate", follow);
    window.addEventListener("hashchange", follow);
    follow();
    const missing = await view.loadRows((done) => { if (done || view.data.rows.length <= 1000) { fieldsFor = null; if (state.clip === null || done) refresh(); } });
    if (missing.length) view.add(find("notes"), [el("p", { className: "warning" }, `${missing.join(", ")} cannot be loaded; those clips are left out.`)]);
    for (const listener of waiting.splice(0)) listener();
  }

  /** More rows have come: the grid again, but not the clip that is open. */
  function refresh() {
    drawGrid(true);
    // A clip that was opened before the list was known gets its neighbours now.
    const around = find("clip").querySelector(".around");
    if (state.clip !== null && around) view.empty(around, view.around(clipLinks()));
  }

  function clipLinks() {
    return {
      home: address({ clip: null }),
      around: () => {
        const k = result.shown.findIndex((row) => row.number === state.clip);
        return [k - 1, k + 1].map((place) => (k >= 0 && result.shown[place] ? address({ clip: result.shown[place].number }) : null));
      },
      of: (row) => address({ clip: row.number }),
      group: (row) => view.formatState({ ...view.parseState(""), group: row.group, facets: new Map([["scene", new Set([row.scene])]]) }),
    };
  }

  window.addEventListener("unhandledrejection", (event) => { view.add(find("notes"), [el("p", { className: "warning" }, `The page has a fault: ${view.text(event.reason && event.reason.message)}`)]); });
  begin();
})(window.physreelView);
