// The page of `kvzip view`. `data` is what view_page_data() of page.h wrote. A "row" is one (layer, KV head); tokens
// that share a character are shown as one span.
const rows = data.layers.length * data.kv_heads;
const tokens = data.texts.length;
const steps = data.ratios.length;
const firstKept = bytesOf(data.first_kept); // [rows, tokens]: the first step that keeps the pair, or `steps`
const keptRows = countKept();               // [rows, steps]: pairs kept

const state = { step: data.start, layer: null, head: null, picked: null };

function countKept() {
  const counts = new Uint32Array(rows * steps);
  for (let row = 0; row < rows; ++row) {
    const base = row * steps;
    for (let i = row * tokens; i < (row + 1) * tokens; ++i) if (firstKept[i] < steps) ++counts[base + firstKept[i]];
    for (let step = 1; step < steps; ++step) counts[base + step] += counts[base + step - 1];
  }
  return counts;
}

// ---- Numbers ------------------------------------------------------------------------------------------------------

/// The rows that are chosen: [first, end).
function chosenRows() {
  if (state.layer === null) return [0, rows];
  const first = state.layer * data.kv_heads;
  return state.head === null ? [first, first + data.kv_heads] : [first + state.head, first + state.head + 1];
}

function keptOf([first, end], step) {
  let kept = 0;
  for (let row = first; row < end; ++row) kept += keptRows[row * steps + step];
  return kept;
}

/// Per token: how many of the chosen rows keep it.
function keepersOf([first, end], step) {
  const keepers = new Uint16Array(tokens);
  for (let row = first; row < end; ++row) {
    const base = row * tokens;
    for (let i = 0; i < tokens; ++i) keepers[i] += firstKept[base + i] <= step;
  }
  return keepers;
}

function nameOfChoice() {
  if (state.layer === null) return "All heads";
  const layer = `Layer ${data.layers[state.layer]}`;
  return state.head === null ? `${layer}, all heads` : `${layer}, head ${state.head}`;
}

/// 0: nothing; 1 to 15: up to everything.
const shadeOf = (share) => (share <= 0 ? 0 : Math.min(15, 1 + Math.floor(share * 14.999)));

// ---- The text -----------------------------------------------------------------------------------------------------

const kChunk = 160;                        // spans that are shaded together, once they are near the window
const spans = [];                          // {element, first, end}: the tokens that it shows
const starts = [];                         // where each span's text begins in `text`
const chunks = [];                         // {element, first, end, near, painted}
const text = data.texts.join("");

function buildText() {
  let first = 0;
  let at = 0;
  for (let i = 0; i < tokens; ++i) {
    if (data.texts[i] === "" && i + 1 < tokens) continue; // shown together with the next
    if (spans.length % kChunk === 0) {
      chunks.push({ element: document.createElement("span"), first: spans.length, end: 0, near: false, painted: "" });
    }
    const element = document.createElement("span");
    element.textContent = data.texts[i];
    element.dataset.span = spans.length;
    chunks.at(-1).element.append(element);
    starts.push(at);
    spans.push({ element, first, end: i + 1 });
    chunks.at(-1).end = spans.length;
    at += data.texts[i].length;
    first = i + 1;
  }
  $("text").append(...chunks.map((chunk) => chunk.element));
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const chunk = chunks[entry.target.dataset.chunk];
      chunk.near = entry.isIntersecting;
      if (chunk.near) paint(chunk);
    }
  }, { rootMargin: "600px" });
  chunks.forEach((chunk, index) => {
    chunk.element.dataset.chunk = index;
    observer.observe(chunk.element);
  });
}

let keepers = null;    // of the last draw()
let keepersFor = "";   // which choice and step they belong to

function shareOf(span) {
  const [first, end] = chosenRows();
  let kept = 0;
  for (let i = span.first; i < span.end; ++i) kept += keepers[i];
  return kept / ((end - first) * (span.end - span.first));
}

function paint(chunk) {
  if (chunk.painted === keepersFor) return;
  for (let i = chunk.first; i < chunk.end; ++i) {
    const shade = `s${shadeOf(shareOf(spans[i]))}`;
    const element = spans[i].element;
    const wanted = i === state.picked ? `${shade} picked` : shade;
    if (element.className !== wanted) element.className = wanted;
  }
  chunk.painted = keepersFor;
}

// ---- The map of layers and heads -----------------------------------------------------------------------------------

const cells = []; // cells[r][layer]; r = 0 is the row of layers, r = head + 1 a head's

