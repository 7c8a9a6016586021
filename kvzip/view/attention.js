// The page of `kvzip attention`. `data` is what attention_page.cpp wrote. "From" are the tokens that look (queries), "to"
// those that they look at (keys).
const { layers, heads } = data;
const tokens = data.texts.length;
const raw = bytesOf(data.weights); // [layers, heads, from, to], of decoders without what lies behind `from`
const perMap = data.causal ? tokens * (tokens + 1) / 2 : tokens * tokens;
const weightOf = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255) ** 2);

const kRow = 24;           // px, as attention.css has it
const kWidth = 340;        // of the lines' own coordinates
const kMostLines = 6000;   // that are drawn at once: the strongest
const kFaintest = 0.01;    // share that is drawn
const kThumb = 156;        // pixels

/// `picked`: {side: "from" | "to", index}, the token whose lines alone are drawn; `held` while the keyboard is on it.
const state = { view: "heads", layer: 0, on: new Array(heads).fill(true), pair: "", picked: null, held: null };

function weight(layer, head, from, to) {
  const map = (layer * heads + head) * perMap;
  if (!data.causal) return weightOf[raw[map + from * tokens + to]];
  return to > from ? 0 : weightOf[raw[map + from * (from + 1) / 2 + to]];
}

const headColour = (head) => `oklch(${dark() ? 74 : 58}% 0.15 ${Math.round(head * 360 / heads + 25) % 360})`;
const textOf = (index) => data.second !== null && index >= data.second ? "1" : "0"; // which of a pair
const isShown = (from, to) => state.pair === "" || (textOf(from) === state.pair[0] && textOf(to) === state.pair[1]);
const isOut = (side, index) => state.pair !== "" && textOf(index) !== state.pair[side === "from" ? 0 : 1];

/// What is in sight of a token's own: spaces and ends of lines are shown.
function visible(text) {
  return text === "" ? "\u2026" : text.replaceAll("\n", "\u23ce").replaceAll("\t", "\u21e5").replace(/^ | $/g, "\u00b7");
}

// ---- Head view ----------------------------------------------------------------------------------------------------

const items = { from: [], to: [] };

function buildLists() {
  for (const side of ["from", "to"]) {
    data.texts.forEach((text, index) => {
      const item = make("li", index === data.second ? "second" : "", visible(text));
      item.tabIndex = index === 0 ? 0 : -1;
      item.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") pick({ side, index }); });
      item.addEventListener("click", () => item.focus());
      item.addEventListener("focus", () => { state.held = { side, index }; pick(state.held); });
      items[side].push(item);
    });
    const list = $(side);
    list.append(...items[side]);
    list.addEventListener("pointerleave", () => pick(state.held));
    list.addEventListener("keydown", moveInList);
    list.addEventListener("focusout", () => { state.held = null; pick(null); });
  }
  const svgElement = $("lines");
  svgElement.setAttribute("viewBox", `0 0 ${kWidth} ${tokens * kRow}`);
  svgElement.setAttribute("preserveAspectRatio", "none");
  svgElement.style.height = `${tokens * kRow}px`;
}

function moveInList(event) {
  const side = items.from.includes(document.activeElement) ? "from" : "to";
  const index = items[side].indexOf(document.activeElement);
  const other = side === "from" ? "to" : "from";
  const to = { ArrowUp: [side, index - 1], ArrowDown: [side, index + 1], Home: [side, 0], End: [side, tokens - 1],
    ArrowLeft: ["from", index], ArrowRight: ["to", index], Enter: [other, index] }[event.key];
  const target = to && items[to[0]][to[1]];
  if (!target) return;
  event.preventDefault();
  for (const item of items[to[0]]) item.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}

function pick(token) {
  state.picked = token;
  schedule();
}

const onHeads = () => state.on.flatMap((on, head) => (on ? [head] : []));

/// What the heads that are switched on pay on average, from the picked token or to it, for every token.
function sharesOf(picked) {
  const shown = onHeads();
  const shares = new Float32Array(tokens);
  for (let i = 0; i < tokens; ++i) {
    const [from, to] = picked.side === "from" ? [picked.index, i] : [i, picked.index];
    if (!isShown(from, to)) continue;
    for (const head of shown) shares[i] += weight(state.layer, head, from, to) / shown.length;
  }
  return shares;
}

/// [{head, from, to, share}], the strongest first, as many as are drawn; and how many more there are.
function linesToDraw() {
  const lines = [];
  const { picked } = state;
  const range = (side) => (picked?.side === side ? [picked.index, picked.index + 1] : [0, tokens]);
  const [firstFrom, endFrom] = range("from");
  const [firstTo, endTo] = range("to");
  for (const head of onHeads()) {
    for (let from = firstFrom; from < endFrom; ++from) {
      for (let to = firstTo; to < endTo; ++to) {
        const share = weight(state.layer, head, from, to);
        if (share >= kFaintest && isShown(from, to)) lines.push({ head, from, to, share });
      }
    }
  }
  lines.sort((a, b) => b.share - a.share);
  return [lines.slice(0, kMostLines), Math.max(0, lines.length - kMostLines)];
}

