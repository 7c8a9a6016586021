// The page of `kvzip view --answers`. `data` is what answers_page.cpp wrote: questions, each with the tokens of the answer
// from the full memory and of that from what is kept, and both memories' probabilities of all of them.

const kApart = 0.1;    // a difference of probabilities that is marked
const kMostAligned = 1000; // tokens of an answer that are compared one by one

const textOf = (tokens) => tokens.map((token) => token.text).join("");

/// Of each token of `a`, then of `b`: whether it is part of a longest sequence that both have.
function shared(a, b) {
  const common = [a.map(() => false), b.map(() => false)];
  if (a.length > kMostAligned || b.length > kMostAligned) return common.map((each) => each.map(() => true));
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width); // of a[i...] and b[j...]
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      longest[i * width + j] = a[i].text === b[j].text ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i].text === b[j].text) {
      common[0][i++] = true;
      common[1][j++] = true;
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) ++i;
    else ++j;
  }
  return common;
}

/// `own` is "p_full" or "p_kept": whose answer it is.
function answerView(title, tokens, common, own) {
  const text = make("div", "answer");
  text.dir = "auto";
  tokens.forEach((token, i) => {
    const doubt = Math.round((1 - token[own]) * 15);
    const apart = Math.abs(token.p_full - token.p_kept) >= kApart;
    const span = make("span", `s${doubt}${common[i] ? "" : " other"}${apart ? " apart" : ""}`, token.text);
    span.addEventListener("pointermove", (event) => showTip(event, token));
    text.append(span);
  });
  if (tokens.length === 0) text.append(make("small", "", "(nothing)"));
  text.addEventListener("pointerleave", () => { $("tip").hidden = true; });
  return make("section", "", make("h3", "", title), text, tableView(title, tokens));
}

function tableView(title, tokens) {
  const table = document.createElement("table");
  table.append(make("caption", "hidden", `${title}: every token`));
  const head = table.createTHead().insertRow();
  for (const name of ["Token", "p, full", "p, kept", "likeliest, full", "likeliest, kept"]) {
    const cell = make("th", name.startsWith("likeliest") ? "word" : "", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const token of tokens) {
    const row = body.insertRow();
    row.insertCell().textContent = JSON.stringify(token.text);
    row.insertCell().textContent = percent(token.p_full);
    row.insertCell().textContent = percent(token.p_kept);
    for (const top of [token.top_full, token.top_kept]) {
      const cell = row.insertCell();
      cell.className = "word";
      cell.textContent = top === token.text ? "same" : JSON.stringify(top);
    }
  }
  return make("details", "", make("summary", "", `Every token (${tokens.length})`), make("div", "wide", table));
}

function verdictOf(question) {
  const { full, kept } = question;
  if (textOf(full) === textOf(kept)) return "Same answer";
  const first = full.findIndex((token, i) => kept[i]?.text !== token.text);
  return `Answers differ from token ${(first < 0 ? full.length : first) + 1} on`;
}

/// The mean probability of the full memory's answer, under one memory.
const meanOf = (tokens, whose) => tokens.length === 0 ? 1 : tokens.reduce((sum, token) => sum + token[whose], 0) / tokens.length;

function questionView(question) {
  const [inFull, inKept] = shared(question.full, question.kept);
  const fullName = data.full_ratio >= 1 ? "Full memory" : `All that the file holds, ${percent(data.full_ratio)}`;
  return make("article", "question card", make("h2", "", question.question),
    make("p", "verdict", `${verdictOf(question)}. Mean probability of the first answer's tokens: ` +
      `${percent(meanOf(question.full, "p_full"))} full, ${percent(meanOf(question.full, "p_kept"))} kept.`),
    make("div", "pair", answerView(fullName, question.full, inFull, "p_full"),
      answerView(`Kept ${percent(data.kept_ratio)}`, question.kept, inKept, "p_kept")));
}

function showTip(event, token) {
  tipAt(event, `${JSON.stringify(token.text)}: ${percent(token.p_full)} full, ${percent(token.p_kept)} kept` +
    (token.top_kept === token.text ? "" : `; kept memory's likeliest: ${JSON.stringify(token.top_kept)}`));
}

function start() {
  startFrame(`${data.document} - answers`, `${data.model} \u00b7 ${grouped(data.document_tokens)} tokens \u00b7 KV memory ` +
    `${bytesText(data.bytes_full)} full, ${bytesText(data.bytes_kept)} kept`);
  const same = data.questions.filter((question) => textOf(question.full) === textOf(question.kept)).length;
  $("summary").textContent = `${same} of ${data.questions.length} answers are the same with ${percent(data.kept_ratio)} of the pairs.`;
  $("questions").append(...data.questions.map(questionView));
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
}

start();
