// The grid of clips: only the cards near the window exist, so ten thousand rows cost what fifty do.
"use strict";

(function (view) {
  const { el } = view;
  const GAP = 12;
  const WORDS = 74;
  const LEAST_WIDTH = 208;

  view.Grid = class {
    constructor(scroller, holder, open) {
      this.scroller = scroller;
      this.holder = holder;
      this.open = open;
      this.rows = [];
      this.cards = new Map();
      this.focused = 0;
      this.sound = false;
      this.playing = null;
      this.film = el("video", { playsInline: true, loop: true, muted: true, className: "film", tabIndex: -1 });
      this.heard = el("audio", {});
      this.film.addEventListener("playing", () => this.film.classList.add("running"));
      scroller.addEventListener("scroll", () => this.draw(), { passive: true });
      new ResizeObserver(() => this.layout()).observe(scroller);
      holder.addEventListener("keydown", (event) => this.key(event));
    }

    /** Show these rows; where they begin with the same card, the place in the list is kept. */
    show(rows, keep) {
      this.rows = rows;
      if (!keep) { this.scroller.scrollTop = 0; this.focused = 0; }
      this.stop();
      for (const card of this.cards.values()) card.remove();
      this.cards.clear();
      this.layout();
    }

    layout() {
      const width = this.scroller.clientWidth - GAP;
      if (width <= 0) return;
      const first = this.rows[0];
      const ratio = first && first.width && first.height ? Math.min(2, Math.max(0.7, first.width / first.height)) : 4 / 3;
      this.columns = Math.max(1, Math.floor(width / (LEAST_WIDTH + GAP)));
      this.cardWidth = Math.floor((width - GAP * this.columns) / this.columns);
      this.picture = Math.round(this.cardWidth / ratio);
      this.step = this.picture + WORDS + GAP;
      this.holder.style.height = `${Math.ceil(this.rows.length / this.columns) * this.step + GAP}px`;
      for (const [k, card] of this.cards) this.place(card, k);
      this.draw();
    }

    draw() {
      if (!this.columns) return;
      const top = this.scroller.scrollTop;
      const first = Math.max(0, Math.floor(top / this.step) - 1) * this.columns;
      const last = Math.min(this.rows.length, (Math.ceil((top + this.scroller.clientHeight) / this.step) + 1) * this.columns);
      for (const [k, card] of this.cards) {
        if (k >= first && k < last) continue;
        if (card.contains(this.film)) this.stop();
        card.remove();
        this.cards.delete(k);
      }
      for (let k = first; k < last; k += 1) {
        if (this.cards.has(k)) continue;
        const card = this.card(k);
        this.cards.set(k, card);
        this.place(card, k);
        this.holder.append(card);
      }
    }

    place(card, k) {
      const left = GAP + (k % this.columns) * (this.cardWidth + GAP);
      const top = GAP + Math.floor(k / this.columns) * this.step;
      card.style.transform = `translate(${left}px, ${top}px)`;
      card.style.width = `${this.cardWidth}px`;
      card.style.height = `${this.step - GAP}px`;
      card.firstChild.style.height = `${this.picture}px`;
    }

    card(k) {
      const row = this.rows[k];
      const poster = row.has.includes("poster")
        ? el("img", { src: `${view.stem(row.number)}-poster.jpg`, alt: "", decoding: "async", draggable: false, onerror: (event) => event.target.remove() })
        : null;
      const plays = row.has.includes("rgb") || row.has.includes("passes");
      const link = el("a", { className: "picture", href: this.open(row), tabIndex: k === this.focused ? 0 : -1, "aria-label": `${row.id}: ${row.caption}`, "data-k": k, onfocus: () => { this.focused = k; } }, poster, poster ? null : el("span", { className: "nothing" }, row.has.length ? row.id : "no picture, no sound"));
      if (plays) {
        let touched = false;
        link.addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch"; });
        link.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") this.wait = setTimeout(() => this.play(row, link), 120); });
        link.addEventListener("pointerleave", (event) => { clearTimeout(this.wait); if (event.pointerType !== "touch") this.stop(); });
        // A first tap plays, a second opens.
        link.addEventListener("click", (event) => { if (touched && !link.contains(this.film)) { event.preventDefault(); this.play(row, link); } });
      }
      const badges = [row.variant && row.variant !== "original" ? row.variant : null, row.has.includes("sound") ? "♪" : null, row.camera && row.camera !== "main" ? row.camera : null];
      return el("article", { className: "card", role: "listitem" }, link,
        el("p", { className: "caption", title: row.caption }, row.caption || row.id),
        el("p", { className: "meta" }, el("span", { className: "tag" }, row.scene), row.split ? el("span", { className: "tag" }, row.split) : null, badges.filter(Boolean).map((each) => el("span", { className: "tag strong" }, each)),
          el("span", { className: "figure" }, typeof row.duration === "number" ? `${view.number(row.duration)} s` : "")));
    }

    play(row, link) {
      this.stop();
      const rgb = row.has.includes("rgb");
      this.film.src = `${view.stem(row.number)}${rgb ? "-rgb" : "-passes"}.mp4`;
      link.append(this.film);
      this.film.play().catch(() => {});
      this.listen(row);
    }

    /** Sound with the film; before the page has been clicked on browsers allow none, and then there is none. */
    listen(row) {
      this.playing = row;
      if (!this.sound || !row.has.includes("sound")) return;
      this.heard.src = `${view.stem(row.number)}-sound.flac`;
      this.heard.currentTime = this.film.currentTime;
      this.heard.play().catch(() => {});
    }

    stop() {
      if (!this.film.isConnected) return;
      this.heard.pause();
      this.playing = null;
      this.film.pause();
      this.film.classList.remove("running");
      this.film.remove();
      this.film.removeAttribute("src");
      this.film.load();
    }

    setSound(on) {
      this.sound = on;
      if (!on) this.heard.pause();
      else if (this.film.isConnected && this.playing) this.listen(this.playing);
    }

    key(event) {
      const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, Home: -Infinity, End: Infinity, PageDown: 3 * this.columns, PageUp: -3 * this.columns };
      if (event.key === " " && event.target.matches("a.picture")) {
        event.preventDefault();
        const row = this.rows[this.focused];
        if (event.target.contains(this.film)) this.stop();
        else if (row.has.includes("rgb") || row.has.includes("passes")) this.play(row, event.target);
        return;
      }
      if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.focus(Math.min(this.rows.length - 1, Math.max(0, this.focused + moves[event.key])));
    }

    /** Put the focus on a card, wherever it is. */
    focus(k) {
      if (!this.rows.length || !this.columns) return;
      const top = Math.floor(k / this.columns) * this.step;
      if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
      else if (top + this.step > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = top + this.step - this.scroller.clientHeight + GAP;
      this.draw();
      for (const card of this.cards.values()) card.firstChild.tabIndex = -1;
      const card = this.cards.get(k);
      if (card) { card.firstChild.tabIndex = 0; card.firstChild.focus({ preventScroll: true }); }
      this.focused = k;
    }
  };
})(window.physreelView);
