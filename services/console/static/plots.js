// Draws the overview's plots, and asks for new values now and then.
"use strict";

const EVERY_MS = 5000;
const HEIGHT = 220;

const PLOTS = {
  rates: (data) => [data.times_s, data.placed_per_s, data.settled_per_s],
  latencies: (data) => [data.times_s, data.median_s, data.p95_s],
};
const LABELS = { rates: ["placed", "settled"], latencies: ["median", "95th percentile"] };

function ink(name) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function clock(time) {
  return new Date(time * 1000).toISOString().slice(11, 19);
}

function options(element) {
  const [first, second] = LABELS[element.dataset.plot];
  // A value between two gaps has no line.
  const points = { show: true, size: 4 };
  // Functions, so that a page whose colours change is drawn in the new ones.
  const axis = { stroke: ink("--muted"), grid: { stroke: ink("--line"), width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    axes: [{ ...axis, space: 70, values: (_, times) => times.map(clock) }, { ...axis, size: 60 }],
    scales: { y: { range: (_, least, most) => [0, Math.max(most * 1.1, 0.1)] } },
    series: [
      { label: "time (UTC)", value: (_, time) => (time ? clock(time) : "") },
      { label: first, stroke: ink("--accent"), width: 2, points },
      { label: second, stroke: ink("--info"), width: 2, points },
    ],
  };
}

async function start(elements) {
  const plots = new Map();
  const draw = async () => {
    if (document.hidden) return;
    const answer = await fetch(elements[0].dataset.series, { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const data = await answer.json();
    for (const element of elements) {
      const values = PLOTS[element.dataset.plot](data);
      const plot = plots.get(element);
      if (plot) plot.setData(values);
      else plots.set(element, new uPlot(options(element), values, element));
    }
  };
  const again = () => draw().catch(() => {}).finally(() => setTimeout(again, EVERY_MS));
  // A box also changes without its window, when a scrollbar appears or goes.
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) plots.get(target)?.setSize({ width: target.clientWidth, height: HEIGHT });
  });
  for (const element of elements) boxes.observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of plots.values()) plot.redraw();
  });
  again();
}

addEventListener("DOMContentLoaded", () => {
  const elements = [...document.querySelectorAll("[data-plot]")];
  if (elements.length) start(elements);
});
