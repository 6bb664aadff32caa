// Where bodies go, drawn by hand in three dimensions: outlines at this moment, and their paths. Drag turns it.
"use strict";

(function (view) {
  const { el } = view;
  const MOST_SEGMENTS = 60000;

  function rotate(q, v) {
    const [w, x, y, z] = q;
    const tx = 2 * (y * v[2] - z * v[1]);
    const ty = 2 * (z * v[0] - x * v[2]);
    const tz = 2 * (x * v[1] - y * v[0]);
    return [v[0] + w * tx + y * tz - z * ty, v[1] + w * ty + z * tx - x * tz, v[2] + w * tz + x * ty - y * tx];
  }

  /** Body k's position and turn at a frame; null where it is unknown. */
  function poseAt(body, frame) {
    const count = Math.floor(body.pose.length / 7);
    if (count === 0) return null;
    const at = Math.min(frame, count - 1) * 7;
    const part = body.pose.slice(at, at + 7);
    return part.some((value) => value === null) ? null : { place: part.slice(0, 3), turn: part.slice(3) };
  }

  view.spaceView = function (detail, player) {
    const bodies = (detail.bodies || []).map((body, k) => ({ ...body, colour: detail.colours[k + 1] || "#888", moves: body.pose.length > 7, still: body.motion === "static" })).filter((body) => body.pose.length >= 7);
    if (!bodies.length) return null;
    const canvas = el("canvas", { className: "space", tabIndex: 0, role: "img", "aria-label": "Bodies in three dimensions: arrow keys turn, plus and minus zoom" });
    const camera = firstLook(detail, bodies);
    const floor = bodies.find((body) => body.shape === "plane" && body.still && Math.abs(poseAt(body, 0).place[2]) < 10);
    const toggles = { paths: true, still: true };

    const draw = () => {
      if (!canvas.isConnected) return;
      const { pen, width, height } = view.sized(canvas);
      const frame = player.frame;
      const project = projector(camera, width, height);
      let left = MOST_SEGMENTS;
      if (floor && toggles.still) ground(pen, project, camera, poseAt(floor, 0).place[2]);
      const stroke = (points, colour, alpha, thick) => {
        pen.strokeStyle = colour;
        pen.globalAlpha = alpha;
        pen.lineWidth = thick;
        pen.beginPath();
        let before = false;
        for (const point of points) {
          const on = point && project(point);
          if (!on) { before = false; continue; }
          if (before) pen.lineTo(on[0], on[1]);
          else pen.moveTo(on[0], on[1]);
          before = true;
        }
        pen.stroke();
        pen.globalAlpha = 1;
      };
      const order = bodies.map((body) => ({ body, pose: poseAt(body, frame) })).filter(({ body, pose }) => pose && (toggles.still || body.moves || !body.still))
        .map((each) => ({ ...each, deep: project.deep(each.pose.place) + (each.body.still ? 1e6 : 0) })).sort((a, b) => b.deep - a.deep);
      if (toggles.paths) {
        for (const { body } of order) {
          if (!body.moves || body.motion === "carried") continue;
          const path = [];
          for (let k = 0; k * 7 < body.pose.length; k += 1) path.push(body.pose[k * 7] === null ? null : body.pose.slice(k * 7, k * 7 + 3));
          left -= path.length;
          stroke(path, body.colour, 0.25, 1.2);
          stroke(path.slice(0, frame + 1), body.colour, 0.95, 2);
        }
      }
      for (const { body, pose } of order) {
        for (const line of body.lines) {
          if (left < 0) break;
          const points = [];
          for (let k = 0; k + 2 < line.length; k += 3) {
            const turned = rotate(pose.turn, [line[k], line[k + 1], line[k + 2]]);
            points.push([turned[0] + pose.place[0], turned[1] + pose.place[1], turned[2] + pose.place[2]]);
          }
          left -= points.length;
          stroke(points, body.colour, body.still ? 0.45 : 0.95, body.still ? 0.8 : 1.3);
        }
        const on = body.still ? null : project(pose.place);
        if (on && (!body.lines.length || body.motion === "dynamic")) {
          pen.fillStyle = body.colour;
          pen.beginPath();
          pen.arc(on[0], on[1], body.lines.length ? 2 : 5, 0, 2 * Math.PI);
          pen.fill();
        }
      }
      corners(pen, project, camera, height);
    };

    const turnBy = (dx, dy) => { camera.azimuth -= dx * 0.008; camera.elevation = Math.min(1.55, Math.max(-1.55, camera.elevation + dy * 0.008)); draw(); };
    const zoomBy = (factor) => { camera.distance = Math.min(camera.size * 40, Math.max(camera.size * 0.15, camera.distance * factor)); draw(); };
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) turnBy(event.movementX, event.movementY); });
    // The wheel scrolls the page until the drawing has been clicked on.
    canvas.addEventListener("wheel", (event) => { if (document.activeElement === canvas) { event.preventDefault(); zoomBy(Math.exp(event.deltaY * 0.0012)); } }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const turns = { ArrowLeft: [-20, 0], ArrowRight: [20, 0], ArrowUp: [0, 20], ArrowDown: [0, -20] };
      if (event.key in turns) turnBy(...turns[event.key]);
      else if (event.key === "+" || event.key === "=") zoomBy(0.85);
      else if (event.key === "-") zoomBy(1.18);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    player.onTime(draw);
    new ResizeObserver(draw).observe(canvas);
    view.onTheme(draw);
    const switchOf = (name, words) => el("label", { className: "switch" }, el("input", { type: "checkbox", checked: true, onchange: (event) => { toggles[name] = event.target.checked; draw(); } }), words);
    const looks = (azimuth, elevation) => () => { camera.azimuth = azimuth; camera.elevation = elevation; draw(); };
    const start = { ...camera };
    return el("div", { className: "space-box" }, canvas, el("div", { className: "space-tools" },
      el("button", { type: "button", onclick: () => { Object.assign(camera, start); draw(); } }, "camera"),
      el("button", { type: "button", onclick: looks(-Math.PI / 2, 0) }, "front"),
      el("button", { type: "button", onclick: looks(0, 0) }, "side"),
      el("button", { type: "button", onclick: looks(-Math.PI / 2, 1.55) }, "top"),
      el("button", { type: "button", "aria-label": "Nearer", onclick: () => zoomBy(0.8) }, "+"),
      el("button", { type: "button", "aria-label": "Farther", onclick: () => zoomBy(1.25) }, "−"),
      switchOf("paths", "paths"), switchOf("still", "what stands still")));
  };

  /** Look at what moves, from where the clip's camera stands. */
  function firstLook(detail, bodies) {
    const ends = [[], [], []];
    const loose = bodies.filter((body) => !body.still);
    for (const body of loose.length ? loose : bodies) {
      let reach = 0;
      for (const line of body.lines) for (const value of line) reach = Math.max(reach, Math.abs(value));
      for (let k = 0; k < body.pose.length; k += 7) {
        for (let axis = 0; axis < 3; axis += 1) {
          const value = body.pose[k + axis];
          if (value !== null) ends[axis].push(value - Math.min(reach, 2), value + Math.min(reach, 2));
        }
      }
    }
    // What rolls away for a moment must not make all else small.
    const spans = ends.map((values) => { values.sort((a, b) => a - b); return values.length ? [values[Math.floor(values.length * 0.04)], values[Math.ceil(values.length * 0.96) - 1]] : [0, 0.5]; });
    const target = spans.map(([low, high]) => (low + high) / 2);
    const size = Math.max(0.02, Math.hypot(...spans.map(([low, high]) => high - low)));
    const look = { target, size, azimuth: -1.1, elevation: 0.35, distance: size * 1.15 };
    const pose = detail.camera && detail.camera.camera_to_world;
    if (pose && pose.length >= 16) {
      const away = [pose[3] - target[0], pose[7] - target[1], pose[11] - target[2]];
      const far = Math.hypot(...away);
      if (far > 1e-6) {
        look.azimuth = Math.atan2(away[1], away[0]);
        look.elevation = Math.asin(Math.max(-1, Math.min(1, away[2] / far)));
      }
    }
    return look;
  }

  function projector(camera, width, height) {
    const [ca, sa, ce, se] = [Math.cos(camera.azimuth), Math.sin(camera.azimuth), Math.cos(camera.elevation), Math.sin(camera.elevation)];
    const back = [ca * ce, sa * ce, se];
    const right = [-sa, ca, 0];
    const up = [-ca * se, -sa * se, ce];
    const focus = Math.min(width, height) * 1.25;
    const along = (v, axis) => v[0] * axis[0] + v[1] * axis[1] + v[2] * axis[2];
    const made = (point) => {
      const v = [point[0] - camera.target[0], point[1] - camera.target[1], point[2] - camera.target[2]];
      const deep = camera.distance - along(v, back);
      if (deep < camera.size * 0.02) return null;
      return [width / 2 + (focus * along(v, right)) / deep, height / 2 - (focus * along(v, up)) / deep];
    };
    made.deep = (point) => camera.distance - along([point[0] - camera.target[0], point[1] - camera.target[1], point[2] - camera.target[2]], back);
    made.axes = [right, up];
    return made;
  }

  function ground(pen, project, camera, z) {
    const step = 10 ** Math.round(Math.log10(camera.size / 4));
    const reach = Math.ceil((camera.size * 1.2) / step);
    const [cx, cy] = [Math.round(camera.target[0] / step), Math.round(camera.target[1] / step)];
    pen.strokeStyle = view.theme("faint");
    pen.lineWidth = 1;
    pen.beginPath();
    for (let k = -reach; k <= reach; k += 1) {
      for (const [a, b] of [[[cx + k, cy - reach], [cx + k, cy + reach]], [[cx - reach, cy + k], [cx + reach, cy + k]]]) {
        const from = project([a[0] * step, a[1] * step, z]);
        const to = project([b[0] * step, b[1] * step, z]);
        if (!from || !to) continue;
        pen.moveTo(...from);
        pen.lineTo(...to);
      }
    }
    pen.stroke();
    pen.fillStyle = view.theme("ink");
    pen.globalAlpha = 0.6;
    pen.font = "10.5px system-ui, sans-serif";
    pen.fillText(`floor grid ${step >= 1 ? `${step} m` : `${Math.round(step * 1000)} mm`}`, 8, 16);
    pen.globalAlpha = 1;
  }

  function corners(pen, project, camera, height) {
    const [right, up] = project.axes;
    pen.font = "600 10.5px system-ui, sans-serif";
    [["x", "#ef5b4f"], ["y", "#3fb573"], ["z", "#46a0f0"]].forEach(([name, colour], axis) => {
      const [dx, dy] = [right[axis] * 22, -up[axis] * 22];
      pen.strokeStyle = pen.fillStyle = colour;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.moveTo(34, height - 34);
      pen.lineTo(34 + dx, height - 34 + dy);
      pen.stroke();
      pen.fillText(name, 31 + dx * 1.35, height - 31 + dy * 1.35);
    });
  }
})(window.physreelView);
