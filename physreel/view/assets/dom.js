// Elements. Whatever a data set says goes into text nodes and never into markup.
"use strict";

window.physreelView = window.physreelView || {};

(function (view) {
  /** An element with properties, listeners (names that begin with "on") and children; texts become text nodes. */
  view.el = function (tag, properties, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "className") made.className = value;
      else if (name === "style") Object.assign(made.style, value);
      else if (name in made && !name.includes("-") && name !== "role" && name !== "list") made[name] = value;
      else made.setAttribute(name, value === true ? "" : String(value));
    }
    view.add(made, children);
    return made;
  };

  view.add = function (parent, children) {
    for (const child of [children].flat(4)) {
      if (child === null || child === undefined || child === false) continue;
      parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return parent;
  };

  view.empty = function (parent, ...children) {
    parent.replaceChildren();
    return view.add(parent, children);
  };

  /** A number as people read it: four figures, no noise. */
  view.number = function (value) {
    if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
    if (Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
    return String(Number(value.toPrecision(4)));
  };

  /** Any value as text. */
  view.text = function (value) {
    if (value === null || value === undefined) return "–";
    if (typeof value === "number") return view.number(value);
    if (typeof value === "object") {
      return JSON.stringify(value, (_, inner) => (typeof inner === "number" ? Number(view.number(inner)) : inner));
    }
    return String(value);
  };

  view.count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

  view.seconds = (t) => `${t.toFixed(3)} s`;

  /** A canvas's context, its size in CSS pixels and its backing store for this screen. */
  view.sized = function (canvas) {
    const box = canvas.getBoundingClientRect();
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(box.width));
    const height = Math.max(1, Math.round(box.height));
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return { pen, width, height };
  };

  /** A colour of the page's theme. */
  view.theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** Load a script beside the page; a promise of whether it came. */
  view.load = function (address) {
    return new Promise((resolve) => {
      const tag = document.createElement("script");
      tag.src = address;
      tag.onload = () => { tag.remove(); resolve(true); };
      tag.onerror = () => { tag.remove(); resolve(false); };
      document.head.append(tag);
    });
  };
})(window.physreelView);
