"use strict";

const RUN_REFRESH_MS = 2000;
const runPage = document.getElementById("reembed-run");
const firstNumbers = JSON.parse(document.getElementById("run-numbers").textContent);
const RATE_SECONDS = 30;
const looks = [];
let rateChart = null;

// 45 s, 3:05 min or 2:07 h, all labels of the axis in one unit.
function since(seconds, total) {
  if (total < 120) return `${Math.round(seconds)} s`;
  const [large, unit] = total < 7200 ? [60, "min"] : [3600, "h"];
  const rest = Math.floor((seconds % large) / (large / 60));
  return `${Math.floor(seconds / large)}:${String(rest).padStart(2, "0")} ${unit}`;
}

function drawRate(bars) {
  const labels = bars.per_second.map((_, index) => since(index * bars.seconds, bars.seconds * bars.per_second.length));
  if (rateChart) {
    rateChart.data.labels = labels;
    rateChart.data.datasets[0].data = bars.per_second;
    rateChart.update("none");
    return;
  }
  const tint = themeColour(runPage, "--color-primary-500");
  rateChart = new Chart(runPage.querySelector("[data-chart=rate]"), {
    type: "bar",
    data: { labels, datasets: [{ label: "documents / s", data: bars.per_second, backgroundColor: tint, maxBarThickness: 24 }] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      plugins: { legend: { display: false }, tooltip: { callbacks: { title: (items) => `${items[0].label} after the start` } } },
      scales: {
        x: { grid: { display: false }, ticks: { color: AXIS_COLOUR, maxRotation: 0, maxTicksLimit: 8 } },
        y: { beginAtZero: true, grid: { color: GRID_COLOUR }, ticks: { color: AXIS_COLOUR, maxTicksLimit: 5 } },
      },
    },
  });
}

// Documents per second between the looks of the last half minute; null before there are two.
function rateNow(done) {
  const now = performance.now() / 1000;
  looks.push({ now, done });
  while (now - looks[0].now > RATE_SECONDS) looks.shift();
  const seconds = now - looks[0].now;
  return seconds < 1 ? null : (done - looks[0].done) / seconds;
}

function showRun(numbers) {
  if (numbers.state !== firstNumbers.state) {
    // Other actions are possible now, and the list of failed texts may be another.
    location.reload();
    return true;
  }
  const problem = runPage.querySelector("[data-problem]");
  showTiles(runPage, numbers.tiles);
  const rate = rateNow(numbers.done);
  if (numbers.state === "running" && rate !== null) runPage.querySelector("[data-tile=now]").textContent = rate.toFixed(1);
  runPage.querySelector("[data-state]").textContent = numbers.state;
  runPage.querySelector("[data-percent]").textContent = `${numbers.percent} %`;
  runPage.querySelector("[role=progressbar]").setAttribute("aria-valuenow", numbers.percent);
  const bar = runPage.querySelector("[data-bar]");
  bar.style.width = `${numbers.percent}%`;
  bar.dataset.tone = numbers.tone;
  problem.textContent = numbers.problem;
  problem.hidden = !numbers.problem;
  runPage.querySelector("[data-at]").textContent = numbers.at;
  drawRate(numbers.bars);
  return ["finished", "cancelled"].includes(numbers.state);
}

keepFresh(runPage, firstNumbers, showRun, RUN_REFRESH_MS);
