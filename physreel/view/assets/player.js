// One clock for everything on a clip's page: the films, the sound, the timeline and the drawing.
"use strict";

(function (view) {
  const LEAST_BETWEEN_SEEKS_MS = 700;
  const SEEK_AHEAD_S = 0.06;

  view.Player = class {
    /** fps and duration (s) of the clip; `master` is the film or sound that keeps the time, or null for a clock. */
    constructor(fps, duration, frames) {
      this.fps = fps;
      this.duration = duration;
      this.frames = frames;
      this.master = null;
      this.followers = [];
      this.listeners = [];
      this.rate = 1;
      this.loops = false;
      this.wanted = 0;
      this.running = false;
      this.closed = false;
      this.sought = new Map();
      this.shown = -1;
      this.last = null;
      const tick = (now) => {
        if (this.closed) return;
        this.tick(now);
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    setMaster(film) {
      this.master = film;
      film.addEventListener("ended", () => this.end());
      this.prepare(film);
    }

    follow(film) {
      film.muted = true;
      this.followers.push(film);
      this.prepare(film);
    }

    unfollow(film) {
      this.followers = this.followers.filter((other) => other !== film);
    }

    prepare(film) {
      // Where a film is to stand can be said to it only once it knows how long it is.
      film.addEventListener("loadedmetadata", () => { film.currentTime = this.time; film.playbackRate = this.rate; if (this.running) film.play().catch(() => {}); });
    }

    /** Seconds since the beginning. */
    get time() {
      // While a film seeks, what was asked for is the time.
      if (this.master === null || !this.running || this.master.seeking || this.master.readyState < 2) return this.wanted;
      return Math.min(this.master.currentTime, this.duration);
    }

    get frame() { return Math.min(this.frames - 1, Math.max(0, Math.floor(this.time * this.fps + 1e-6))); }

    get playing() { return this.running; }

    tick(now) {
      if (this.running && this.master === null) {
        if (this.last !== null) this.wanted += ((now - this.last) / 1000) * this.rate;
        if (this.wanted >= this.duration) { this.wanted = this.duration; this.end(); }
      }
      this.last = now;
      const t = this.time;
      if (this.running) {
        if (this.master !== null) this.wanted = t;
        for (const film of this.followers) this.keep(film, t);
      }
      if (t !== this.shown) { this.shown = t; this.tell(); }
    }

    /** Hold a film that follows to the time: nudge it, or put it where it belongs when it is far off. */
    keep(film, t) {
      if (film.readyState < 2 || film.seeking) return;
      if (film.paused && t < (film.duration || 0) - 0.02) film.play().catch(() => {});
      const late = t - film.currentTime;
      const now = performance.now();
      // On a slow machine a seek takes time in which the film falls behind again: not one after another, and ahead.
      const sought = this.sought.get(film) || -Infinity;
      if (Math.abs(late) > 2.5 / this.fps && now - sought > LEAST_BETWEEN_SEEKS_MS) {
        this.sought.set(film, now);
        film.currentTime = Math.min(this.duration, t + SEEK_AHEAD_S * this.rate);
      } else film.playbackRate = this.rate * (Math.abs(late) > 0.25 / this.fps ? 1 + Math.max(-0.12, Math.min(0.12, late * 3)) : 1);
    }

    tell() { for (const each of this.listeners) each(this.time, this.frame); }

    onTime(listener) { this.listeners.push(listener); }

    end() {
      // A film may tell its end late, when it has been paused in the meantime.
      if (!this.running) return;
      if (this.loops) { this.seek(0); this.play(); return; }
      this.pause();
      this.seekFrame(this.frames - 1);
    }

    play() {
      if (this.wanted >= this.duration - 1 / this.fps) this.seek(0);
      this.running = true;
      this.last = null;
      for (const film of this.followers) { film.playbackRate = this.rate; film.play().catch(() => {}); }
      if (this.master !== null) {
        this.master.playbackRate = this.rate;
        this.master.play().catch((error) => {
          if (error.name === "NotAllowedError" && !this.master.muted) { this.master.muted = true; this.master.play().catch(() => this.pause()); }
          else if (error.name !== "AbortError") this.pause();
          this.tell();
        });
      }
      this.tell();
    }

    pause() {
      this.wanted = this.time;
      this.running = false;
      for (const film of [this.master, ...this.followers]) if (film !== null) film.pause();
      this.seekFrame(this.frame);
    }

    toggle() { if (this.running) this.pause(); else this.play(); }

    seek(t) {
      this.wanted = Math.min(this.duration, Math.max(0, t));
      for (const film of [this.master, ...this.followers]) if (film !== null && film.readyState > 0) film.currentTime = this.wanted;
      this.tell();
    }

    /** The middle of a frame's time, so that every film shows that frame and no neighbour. */
    seekFrame(k) {
      this.seek((Math.min(this.frames - 1, Math.max(0, k)) + 0.5) / this.fps);
    }

    step(count) {
      if (this.running) this.pause();
      this.seekFrame(this.frame + count);
    }

    setRate(rate) {
      this.rate = rate;
      for (const film of [this.master, ...this.followers]) if (film !== null) film.playbackRate = rate;
      this.tell();
    }

    close() {
      this.closed = true;
      this.running = false;
      for (const film of [this.master, ...this.followers]) {
        if (film === null) continue;
        film.pause();
        film.removeAttribute("src");
        film.load();
      }
      this.listeners = [];
    }
  };
})(window.physreelView);