function buildHeat() {
  const labelEvery = data.layers.length > 16 ? 5 : 1;
  const table = $("heat");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  const corner = document.createElement("th");
  corner.innerHTML = '<span class="hidden">KV head</span>';
  head.append(corner);
  cells.push(data.layers.map((number, layer) => {
    const cell = document.createElement("th");
    cell.textContent = number % labelEvery === 0 ? number : "\u00b7";
    cell.scope = "col";
    head.append(cell);
    return cell;
  }));
  for (let kvHead = 0; kvHead < data.kv_heads; ++kvHead) {
    const row = body.insertRow();
    const label = document.createElement("th");
    label.scope = "row";
    label.textContent = `h${kvHead}`;
    row.append(label);
    cells.push(data.layers.map(() => row.insertCell()));
  }
  cells.forEach((line, r) => line.forEach((cell, layer) => {
    cell.tabIndex = -1;
    if (r > 0) cell.setAttribute("role", "gridcell");
    cell.addEventListener("click", () => choose(layer, r === 0 ? null : r - 1, true));
  }));
  cells[1][0].tabIndex = 0;
  table.addEventListener("keydown", moveInHeat);
}

function moveInHeat(event) {
  const r = cells.findIndex((line) => line.includes(document.activeElement));
  if (r < 0) return;
  const layer = cells[r].indexOf(document.activeElement);
  const to = { ArrowLeft: [r, layer - 1], ArrowRight: [r, layer + 1], ArrowUp: [r - 1, layer], ArrowDown: [r + 1, layer],
    Home: [r, 0], End: [r, data.layers.length - 1], Enter: [r, layer], " ": [r, layer] }[event.key];
  if (!to) return;
  event.preventDefault();
  if (cells[to[0]]?.[to[1]]) choose(to[1], to[0] === 0 ? null : to[0] - 1, true);
}

function choose(layer, head, focus) {
  state.layer = layer;
  state.head = head;
  for (const line of cells) for (const cell of line) cell.tabIndex = -1;
  const cell = layer === null ? cells[1][0] : cells[head === null ? 0 : head + 1][layer];
  cell.tabIndex = 0;
  if (focus) cell.focus();
  schedule();
}

function drawHeat() {
  const picked = state.picked === null ? null : spans[state.picked];
  for (let layer = 0; layer < data.layers.length; ++layer) {
    const ofLayer = [layer * data.kv_heads, (layer + 1) * data.kv_heads];
    const share = keptOf(ofLayer, state.step) / (data.kv_heads * tokens);
    const chosenLayer = layer === state.layer;
    describe(cells[0][layer], `Layer ${data.layers[layer]}: ${percent(share)} kept`, chosenLayer && state.head === null);
    for (let head = 0; head < data.kv_heads; ++head) {
      const row = ofLayer[0] + head;
      const kept = keptRows[row * steps + state.step];
      const cell = cells[head + 1][layer];
      const keeps = picked !== null && firstKept[row * tokens + picked.end - 1] <= state.step;
      const look = `s${shadeOf(kept / tokens)}${keeps ? " keeps" : ""}`;
      if (cell.className !== look) cell.className = look;
      describe(cell, `Layer ${data.layers[layer]}, head ${head}: ${grouped(kept)} of ${grouped(tokens)} kept, ` +
        percent(kept / tokens), chosenLayer && head === state.head);
    }
  }
}

function describe(cell, words, selected) {
  if (cell.title === words && cell.ariaSelected === String(selected)) return;
  cell.setAttribute("aria-label", words);
  cell.title = words;
  cell.setAttribute("aria-selected", selected);
}

// ---- Plots --------------------------------------------------------------------------------------------------------

const bins = data.histogram.counts[0].length;
const kPlot = { left: 8, width: 344, top: 12, height: 96 };

/// Bars as one path; heights in [0, 1].
function bars(heights, plot) {
  const width = plot.width / heights.length;
  return heights.map((height, i) => height <= 0 ? "" :
    `M${plot.left + i * width + 0.5},${plot.top + plot.height}v${(-height * plot.height).toFixed(2)}h${width - 1}V${plot.top + plot.height}z`).join("");
}

