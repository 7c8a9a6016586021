"use strict";

// What all pages share. `data` is what page_json() of page_sources.h wrote.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

const grouped = (number) => number.toLocaleString("en-US");
const percent = (share) => `${+(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;

function bytesText(bytes) { // as kvzip's own reports have them
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 10).toFixed(1)} KiB`;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/// A new element with words or children.
function make(name, classes, ...content) {
  const element = document.createElement(name);
  element.className = classes;
  element.append(...content);
  return element;
}

function svg(name, attributes, content = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  return element;
}

/// Shows `words` beside the pointer.
function tipAt(event, words) {
  const tip = $("tip");
  tip.hidden = false;
  tip.textContent = words;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.min(event.clientX + 12, innerWidth - box.width - 8)}px`;
  tip.style.top = `${event.clientY + 22 + box.height > innerHeight ? event.clientY - box.height - 14 : event.clientY + 22}px`;
}

let waiting = false;

/// Calls the page's own draw() once before the next picture, however often it was asked for.
function schedule() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function dark() {
  return (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function startFrame(title, subtitle) {
  document.title = title;
  $("title").textContent = data.document;
  $("subtitle").textContent = subtitle;
  $("made").textContent = `Made by kvzip ${data.version}. Nothing on this page is fetched from anywhere.`;
  $("theme").setAttribute("aria-pressed", dark());
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    $("theme").setAttribute("aria-pressed", dark());
    dispatchEvent(new Event("themechange"));
  });
}
