"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const NS = "http://www.w3.org/2000/svg";
const BOX = { left: 58, right: 14, top: 12, bottom: 40 };
const hidden = new Set();
let bySeconds = false;

function element(name, attributes, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function ticks(low, high) {
  const rough = (high - low) / 6 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let t = Math.ceil(low / step) * step; t <= high + 1e-9; t += step) found.push(Number(t.toPrecision(10)));
  return found;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

let points = [];
let lines = new Map();
let chosen = null;
let marker;

function draw() {
  const holder = document.getElementById("chart");
  const width = Math.max(320, holder.clientWidth);
  const height = Math.min(460, Math.max(280, width * 0.5));
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": data.label });
  const shown = data.runs.filter((run) => !hidden.has(run.method));
  const all = data.runs;
  const xOf = (run) => (bySeconds ? run.seconds : run.epochs);
  const xHigh = Math.max(1e-9, ...all.map((run) => Math.max(...xOf(run))));
  const errors = all.flatMap((run) => run.error.filter((v) => v !== null)).concat(Object.values(data.reference));
  const yLow = Math.min(...errors), yHigh = Math.max(...errors), pad = (yHigh - yLow) * 0.05 || 1;
  const x = (v) => BOX.left + (v / xHigh) * (width - BOX.left - BOX.right);
  const y = (v) => height - BOX.bottom - ((v - yLow + pad) / (yHigh - yLow + 2 * pad)) * (height - BOX.top - BOX.bottom);
  for (const t of ticks(yLow - pad, yHigh + pad)) {
    svg.append(element("line", { x1: BOX.left, x2: width - BOX.right, y1: y(t), y2: y(t), class: "grid" }));
    svg.append(element("text", { x: BOX.left - 6, y: y(t) + 4, "text-anchor": "end" }, t));
  }
  for (const t of ticks(0, xHigh)) svg.append(element("text", { x: x(t), y: height - BOX.bottom + 18, "text-anchor": "middle" }, t));
  svg.append(element("text", { x: width / 2, y: height - 6, "text-anchor": "middle" }, bySeconds ? "seconds of search" : "epoch"));
  const label = element("text", { transform: `translate(14 ${height / 2}) rotate(-90)`, "text-anchor": "middle" }, data.label);
  svg.append(label);
  for (const [name, level] of Object.entries(data.reference)) {
    svg.append(element("line", { x1: BOX.left, x2: width - BOX.right, y1: y(level), y2: y(level), class: "level" }));
    svg.append(element("text", { x: width - BOX.right - 4, y: y(level) - 4, "text-anchor": "end" }, name));
  }
  points = [];
  lines = new Map();
  chosen = null;
  for (const run of shown) {
    const place = run.error.map((v, i) => (v === null ? null : [x(xOf(run)[i]), y(v)]));
    const path = place.map((p, i) => (p ? `${i && place[i - 1] ? "L" : "M"}${p[0].toFixed(1)} ${p[1].toFixed(1)}` : "")).join("");
    const line = element("path", { d: path, fill: "none", stroke: data.methods[run.method].color, class: "run" });
    lines.set(run, line);
    svg.append(line);
    place.forEach((p, i) => p && points.push([p[0], p[1], run, i]));
  }
  if (!bySeconds) {
    for (const [name, look] of Object.entries(data.methods)) {
      const runs = shown.filter((run) => run.method === name);
      if (!runs.length) continue;
      const path = runs[0].epochs.map((e, i) => {
        const known = runs.map((run) => run.error[i]).filter((v) => v !== null && v !== undefined);
        return known.length ? `${i ? "L" : "M"}${x(e).toFixed(1)} ${y(median(known)).toFixed(1)}` : "";
      }).join("");
      svg.append(element("path", { d: path, fill: "none", stroke: look.color, "stroke-width": 2.6, "stroke-dasharray": look.dash }));
    }
  }
  marker = element("circle", { r: 5, fill: "none", class: "marker", "stroke-width": 2, visibility: "hidden" });
  svg.append(marker);
  svg.addEventListener("pointermove", (event) => point(event, svg, width));
  svg.addEventListener("pointerdown", (event) => point(event, svg, width));
  holder.replaceChildren(svg);
}

function point(event, svg, width) {
  const frame = svg.getBoundingClientRect();
  const scale = width / frame.width;
  const at = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
  let best = null, near = 40 * 40;
  for (const candidate of points) {
    const distance = (candidate[0] - at[0]) ** 2 + (candidate[1] - at[1]) ** 2;
    if (distance < near) [best, near] = [candidate, distance];
  }
  if (!best) return;
  const [px, py, run, i] = best;
  for (const [key, value] of [["cx", px], ["cy", py], ["stroke", data.methods[run.method].color], ["visibility", "visible"]]) marker.setAttribute(key, value);
  if (chosen) chosen.classList.remove("chosen");
  chosen = lines.get(run);
  chosen.classList.add("chosen");
  tell(run, i);
}

function tell(run, i) {
  const holder = document.getElementById("details");
  const architecture = data.architectures[run.architecture[i]];
  const head = document.createElement("p");
  const error = run.error[i] === null ? "missing" : `${run.error[i].toFixed(2)}${data.unit}`;
  head.textContent = `${run.method}, seed ${run.seed}, epoch ${run.epochs[i]}${run.seconds[i] === null ? "" : ` (${run.seconds[i].toFixed(1)} s)`}: ${data.label}: ${error}`;
  const code = document.createElement("code");
  code.textContent = architecture.encoding;
  const table = document.createElement("table");
  const wide = document.createElement("div");
  wide.className = "wide";
  for (const [measure, trials] of Object.entries(architecture.values)) {
    const row = table.insertRow();
    row.insertCell().textContent = measure;
    row.insertCell().textContent = trials.map(([trial, value]) => `${trial}: ${value === null ? "missing" : `${value.toFixed(2)}${data.unit}`}`).join("   ");
  }
  wide.append(table);
  holder.replaceChildren(head, code, wide);
}

function legend() {
  for (const [name, look] of Object.entries(data.methods)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "method";
    button.setAttribute("aria-pressed", "true");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.borderColor = look.color;
    button.append(swatch, name);
    button.addEventListener("click", () => {
      hidden.has(name) ? hidden.delete(name) : hidden.add(name);
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
      draw();
    });
    document.getElementById("legend").append(button);
  }
}

function sortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[column].textContent;
    const compare = (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
    const number = (row) => parseFloat(value(row));
    const rows = [...table.tBodies[0].rows];
    const all = rows.every((row) => !Number.isNaN(number(row)));
    rows.sort((a, b) => (all ? number(a) - number(b) : compare(a, b)) * (up ? 1 : -1));
    table.tBodies[0].append(...rows);
  }));
}
document.querySelectorAll("table.sortable").forEach(sortable);
// what is folded on the screen is printed
const folded = [...document.querySelectorAll("details")];
window.addEventListener("beforeprint", () => folded.forEach((d) => { d.dataset.open = d.open ? "yes" : ""; d.open = true; }));
window.addEventListener("afterprint", () => folded.forEach((d) => { d.open = Boolean(d.dataset.open); }));

const axis = document.getElementById("axis");
if (data.runs.some((run) => run.seconds.includes(null))) axis.hidden = true;
axis.addEventListener("click", () => {
  bySeconds = !bySeconds;
  axis.setAttribute("aria-pressed", String(bySeconds));
  axis.textContent = bySeconds ? "against epochs" : "against seconds";
  draw();
});
legend();
draw();
let before = window.innerWidth;
window.addEventListener("resize", () => { if (window.innerWidth !== before) { before = window.innerWidth; draw(); } });