function drawHistogram() {
  const counts = new Array(bins).fill(0);
  const [first, end] = chosenRows();
  for (let row = first; row < end; ++row) data.histogram.counts[row].forEach((count, bin) => { counts[bin] += count; });
  const most = Math.max(...counts);
  const path = bars(counts.map((count) => (count === 0 ? 0 : Math.max(count / most, 0.012))), kPlot);
  const threshold = data.thresholds[state.step];
  const decades = -data.histogram.lowest_decade;
  const place = threshold <= 0 ? 0 : 1 + Math.log10(threshold) / decades;
  const x = kPlot.left + Math.min(Math.max(place, 0), 1) * kPlot.width;
  const floor = kPlot.top + kPlot.height;
  const clip = svg("clipPath", { id: "kept-side" });
  clip.append(svg("rect", { x, y: 0, width: kPlot.left + kPlot.width - x, height: floor }));
  const parts = [clip, svg("path", { d: path, class: "all" }),
    svg("path", { d: path, class: "kept", "clip-path": "url(#kept-side)" }),
    svg("line", { x1: kPlot.left, x2: kPlot.left + kPlot.width, y1: floor, y2: floor, class: "axis" }),
    svg("line", { x1: x, x2: x, y1: 2, y2: floor, class: "cut" })];
  for (let decade = 0; decade <= decades; ++decade) {
    const label = decade === decades ? "1" : `10${[...String(decade - decades)].map((c) => c === "-" ? "\u207b" : "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[c]).join("")}`;
    parts.push(svg("text", { x: kPlot.left + decade / decades * kPlot.width, y: floor + 16,
      "text-anchor": decade === decades ? "end" : decade === 0 ? "start" : "middle" }, label));
  }
  $("histogram").replaceChildren(...parts);
  $("histogram").setAttribute("aria-label", `${nameOfChoice()}: scores from 10 to the power of ` +
    `${data.histogram.lowest_decade} to 1, cut at ${threshold.toPrecision(3)}`);
}

function drawProfile() {
  const parts = Math.min(20, tokens);
  const [first, end] = chosenRows();
  const shares = [];
  for (let part = 0; part < parts; ++part) {
    const from = Math.floor(part * tokens / parts);
    const to = Math.floor((part + 1) * tokens / parts);
    let kept = 0;
    for (let i = from; i < to; ++i) kept += keepers[i];
    shares.push(kept / ((to - from) * (end - first)));
  }
  const plot = { ...kPlot, height: 80 };
  const floor = plot.top + plot.height;
  $("profile").replaceChildren(svg("path", { d: bars(shares.map(() => 1), plot), class: "all", opacity: 0.45 }),
    svg("path", { d: bars(shares, plot), class: "kept" }),
    svg("line", { x1: plot.left, x2: plot.left + plot.width, y1: floor, y2: floor, class: "axis" }),
    svg("text", { x: plot.left, y: floor + 16 }, "beginning"),
    svg("text", { x: plot.left + plot.width, y: floor + 16, "text-anchor": "end" }, "end"));
  $("profile").setAttribute("aria-label", `${nameOfChoice()}: share kept by twentieth of the document: ` +
    shares.map(percent).join(", "));
  $("reach").textContent = reachText();
}

/// Where what is kept lies, as distances from the end, where a question would be asked.
function reachText() {
  const total = keepers.reduce((sum, kept) => sum + kept, 0);
  if (total === 0) return `${nameOfChoice()}: nothing is kept.`;
  const back = [0.1, 0.5, 0.9].map((part) => {
    let seen = 0;
    let at = tokens;
    while (at > 0 && seen < part * total) seen += keepers[--at];
    return grouped(tokens - at);
  });
  return `Looking back from the end, half of what is kept lies within ${back[1]} tokens, a tenth within ${back[0]}, ` +
    `nine tenths within ${back[2]}.`;
}

// ---- Drawing ------------------------------------------------------------------------------------------------------

let spoken = 0;

function draw() {
  const choice = chosenRows();
  keepers = keepersOf(choice, state.step);
  keepersFor = `${choice} ${state.step} ${state.picked}`;
  const kept = keptOf([0, rows], state.step);
  const bytesKept = data.bytes_fixed + Math.floor(data.bytes_document * (kept / (rows * tokens)));
  const ratio = percent(data.ratios[state.step]);
  const keptHere = keptOf(choice, state.step);
  const here = (choice[1] - choice[0]) * tokens;
  const summary = `${nameOfChoice()}: ${grouped(keptHere)} of ${grouped(here)} pairs kept, ${percent(keptHere / here)}.`;
  $("keep").value = state.step;
  $("keep").setAttribute("aria-valuetext", ratio);
  $("keep-value").textContent = ratio;
  show("bytes-kept", bytesText(bytesKept), `${grouped(bytesKept)} bytes`);
  show("pairs-kept", grouped(kept), percent(kept / (rows * tokens)));
  const about = data.close_scores ? "about " : "";
  show("threshold", data.ratios[state.step] >= 1 ? "everything" : about + data.thresholds[state.step].toPrecision(3),
    String(data.thresholds[state.step]));
  $("chosen").textContent = summary;
  $("all").disabled = state.layer === null;
  drawHeat();
  drawHistogram();
  drawProfile();
  for (const chunk of chunks) if (chunk.near) paint(chunk);
  clearTimeout(spoken); // once it is at rest, and not for every stop on the way
  spoken = setTimeout(() => { $("status").textContent = `Keep ${ratio}: ${bytesText(bytesKept)}. ${summary}`; }, 500);
}

function show(id, words, title) {
  $(id).textContent = words;
  $(id).title = title;
}