function drawHeads() {
  const [lines, left] = linesToDraw();
  const strengths = 12; // one path for each head and strength: few elements, however many lines
  const paths = new Map();
  for (const line of lines) {
    const strength = Math.ceil(line.share * strengths);
    const key = line.head * (strengths + 1) + strength;
    if (!paths.has(key)) paths.set(key, { head: line.head, strength, count: 0, d: "" });
    const path = paths.get(key);
    ++path.count;
    path.d += `M0,${(line.from + 0.5) * kRow}L${kWidth},${(line.to + 0.5) * kRow}`;
  }
  $("lines").replaceChildren(...[...paths.values()].map((path) => svg("path", { d: path.d, stroke: headColour(path.head),
    "data-head": path.head, "data-lines": path.count, "stroke-width": 1 + path.strength / strengths * 2,
    "stroke-opacity": Math.max(0.12, path.strength / strengths), "vector-effect": "non-scaling-stroke" })));
  $("lines").setAttribute("aria-label", `Layer ${state.layer}: ${grouped(lines.length)} lines of ${onHeads().length} heads`);
  $("head-note").textContent = `Layer ${state.layer}, ${onHeads().length} of ${heads} heads` +
    (data.windows[state.layer] > 0 ? `, which see the last ${grouped(data.windows[state.layer])} tokens` : "") +
    `. The stronger a line, the larger the share. ` +
    (left > 0 ? `The strongest ${grouped(kMostLines)} lines are drawn; point at a token for all of its own.` : "Point at a token for its own lines.");
  drawLists();
}

function drawLists() {
  const { picked } = state;
  const shares = picked === null ? null : sharesOf(picked);
  for (const side of ["from", "to"]) {
    items[side].forEach((item, index) => {
      const shaded = picked !== null && side !== picked.side;
      const shade = shaded ? `s${shares[index] <= 0.001 ? 0 : Math.min(15, 1 + Math.floor(shares[index] * 14.999))}` : "";
      const own = picked !== null && side === picked.side && index === picked.index;
      const words = [index === data.second ? "second" : "", shade, own ? "picked" : "", isOut(side, index) ? "out" : ""];
      item.className = words.filter((word) => word !== "").join(" ");
      item.title = shaded && shares[index] > 0 ? percent(shares[index]) : "";
      item.setAttribute("aria-label", `${visible(data.texts[index])}, token ${grouped(data.first + index)}`);
    });
  }
  if (picked === null) return;
  items[picked.side][picked.index].setAttribute("aria-label", describe(picked, shares));
  if (state.held !== null) say(describe(picked, shares));
}

function describe(picked, shares) {
  const best = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 5).filter((i) => shares[i] > 0.001);
  const list = best.map((i) => `${visible(data.texts[i])} (${grouped(data.first + i)}) ${percent(shares[i])}`).join(", ");
  return `${visible(data.texts[picked.index])}, token ${grouped(data.first + picked.index)}, ` +
    `${picked.side === "from" ? "looks at" : "is looked at by"}: ${list || "nothing that is shown"}`;
}

function buildHeadButtons() {
  $("heads").append(...state.on.map((_, head) => {
    const button = make("button", "", String(head));
    button.type = "button";
    button.setAttribute("aria-label", `Head ${head}`);
    button.addEventListener("click", () => { state.on[head] = !state.on[head]; schedule(); });
    button.addEventListener("dblclick", () => { only(head); });
    return button;
  }));
}

function only(head) {
  state.on = state.on.map((_, each) => each === head);
  schedule();
}

// ---- Model view ---------------------------------------------------------------------------------------------------

const thumbs = []; // thumbs[layer][head]: {button, canvas, drawnFor}
let near = null;   // draws thumbnails as they come into sight

function buildGrid() {
  const top = $("grid").createTHead().insertRow();
  top.append(make("th", "", make("span", "hidden", "Layer")));
  for (let head = 0; head < heads; ++head) {
    const cell = make("th", "", String(head));
    cell.scope = "col";
    top.append(cell);
  }
  const body = $("grid").createTBody();
  near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const thumb = thumbs[entry.target.dataset.layer][entry.target.dataset.head];
      thumb.near = entry.isIntersecting;
      if (thumb.near) drawThumb(thumb);
    }
  }, { rootMargin: "200px" });
  for (let layer = 0; layer < layers; ++layer) {
    const row = body.insertRow();
    const label = make("th", "", String(layer));
    label.scope = "row";
    row.append(label);
    thumbs.push([]);
    for (let head = 0; head < heads; ++head) thumbs[layer].push(makeThumb(row.insertCell(), layer, head));
  }
  $("grid").addEventListener("keydown", moveInGrid);
}

function makeThumb(cell, layer, head) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = kThumb;
  const button = make("button", "", canvas);
  button.type = "button";
  button.tabIndex = layer + head === 0 ? 0 : -1;
  button.setAttribute("aria-label", `Layer ${layer}, head ${head}`);
  Object.assign(button.dataset, { layer, head });
  button.addEventListener("click", () => enlarge(layer, head));
  cell.setAttribute("role", "gridcell");
  cell.append(button);
  near.observe(button);
  return { layer, head, button, canvas, near: false, drawnFor: "" };
}

