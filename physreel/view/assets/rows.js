// What the data files bring: the summary, the grid's rows chunk by chunk, and one clip's details at a time.
"use strict";

(function (view) {
  const columnsAsIs = new Set(["id", "split", "variant", "group", "camera", "caption", "duration", "fps", "frames", "width", "height", "has", "sample"]);

  view.data = { summary: null, rows: [], byNumber: new Map(), byGroup: new Map(), complete: false };
  let lastClip = null;

  // The data files call these three.
  view.summary = ([summary]) => { view.data.summary = summary; };
  view.clip = ([number, detail]) => { lastClip = { number, detail }; };
  view.rows = function ([chunk]) {
    const kinds = chunk.kinds.map((kind) => ({ scene: kind.scene, fields: kind.fields, place: new Map(kind.fields.map((name, k) => [name, k])) }));
    chunk.rows.forEach((cells, k) => {
      const row = { number: chunk.numbers[k], order: view.data.rows.length, kind: kinds[cells[0]], scene: kinds[cells[0]].scene, outcome: cells[cells.length - 1] };
      chunk.columns.forEach((name, c) => { if (columnsAsIs.has(name)) row[name] = cells[c + 1]; });
      row.searched = `${row.caption}\n${row.id}`.toLowerCase();
      view.data.rows.push(row);
      view.data.byNumber.set(row.number, row);
      const group = `${row.scene}\n${row.group}`;
      if (!view.data.byGroup.has(group)) view.data.byGroup.set(group, []);
      view.data.byGroup.get(group).push(row);
    });
  };

  /** Where a clip's files are, without what each ends in. */
  view.stem = (number) => `clips/${String(Math.floor(number / 1000)).padStart(4, "0")}/${String(number).padStart(8, "0")}`;

  /** All rows, chunk after chunk; `each` is told after each of them. */
  view.loadRows = async function (each) {
    const missing = [];
    for (let k = 0; k < view.data.summary.chunks; k += 1) {
      const name = `data/rows-${String(k).padStart(5, "0")}.js`;
      if (!(await view.load(name))) missing.push(name);
      each(false);
    }
    view.data.complete = true;
    each(true);
    return missing;
  };

  /** A clip's details; null where its file is missing. One is held at a time. */
  view.loadClip = async function (number) {
    if (lastClip === null || lastClip.number !== number) {
      lastClip = null;
      await view.load(`${view.stem(number)}.js`);
    }
    return lastClip !== null && lastClip.number === number ? lastClip.detail : null;
  };

  /** The other rows of a row's group: other cameras of the same sample, and its siblings. */
  view.related = function (row) {
    const others = (row.group === "" ? [] : view.data.byGroup.get(`${row.scene}\n${row.group}`) || []).filter((other) => other !== row);
    const same = (other) => other.variant === row.variant && String(other.sample) === String(row.sample) && other.camera !== row.camera;
    return { cameras: others.filter(same), siblings: others.filter((other) => !same(other)) };
  };
})(window.physreelView);