// ---- Search -------------------------------------------------------------------------------------------------------

const kMostMarked = 5000; // of the matches; all are counted and can be walked to
let found = [];           // [begin, end] in `text`
let current = -1;

function spanAt(position) {
  let low = 0;
  let high = spans.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= position) low = middle; else high = middle;
  }
  return low;
}

function rangeOf([begin, end]) {
  const first = spanAt(begin);
  const last = spanAt(end - 1);
  const range = new Range();
  range.setStart(spans[first].element.firstChild, begin - starts[first]);
  range.setEnd(spans[last].element.firstChild, end - starts[last]);
  return range;
}

function mark(name, matches) {
  if (!globalThis.CSS?.highlights) return;
  if (matches.length === 0) CSS.highlights.delete(name);
  else CSS.highlights.set(name, new Highlight(...matches.map(rangeOf)));
}

function search() {
  const query = $("query").value;
  const pattern = new RegExp(query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  found = query === "" ? [] : Array.from(text.matchAll(pattern), (match) => [match.index, match.index + match[0].length]);
  current = -1;
  mark("found", found.slice(0, kMostMarked));
  mark("current", []);
  $("previous").disabled = $("next").disabled = found.length === 0;
  if (found.length > 0) walk(1);
  else $("matches").textContent = query === "" ? "" : "no match";
}

function walk(by) {
  if (found.length === 0) return;
  current = (current + by + found.length) % found.length;
  mark("current", [found[current]]);
  if (!globalThis.CSS?.highlights) {
    getSelection().removeAllRanges();
    getSelection().addRange(rangeOf(found[current]));
  }
  spans[spanAt(found[current][0])].element.scrollIntoView({ block: "center" });
  $("matches").textContent = `${grouped(current + 1)} of ${grouped(found.length)}`;
}

// ---- One token ----------------------------------------------------------------------------------------------------

const since = (step) => (step < steps ? `kept from ${percent(data.ratios[step])} on` : "not in the file");

function showTip(event) {
  const index = event.target.dataset?.span;
  $("tip").hidden = index === undefined;
  if (index === undefined) return;
  const span = spans[index];
  const [first, end] = chosenRows();
  const which = span.end - span.first > 1 ? `Tokens ${grouped(span.first)} to ${grouped(span.end - 1)}` : `Token ${grouped(span.first)}`;
  tipAt(event, end - first === 1
    ? `${which}: ${keepers[span.end - 1] ? "kept" : "dropped"}; ${since(firstKept[first * tokens + span.end - 1])}`
    : `${which}: kept by ${percent(shareOf(span))} of ${grouped(end - first)} heads`);
}

function pick(index) {
  state.picked = index === state.picked ? null : index;
  schedule();
}

// ---- Start --------------------------------------------------------------------------------------------------------

function start() {
  startFrame(`${data.document} - kvzip view`, `${data.model} \u00b7 ${grouped(tokens)} tokens \u00b7 ` +
    `${data.layers.length} layers \u00d7 ${data.kv_heads} KV head${data.kv_heads === 1 ? "" : "s"}`);
  const bytesFull = data.bytes_fixed + data.bytes_document;
  show("bytes-full", bytesText(bytesFull), `${grouped(bytesFull)} bytes`);
  $("pairs-full").textContent = grouped(rows * tokens);
  $("keep").max = steps - 1;
  $("part").hidden = data.ratios.at(-1) >= 1;
  $("part").textContent = `The context file was cut to ${percent(data.ratios.at(-1))}: what it dropped can't come back.`;
  $("close").hidden = !data.close_scores;
  buildHeat();
  buildText();
  draw();

  $("keep").addEventListener("input", () => { state.step = Number($("keep").value); schedule(); });
  $("all").addEventListener("click", () => choose(null, null, false));
  $("query").addEventListener("input", search);
  $("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); walk(-1); }
  });
  document.querySelector(".search").addEventListener("submit", (event) => { event.preventDefault(); walk(1); });
  $("previous").addEventListener("click", () => walk(-1));
  $("text").addEventListener("pointermove", showTip);
  $("text").addEventListener("pointerleave", () => { $("tip").hidden = true; });
  $("text").addEventListener("click", (event) => {
    if (event.target.dataset.span !== undefined) pick(Number(event.target.dataset.span));
  });
  addEventListener("beforeprint", () => chunks.forEach(paint));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { state.picked = null; choose(null, null, false); }
    if (event.target === $("query")) return;
    if (event.key === "/") { event.preventDefault(); $("query").focus(); }
    if (event.key === "[" || event.key === "]") {
      state.step = Math.min(steps - 1, Math.max(0, state.step + (event.key === "]" ? 1 : -1)));
      schedule();
    }
  });
}

start();