/// Every query's strongest keys: more lines than these are no longer seen in so small a picture.
function drawThumb(thumb) {
  const look = `${state.pair} ${dark()}`;
  if (thumb.drawnFor === look) return;
  thumb.drawnFor = look;
  const pen = thumb.canvas.getContext("2d");
  pen.clearRect(0, 0, kThumb, kThumb);
  pen.strokeStyle = headColour(thumb.head);
  pen.lineWidth = 1.2;
  const y = (index) => (index + 0.5) * kThumb / tokens;
  for (let from = 0; from < tokens; ++from) {
    for (let to = 0; to < tokens; ++to) {
      const share = weight(thumb.layer, thumb.head, from, to);
      if (share < 0.05 || !isShown(from, to)) continue;
      pen.globalAlpha = share;
      pen.beginPath();
      pen.moveTo(0, y(from));
      pen.lineTo(kThumb, y(to));
      pen.stroke();
    }
  }
}

function moveInGrid(event) {
  const { layer, head } = document.activeElement.dataset;
  if (layer === undefined) return;
  const at = [Number(layer), Number(head)];
  const to = { ArrowUp: [at[0] - 1, at[1]], ArrowDown: [at[0] + 1, at[1]], ArrowLeft: [at[0], at[1] - 1], ArrowRight: [at[0], at[1] + 1] }[event.key];
  const target = to && thumbs[to[0]]?.[to[1]];
  if (!target) return;
  event.preventDefault();
  document.activeElement.tabIndex = -1;
  target.button.tabIndex = 0;
  target.button.focus();
}

function enlarge(layer, head) {
  state.view = "heads";
  state.layer = layer;
  only(head);
  say(`Layer ${layer}, head ${head}`);
}

// ---- Drawing and start --------------------------------------------------------------------------------------------

const say = (words) => { $("status").textContent = words; };

function draw() {
  const inHeads = state.view === "heads";
  $("head-view").hidden = $("layer-choice").hidden = $("head-choice").hidden = !inHeads;
  $("model-view").hidden = inHeads;
  $("show-heads").setAttribute("aria-pressed", inHeads);
  $("show-model").setAttribute("aria-pressed", !inHeads);
  $("layer").value = state.layer;
  $("layer-back").disabled = state.layer === 0;
  $("layer-on").disabled = state.layer === layers - 1;
  [...$("heads").children].forEach((button, head) => {
    button.style.setProperty("--of-head", headColour(head));
    button.setAttribute("aria-pressed", state.on[head]);
  });
  if (inHeads) drawHeads();
  else for (const row of thumbs) for (const thumb of row) if (thumb.near) drawThumb(thumb);
}

function toLayer(layer) {
  if (layer < 0 || layer >= layers) return;
  state.layer = layer;
  say(`Layer ${layer}`);
  schedule();
}

function show(view) {
  state.view = view;
  schedule();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
  if (event.key === "[") toLayer(state.layer - 1);
  if (event.key === "]") toLayer(state.layer + 1);
  if (event.key === "m") show(state.view === "heads" ? "model" : "heads");
  if (event.key === "Escape") { document.activeElement?.blur(); state.held = null; pick(null); }
  const head = Number(event.key) - 1;
  if (/^[1-9]$/.test(event.key) && head < heads) { state.on[head] = !state.on[head]; schedule(); }
}

function start() {
  startFrame(`${data.document} - attention`, `${data.model} \u00b7 ${grouped(tokens)} tokens \u00b7 ${layers} layers \u00d7 ` +
    `${heads} head${heads === 1 ? "" : "s"} \u00b7 ${data.causal ? "each token sees those before it" : "all tokens see each other"}`);
  $("pair-choice").hidden = data.second === null;
  $("range-note").hidden = data.first === 0;
  $("range-note").textContent = `Tokens ${grouped(data.first)} to ${grouped(data.first + tokens - 1)} of the text are shown: what they pay to ` +
    "others is not.";
  for (let layer = 0; layer < layers; ++layer) $("layer").append(new Option(String(layer), String(layer)));
  buildHeadButtons();
  buildLists();
  buildGrid();
  draw();
  $("show-heads").addEventListener("click", () => show("heads"));
  $("show-model").addEventListener("click", () => show("model"));
  $("layer").addEventListener("change", () => toLayer(Number($("layer").value)));
  $("layer-back").addEventListener("click", () => toLayer(state.layer - 1));
  $("layer-on").addEventListener("click", () => toLayer(state.layer + 1));
  $("pair").addEventListener("change", () => { state.pair = $("pair").value; schedule(); });
  $("all-heads").addEventListener("click", () => { state.on.fill(true); schedule(); });
  $("no-heads").addEventListener("click", () => { state.on.fill(false); schedule(); });
  addEventListener("keydown", onKey);
  addEventListener("themechange", schedule);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule);
}

start();
