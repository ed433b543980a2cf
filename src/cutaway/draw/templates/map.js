"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const count = data.names.length;
  const get = (selector) => document.querySelector(selector);
  const make = (name, words) => {
    const element = document.createElement(name);
    if (words) element.textContent = words;
    return element;
  };
  const percent = (thousandths) => `${(thousandths / 10).toFixed(1)} %`;

  // Light or dark: the system's choice until the button says otherwise.
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const themeButton = get(".theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const remember = (theme) => { try { localStorage.setItem("cutaway-theme", theme); } catch { /* a file may not */ } };
  try { const kept = localStorage.getItem("cutaway-theme"); if (kept) root.dataset.theme = kept; } catch { /* same */ }

  // What the marks say: a name and a number for each photo in each way of colouring.
  const ways = {
    label: { names: data.classes, of: data.label },
    predicted: { names: data.answers, of: data.predicted },
    wrong: { names: ["right", "wrong"], of: data.wrong },
  };
  const radios = [...document.querySelectorAll("input[name=by]")];
  radios[0].checked = true;
  let way = ways[radios[0].value];
  let by = radios[0].value;
  const only = new Set(); // classes that are shown alone; empty: all
  let words = "";
  const lit = new Uint8Array(count).fill(1); // 0: faded
  let litCount = count;

  // The view: the middle of the window in [0, 1] and CSS pixels for the whole square.
  const map = get("#map");
  const paper = map.getContext("2d", { alpha: false });
  const view = { x: 0.5, y: 0.5, scale: 1 };
  let wide = 1, high = 1, dense = 1, fitted = 1;
  const xs = Float64Array.from(data.x, (v) => v / data.steps);
  const ys = Float64Array.from(data.y, (v) => v / data.steps);
  const across = (i) => (xs[i] - view.x) * view.scale + wide / 2;
  const down = (i) => (ys[i] - view.y) * view.scale + high / 2;

  const spanOf = (values) => {
    let low = 1, high = 0;
    for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
    return Math.max(high - low, 1e-3);
  };
  const [spanX, spanY] = [spanOf(xs), spanOf(ys)];

  // A fixed mixed order, so that no class covers the others.
  const order = Int32Array.from({ length: count }, (_, i) => i);
  let state = 12345;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }

  // Marks are stamped into the window's pixels: a page of 10,000 costs the same on every machine, with a GPU or without.
  const outline = (pen, shape, c, r) => {
    pen.beginPath();
    if (shape === "circle") pen.arc(c, c, r, 0, 7);
    else if (shape === "square") pen.rect(c - 0.88 * r, c - 0.88 * r, 1.76 * r, 1.76 * r);
    else if (shape === "triangle") { pen.moveTo(c, c - 1.25 * r); pen.lineTo(c + 1.15 * r, c + 0.85 * r); pen.lineTo(c - 1.15 * r, c + 0.85 * r); }
    else if (shape === "diamond") { pen.moveTo(c, c - 1.3 * r); pen.lineTo(c + 1.3 * r, c); pen.lineTo(c, c + 1.3 * r); pen.lineTo(c - 1.3 * r, c); }
    else { const a = 0.35 * r, b = 1.05 * r; for (const [x, y] of [[-b, -b + a], [-b + a, -b], [0, -a], [b - a, -b], [b, -b + a], [a, 0], [b, b - a], [b - a, b], [0, a], [-b + a, b], [-b, b - a], [-a, 0]]) pen.lineTo(c + x, c + y); }
    pen.closePath();
  };
  const stamps = new Map();
  const stampOf = (colour, shape, radius, halo) => {
    const key = `${colour} ${shape} ${radius} ${halo} ${on.dense}`;
    if (!stamps.has(key)) {
      const r = radius * on.dense, size = 2 * Math.ceil(1.35 * r + 1.5 * on.dense) + 1;
      const canvas = make("canvas");
      canvas.width = canvas.height = size;
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      outline(pen, shape, size / 2, r);
      if (halo) { pen.strokeStyle = halo; pen.lineWidth = 1.6 * on.dense; pen.lineJoin = "round"; pen.stroke(); }
      pen.fillStyle = colour;
      pen.fill();
      const made = pen.getImageData(0, 0, size, size).data;
      const spots = []; // place in the stamp and its colour, the empty ones left out
      for (let k = 0; k < size * size; k++) {
        if (made[4 * k + 3] > 8) spots.push([k % size, Math.floor(k / size), made[4 * k], made[4 * k + 1], made[4 * k + 2], made[4 * k + 3]]);
      }
      stamps.set(key, {
        size, n: spots.length,
        dx: Int32Array.from(spots, (s) => s[0]), dy: Int32Array.from(spots, (s) => s[1]),
        r: Int32Array.from(spots, (s) => s[2] * s[5] + 128), g: Int32Array.from(spots, (s) => s[3] * s[5] + 128),
        b: Int32Array.from(spots, (s) => s[4] * s[5] + 128), rest: Int32Array.from(spots, (s) => 255 - s[5]),
        solid: Uint32Array.from(spots, (s) => ((255 << 24) | (s[4] << 16) | (s[3] << 8) | s[2]) >>> 0),
      });
    }
    return stamps.get(key);
  };
  // Two surfaces: as sharp as the screen, and one pixel to a CSS pixel for the frames of a movement.
  const surface = (ratio) => {
    const canvas = make("canvas");
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    const pen = canvas.getContext("2d", { alpha: false });
    const image = pen.createImageData(canvas.width, canvas.height);
    return { dense: ratio, canvas, pen, image, pixels: new Uint32Array(image.data.buffer), bytes: new Uint8Array(image.data.buffer) };
  };
  let sharp = null, quick = null, on = null;
  const put = (stamp, x, y) => {
    const w = on.canvas.width, h = on.canvas.height, pixels = on.pixels;
    const left = Math.round(x * on.dense - stamp.size / 2), top = Math.round(y * on.dense - stamp.size / 2);
    if (left < 0 || top < 0 || left + stamp.size > w || top + stamp.size > h) {
      if (left + stamp.size <= 0 || top + stamp.size <= 0 || left >= w || top >= h) return;
      for (let k = 0; k < stamp.n; k++) {
        const px = left + stamp.dx[k], py = top + stamp.dy[k];
        if (px >= 0 && py >= 0 && px < w && py < h) blend(stamp, k, py * w + px);
      }
      return;
    }
    const start = top * w + left;
    for (let k = 0; k < stamp.n; k++) {
      const at = start + stamp.dy[k] * w + stamp.dx[k];
      if (stamp.rest[k] < 8) pixels[at] = stamp.solid[k];
      else blend(stamp, k, at);
    }
  };
  const blend = (stamp, k, at) => {
    const o = 4 * at, rest = stamp.rest[k], bytes = on.bytes;
    const r = stamp.r[k] + bytes[o] * rest, g = stamp.g[k] + bytes[o + 1] * rest, b = stamp.b[k] + bytes[o + 2] * rest;
    bytes[o] = (r + (r >> 8)) >> 8; // divided by 255
    bytes[o + 1] = (g + (g >> 8)) >> 8;
    bytes[o + 2] = (b + (b >> 8)) >> 8;
  };

  // Colours of the page as numbers.
  let ground = 0, faded = "", halo = "", accent = "", series = [], wrongColour = "", rightColour = "";
  const themed = () => {
    themeButton.textContent = dark() ? "Light" : "Dark";
    themeButton.setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
    const style = getComputedStyle(root);
    const value = (name) => style.getPropertyValue(`--${name}`).trim();
    const part = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
    halo = value("panel");
    ground = ((255 << 24) | (part(halo, 5) << 16) | (part(halo, 3) << 8) | part(halo, 1)) >>> 0;
    faded = value("rule");
    accent = value("accent");
    wrongColour = value("miss");
    rightColour = value("rule");
    series = data.colours[dark() ? "dark" : "light"];
    stamps.clear();
  };
  const markOf = (number) => {
    if (by === "wrong") return number ? [wrongColour, "diamond"] : [dark() ? "#5d6873" : "#9aa4ae", "circle"];
    if (number < 0) return [dark() ? "#5d6873" : "#9aa4ae", "circle"];
    return [series[number % series.length], data.shapes[number % data.shapes.length]];
  };

  // Small pictures: a tile of a sheet, drawn where it is asked for.
  const sheets = data.sheets.map((source) => {
    const sheet = new Image();
    sheet.src = source;
    sheet.decode().then(() => redraw(), () => {});
    return sheet;
  });
  const { width: tileWide, height: tileHigh, columns } = data.tile;
  const tile = (pen, i, x, y, w, h) => {
    const sheet = sheets[Math.floor(i / (columns * columns))], k = i % (columns * columns);
    if (!sheet.complete || !sheet.naturalWidth) return;
    pen.drawImage(sheet, (k % columns) * tileWide, Math.floor(k / columns) * tileHigh, tileWide, tileHigh, x, y, w, h);
  };
  const shotOf = (canvas, i, longest) => {
    const factor = Math.min(longest / Math.max(tileWide, tileHigh), Math.max(tileWide, tileHigh) < 32 ? 100 : 7);
    canvas.width = Math.round(tileWide * factor * dense);
    canvas.height = Math.round(tileHigh * factor * dense);
    canvas.style.width = `${canvas.width / dense}px`;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = tileWide > 64 || factor * dense < 1;
    pen.imageSmoothingQuality = "high";
    tile(pen, i, 0, 0, canvas.width, canvas.height);
  };

  // Drawing: once per frame at most.
  let current = -1, asked = false;
  const redraw = () => {
    if (!asked) { asked = true; requestAnimationFrame(draw); }
  };
  const SHOTS = 90;
  const COARSE = 12; // milliseconds a sharp frame may take before movements are drawn coarsely
  let took = 0, moving = 0;
  const moved = () => {
    clearTimeout(moving);
    moving = setTimeout(() => { moving = 0; redraw(); }, 140);
    redraw();
  };
  const draw = () => {
    asked = false;
    if (!sharp) return;
    on = moving && dense > 1 && took > COARSE ? quick : sharp;
    const begun = performance.now();
    on.pixels.fill(ground);
    const closer = Math.min(2.4, Math.max(1, view.scale / fitted) ** 0.3);
    const radius = Math.round(4 * closer * (count > 4000 ? 2.6 : count > 800 ? 3.4 : 5)) / 4;
    const some = litCount < count;
    if (some) {
      const stamp = stampOf(faded, "circle", Math.max(1.5, 0.6 * radius), "");
      for (let k = 0; k < count; k++) if (!lit[order[k]]) put(stamp, across(order[k]), down(order[k]));
    }
    const seen = [];
    const passes = by === "wrong" ? [0, 1] : [-1];
    const of = way.of;
    const marks = new Map();
    for (const pass of passes) {
      for (let k = 0; k < count; k++) {
        const i = order[k];
        if (!lit[i] || (pass >= 0 && of[i] !== pass)) continue;
        const x = across(i), y = down(i);
        if (x < -20 || y < -20 || x > wide + 20 || y > high + 20) continue;
        if (seen.length <= SHOTS) seen.push(i);
        let stamp = marks.get(of[i]);
        if (!stamp) {
          const [colour, shape] = markOf(of[i]);
          stamp = stampOf(colour, shape, by === "wrong" && of[i] ? radius * 1.25 : radius, halo);
          marks.set(of[i], stamp);
        }
        put(stamp, x, y);
      }
    }
    paper.setTransform(1, 0, 0, 1, 0, 0);
    if (on === sharp) {
      paper.putImageData(on.image, 0, 0);
      took = performance.now() - begun;
    } else {
      on.pen.putImageData(on.image, 0, 0);
      paper.imageSmoothingEnabled = true;
      paper.drawImage(on.canvas, 0, 0, map.width, map.height);
    }
    paper.setTransform(dense, 0, 0, dense, 0, 0);
    get(".lost").hidden = seen.length > 0 || litCount === 0;
    const close = get("#photos").checked && seen.length && seen.length <= SHOTS && view.scale > 1.4 * fitted;
    if (close) photos(seen);
    if (current >= 0) {
      const x = across(current), y = down(current);
      paper.strokeStyle = accent;
      paper.lineWidth = 3;
      if (close) {
        const [w, h] = shotSize(seen.length);
        tile(paper, current, x - w / 2, y - h / 2, w, h);
        paper.lineWidth = 5;
        paper.strokeRect(x - w / 2, y - h / 2, w, h);
        return;
      }
      paper.beginPath();
      paper.arc(x, y, radius + 5, 0, 7);
      paper.stroke();
    }
  };
  const shotSize = (n) => {
    const longest = Math.min(110, Math.max(44, 0.42 * Math.sqrt((wide * high) / n)));
    const factor = longest / Math.max(tileWide, tileHigh);
    return [tileWide * factor, tileHigh * factor];
  };
  const photos = (seen) => {
    const [w, h] = shotSize(seen.length);
    paper.imageSmoothingEnabled = tileWide > 32;
    paper.lineWidth = 3;
    for (const i of seen) {
      const x = across(i) - w / 2, y = down(i) - h / 2;
      tile(paper, i, x, y, w, h);
      paper.strokeStyle = markOf(way.of[i])[0];
      paper.strokeRect(x, y, w, h);
    }
  };

  const sized = () => {
    const box = map.parentElement.getBoundingClientRect();
    const first = !sharp;
    wide = Math.max(50, box.width);
    high = Math.max(50, box.height);
    dense = Math.min(2, window.devicePixelRatio || 1);
    map.width = Math.round(wide * dense);
    map.height = Math.round(high * dense);
    sharp = surface(dense);
    quick = dense > 1 ? surface(1) : sharp;
    const before = fitted;
    fitted = 0.92 * Math.min(wide / spanX, high / spanY);
    view.scale = first ? fitted : (view.scale * fitted) / before;
    stamps.clear();
    draw();
  };

  // Moving about.
  const hold = () => {
    view.scale = Math.min(Math.max(view.scale, 0.5 * fitted), 400 * fitted);
    view.x = Math.min(Math.max(view.x, -0.1), 1.1);
    view.y = Math.min(Math.max(view.y, -0.1), 1.1);
  };
  const zoom = (factor, x = wide / 2, y = high / 2) => {
    const at = [view.x + (x - wide / 2) / view.scale, view.y + (y - high / 2) / view.scale];
    view.scale *= factor;
    view.scale = Math.min(Math.max(view.scale, 0.5 * fitted), 400 * fitted);
    view.x = at[0] - (x - wide / 2) / view.scale;
    view.y = at[1] - (y - high / 2) / view.scale;
    hold();
    moved();
  };
  const all = () => { Object.assign(view, { x: 0.5, y: 0.5, scale: fitted }); redraw(); };
  const move = (x, y) => { view.x += x / view.scale; view.y += y / view.scale; hold(); moved(); };
  const placeOf = (event) => {
    const box = map.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  map.addEventListener("wheel", (event) => {
    event.preventDefault();
    map.focus({ preventScroll: true }); // the keys are the map's from here on
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaY * lines)) * 0.0022), ...placeOf(event));
    letGo();
  }, { passive: false });
  const fingers = new Map();
  let travelled = 0;
  map.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    map.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, placeOf(event));
    travelled = fingers.size > 1 ? 99 : 0;
  });
  map.addEventListener("pointermove", (event) => {
    const now = placeOf(event), before = fingers.get(event.pointerId);
    if (!before) { point(...now); return; }
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const span = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
      zoom(span(now) / span(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else {
      travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (travelled > 4) { move(before[0] - now[0], before[1] - now[1]); letGo(); }
    }
    fingers.set(event.pointerId, now);
  });
  const lifted = (event) => {
    const held = fingers.delete(event.pointerId);
    if (held && event.type === "pointerup" && travelled <= 4) {
      const found = nearestTo(...placeOf(event));
      if (found >= 0) open(found);
    }
  };
  map.addEventListener("pointerup", lifted);
  map.addEventListener("pointercancel", lifted);
  map.addEventListener("pointerleave", () => letGo());

  // The photo under the pointer.
  const nearestTo = (x, y) => {
    let best = -1, least = 12 * 12;
    for (let i = 0; i < count; i++) {
      if (!lit[i]) continue;
      const d = (across(i) - x) ** 2 + (down(i) - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  };
  const tip = get(".tip");
  const point = (x, y) => choose(nearestTo(x, y));
  const letGo = () => choose(-1);
  const choose = (i) => {
    map.classList.toggle("on", i >= 0);
    if (i === current) return;
    current = i;
    tip.hidden = i < 0;
    redraw();
    if (i < 0) return;
    shotOf(tip.querySelector("canvas"), i, 112);
    tip.querySelector("p").textContent = [data.names[i], ...facts(i).map(([name, value]) => `${name}: ${value}`)].join("\n");
    const box = tip.getBoundingClientRect();
    const x = across(i), y = down(i);
    const left = x + 16 + box.width < wide ? x + 16 : Math.max(4, x - 16 - box.width);
    const top = Math.min(Math.max(4, y - box.height / 2), Math.max(4, high - box.height - 4));
    tip.style.transform = `translate(${left}px,${top}px)`;
  };
  const facts = (i) => {
    const rows = [];
    if (data.label[i] >= 0) rows.push(["class", data.classes[data.label[i]]]);
    if (data.predicted[i] >= 0) rows.push(["prediction", `${data.answers[data.predicted[i]]}, ${percent(data.probability[i])}`]);
    if (data.wrong && data.label[i] >= 0) rows.push(["answer", data.wrong[i] ? "wrong" : "right"]);
    if (data.agree[i] >= 0) {
      const others = data.among[i] >= 0 && data.among[i] !== data.label[i] ? `; most are ${data.classes[data.among[i]]}` : "";
      rows.push(["neighbours", `${Math.round(data.agree[i] / 10)} % share its class${others}`]);
    }
    return rows;
  };

  // Keys.
  const lane = (i) => ys[i] + 3 * Math.floor(xs[i] * 24); // down one strip of the map, then down the next
  const sorted = Int32Array.from(order).sort((a, b) => lane(a) - lane(b) || a - b);
  const rank = new Int32Array(count);
  sorted.forEach((i, k) => { rank[i] = k; });
  const next = (from, step) => {
    let k = from >= 0 ? rank[from] : step > 0 ? -1 : count;
    for (let n = 0; n < count; n++) {
      k = (k + step + count) % count;
      if (lit[sorted[k]]) return sorted[k];
    }
    return -1;
  };
  const bring = (i) => {
    const x = across(i), y = down(i);
    if (x < 40 || y < 40 || x > wide - 40 || y > high - 40) { view.x = xs[i]; view.y = ys[i]; }
    choose(-1);
    choose(i);
    get(".shown").textContent = [data.names[i], ...facts(i).map(([name, value]) => `${name}: ${value}`)].join(", ");
  };
  map.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 240 : 60;
    const acts = {
      ArrowLeft: () => move(-far, 0), ArrowRight: () => move(far, 0), ArrowUp: () => move(0, -far), ArrowDown: () => move(0, far),
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: all, Home: all,
      n: () => { const i = next(current, 1); if (i >= 0) bring(i); }, p: () => { const i = next(current, -1); if (i >= 0) bring(i); },
      Enter: () => { if (current >= 0) open(current); }, Escape: () => { letGo(); said(); },
    };
    const act = !event.ctrlKey && !event.metaKey && !event.altKey && acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key.startsWith("Arrow") || "+-=0".includes(event.key)) letGo();
    act();
  });
  document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    letGo();
    ({ in: () => zoom(1.6), out: () => zoom(1 / 1.6), all })[button.dataset.zoom]();
  }));

  // One photo, larger.
  const dialog = get("#photo");
  let opened = -1;
  const open = (i) => {
    opened = i;
    dialog.querySelector("h2").textContent = data.names[i];
    const list = dialog.querySelector("dl");
    list.replaceChildren(...facts(i).flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
    if (data.folder) {
      const link = make("a", "open the photo");
      link.href = [data.folder, ...data.names[i].split("/").map(encodeURIComponent)].join("/");
      link.target = "_blank";
      link.rel = "noopener";
      const place = make("dd");
      place.append(link);
      list.append(make("dt", "file"), place);
    }
    if (!dialog.open) dialog.showModal();
    shotOf(dialog.querySelector("canvas"), i, 320);
  };
  dialog.querySelector(".before").addEventListener("click", () => { const i = next(opened, -1); if (i >= 0) open(i); });
  dialog.querySelector(".after").addEventListener("click", () => { const i = next(opened, 1); if (i >= 0) open(i); });
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") open(next(opened, 1));
    if (event.key === "ArrowLeft") open(next(opened, -1));
  });
  dialog.addEventListener("close", () => { map.focus({ preventScroll: true }); bring(opened); });

  // The list of classes: each shows its class alone, or with others that are chosen.
  const legend = get("#legend");
  const tally = () => {
    const found = new Map();
    for (let i = 0; i < count; i++) found.set(way.of[i], (found.get(way.of[i]) || 0) + 1);
    return [...found].sort((a, b) => (by === "wrong" ? b[0] - a[0] : b[1] - a[1] || a[0] - b[0]));
  };
  const swatch = (number) => {
    const [colour, shape] = markOf(number);
    const d = {
      circle: "M8 3a5 5 0 1 0 .01 0z", square: "M3.5 3.5h9v9h-9z", triangle: "M8 1.8l5.8 10.4H2.2z",
      diamond: "M8 1.5L14.5 8 8 14.5 1.5 8z", cross: "M3 4.6L4.6 3 8 6.4 11.4 3 13 4.6 9.6 8l3.4 3.4-1.6 1.6L8 9.6 4.6 13 3 11.4 6.4 8z",
    }[shape];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    path.setAttribute("fill", colour);
    svg.append(path);
    return svg;
  };
  const nameOf = (number) => (number < 0 ? "no class given" : way.names[number]);
  const listed = () => {
    const rows = tally().filter(([number]) => only.has(number) || matches(nameOf(number)) || !anyClass());
    legend.replaceChildren(...rows.map(([number, n]) => {
      const row = make("li"), button = make("button");
      const name = make("span", nameOf(number));
      button.type = "button";
      button.title = nameOf(number);
      button.setAttribute("aria-pressed", String(only.has(number)));
      button.append(swatch(number), name, make("small", n.toLocaleString("en")));
      button.addEventListener("click", () => {
        if (!only.delete(number)) only.add(number);
        button.setAttribute("aria-pressed", String(only.has(number)));
        filtered();
      });
      row.append(button);
      return row;
    }));
  };
  const matches = (name) => name.toLowerCase().includes(words);
  const anyClass = () => tally().some(([number]) => matches(nameOf(number)));
  const filtered = () => {
    litCount = 0;
    const named = new Map(tally().map(([number]) => [number, matches(nameOf(number))]));
    for (let i = 0; i < count; i++) {
      const number = way.of[i];
      const fits = (!only.size || only.has(number)) && (!words || named.get(number) || matches(data.names[i]));
      lit[i] = fits ? 1 : 0;
      litCount += lit[i];
    }
    letGo();
    said();
    redraw();
  };
  const said = () => {
    const every = count.toLocaleString("en");
    get(".shown").textContent = litCount === count ? `${every} photos` : `${litCount.toLocaleString("en")} of ${every} photos`;
  };
  radios.forEach((radio) => radio.addEventListener("change", () => {
    by = radio.value;
    way = ways[by];
    only.clear();
    listed();
    filtered();
  }));
  get("#find").addEventListener("input", (event) => {
    words = event.target.value.trim().toLowerCase();
    listed();
    filtered();
  });
  get("#photos").addEventListener("change", redraw);

  // Photos that lie among another class.
  const strangers = get("#strangers");
  if (strangers) {
    const found = [...order.keys()].filter((i) => data.label[i] >= 0 && data.among[i] >= 0 && data.among[i] !== data.label[i]);
    found.sort((a, b) => data.agree[a] - data.agree[b] || data.names[a].localeCompare(data.names[b]));
    const shown = found.slice(0, 60);
    const more = found.length > shown.length ? `, the first ${shown.length}` : "";
    strangers.querySelector("summary").textContent = `${found.length.toLocaleString("en")} photo${found.length === 1 ? "" : "s"} among another class${more}`;
    strangers.hidden = !found.length;
    strangers.addEventListener("toggle", async () => {
      if (!strangers.open || strangers.querySelector("li")) return;
      await Promise.allSettled(sheets.map((sheet) => sheet.decode()));
      strangers.querySelector("ul").replaceChildren(...shown.map((i) => {
        const row = make("li"), button = make("button"), canvas = make("canvas");
        button.type = "button";
        button.title = `${data.names[i]}: ${data.classes[data.label[i]]} among ${data.classes[data.among[i]]}`;
        button.setAttribute("aria-label", button.title);
        shotOf(canvas, i, 72);
        canvas.style.width = "";
        button.append(canvas);
        button.addEventListener("click", () => open(i));
        button.addEventListener("focus", () => { if (!dialog.open) { choose(-1); choose(i); } });
        row.append(button);
        return row;
      }));
    });
  }

  const retheme = () => { themed(); listed(); redraw(); };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember(root.dataset.theme);
    retheme();
  });
  system.addEventListener("change", retheme);
  themeButton.hidden = false;
  themed();
  listed();
  said();
  new ResizeObserver(sized).observe(map.parentElement);
  sized();
})();
