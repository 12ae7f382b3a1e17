"use strict";

const SHOWN_MINUTES = 15;
const LINES = {
  rates: [
    ["requests", "all", "--color-base-400"],
    ["searches", "searches", "--color-primary-500"],
    ["embeds", "embed requests", "--ops-teal"],
  ],
  latency: [
    ["p50", "p50", "--color-primary-300"],
    ["p95", "p95", "--color-primary-500"],
    ["p99", "p99", "--ops-amber"],
  ],
};

const dashboard = document.getElementById("dashboard");
const charts = {};

function age(minutes) {
  return minutes === 0 ? "now" : `${minutes} min`;
}

function points(series, key) {
  return series[key].map((value, index) => ({ x: -series.seconds_ago[index] / 60, y: value }));
}

function drawChart(name, series) {
  const datasets = LINES[name].map(([key, label, tint]) => ({
    label,
    data: points(series, key),
    borderColor: themeColour(dashboard, tint),
    backgroundColor: themeColour(dashboard, tint),
  }));
  if (charts[name]) {
    charts[name].data.datasets.forEach((dataset, index) => (dataset.data = datasets[index].data));
    charts[name].update("none");
    return;
  }
  charts[name] = new Chart(document.querySelector(`[data-chart="${name}"]`), {
    type: "line",
    data: { datasets },
    options: {
      animation: false,
      maintainAspectRatio: false,
      spanGaps: true,
      interaction: { mode: "index", intersect: false },
      elements: { line: { borderWidth: 2 }, point: { radius: 0, hitRadius: 8 } },
      plugins: {
        legend: { position: "bottom", labels: { boxWidth: 8, boxHeight: 8, color: AXIS_COLOUR } },
        tooltip: { callbacks: { title: (items) => `${Math.round(-items[0].parsed.x * 60)} s ago` } },
      },
      scales: {
        x: {
          type: "linear",
          min: -SHOWN_MINUTES,
          max: 0,
          grid: { display: false },
          ticks: { color: AXIS_COLOUR, stepSize: 3, maxRotation: 0, callback: age },
        },
        y: { beginAtZero: true, grid: { color: GRID_COLOUR }, ticks: { color: AXIS_COLOUR, maxTicksLimit: 5 } },
      },
    },
  });
}

function cell(text) {
  const element = document.createElement("td");
  element.textContent = text;
  return element;
}

function showDashboard(numbers) {
  showTiles(dashboard, numbers.tiles);
  const rows = numbers.routes.map((texts) => {
    const row = document.createElement("tr");
    row.append(...texts.map(cell));
    return row;
  });
  dashboard.querySelector("[data-routes]").replaceChildren(...rows);
  dashboard.querySelector("[data-no-routes]").hidden = rows.length > 0;
  dashboard.querySelector("[data-at]").textContent = numbers.at;
  Object.keys(LINES).forEach((name) => drawChart(name, numbers.series));
  return false;
}

keepFresh(dashboard, JSON.parse(document.getElementById("dashboard-numbers").textContent), showDashboard);
