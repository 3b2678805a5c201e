// SPDX-License-Identifier: Apache-2.0
//
// The plots of the status page, and their samples: rates and quantiles, computed from the
// differences between two replies of the daemon. status_page.js follows in the same script.
'use strict';

const kSpans = [60, 120, 300].map(seconds => seconds * 1000);  // plots grow with the data
const kLatencyWindow = 5000;  // milliseconds per quantile; a shorter window would only show noise
// Each status and its colour, in the order in which they are stacked.
const kClasses = [
  ['PERMISSION_DENIED', 'denied'], ['RESOURCE_EXHAUSTED', 'limit'], ['UNAVAILABLE', 'unavailable'],
  ['DEADLINE_EXCEEDED', 'deadline'], ['INVALID_ARGUMENT', 'invalid'], ['NOT_FOUND', 'missing'],
  ['other', 'other']];
const kQuantiles = [
  {label: 'p50', share: .5, width: 2, dash: []}, {label: 'p90', share: .9, width: 1.2, dash: []},
  {label: 'p99', share: .99, width: 1.5, dash: [3, 3]}];

let samples = [];   // the data of the plots, the oldest first
let cursor = null;  // the time that the user points at

// ---- Samples ----------------------------------------------------------------------------------

const sum = values => values.reduce((a, b) => a + b, 0);
const minus = (a, b) => a.map((value, i) => value - (b?.[i] ?? 0));

function sampleOf(status) {
  const codes = Object.entries(status.outcomes);
  const known = new Set(['OK', ...kClasses.map(([code]) => code)]);
  return {
    t: status.now, run: status.pid + '/' + status.started,
    totals: [status.outcomes.OK ?? 0, ...kClasses.map(([code]) => status.outcomes[code] ??
        (code === 'other' ? sum(codes.filter(([c]) => !known.has(c)).map(([, n]) => n)) : 0))],
    denied: status.denied, received: status.received, sent: status.sent,
    backends: new Map(status.backends.map(b => [b.name, b.buckets])),
    rates: null, latency: new Map(),
  };
}
// Returns the duration within which `share` of the calls ended, interpolated in its bucket.
function quantile(buckets, bounds, share) {
  let left = sum(buckets) * share;
  if (left <= 0) return null;
  for (let i = 0; i < bounds.length; ++i) {
    const low = i ? bounds[i - 1] : 0;
    if (buckets[i] > 0 && left <= buckets[i]) return low + (bounds[i] - low) * left / buckets[i];
    left -= buckets[i];
  }
  return bounds.at(-1);  // the true value may be larger
}
// Appends a sample, with the rates since the last one. There are no rates after a restart, or if a
// clock or a counter went back; older samples are then dropped, or the plots have a gap.
function take(status) {
  const next = sampleOf(status), last = samples.at(-1);
  if (last && (last.run !== next.run || next.t <= last.t)) samples = [];
  if (last && samples.length && next.totals.every((n, i) => n >= last.totals[i])) {
    const seconds = (next.t - last.t) / 1000;
    const per = key => Math.max(0, next[key] - last[key]) / seconds;
    const totals = minus(next.totals, last.totals).map(n => n / seconds);
    // Plots break here: after a pause, the mean of the whole pause would look like a recent rate.
    next.gap = seconds > 5;
    next.rates = {totals, all: sum(totals), denied: per('denied'), received: per('received'),
                  sent: per('sent')};
    const from = samples.findLast(s => next.t - s.t >= kLatencyWindow) ?? samples[0];
    for (const [name, buckets] of next.backends) {
      const calls = minus(buckets, from.backends.get(name));
      next.latency.set(name, kQuantiles.map(q => quantile(calls, status.bounds, q.share)));
      next.latency.get(name).perSecond = sum(minus(buckets, last.backends.get(name))) / seconds;
    }
  }
  samples.push(next);
  const oldest = next.t - kSpans.at(-1) - kLatencyWindow;
  samples.splice(0, samples.findIndex(s => s.t >= oldest));
}
const shown = () =>
    (cursor == null ? null : samples.findLast(s => s.t <= cursor)) ?? samples.at(-1);

// ---- Plots ------------------------------------------------------------------------------------

const plots = new Map();  // canvas to {series, log, stacked, show, say}
const kLeft = 54, kBottom = 18, kTop = 6, kRight = 4;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name);
function viewOfAll() {
  const end = samples.at(-1).t, seen = end - samples[0].t;
  const length = kSpans.find(s => s >= seen) ?? kSpans.at(-1);
  return {start: end - length, end, length};
}
// Returns the value axis as [the values that get a line, lowest, highest].
function steps(plot, inView) {
  const values = inView.flatMap(s => {
    const all = plot.series.map(one => one.value(s)).filter(v => v != null);
    return plot.stacked && all.length ? [sum(all)] : all;
  });
  if (plot.log) {
    const positive = values.filter(v => v > 0);
    const low = Math.floor(Math.log10(Math.min(1e-3, ...positive)));
    const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(1e-3, ...positive))));
    return [Array.from({length: high - low + 1}, (_, i) => 10 ** (low + i)), 10 ** low, 10 ** high];
  }
  const most = Math.max(1, ...values), unit = 10 ** Math.floor(Math.log10(most));
  const top = [1, 2, 5, 10].find(n => n * unit >= most) * unit;
  return [[0, top / 2, top], 0, top];
}
// Returns runs of points to connect. A gap or a missing value ends a run.
function runs(inView, value) {
  const out = [];
  let open = false;
  for (const s of inView) {
    const v = value(s);
    if (v == null) { open = false; continue; }
    if (!open || s.gap) out.push([]);
    out.at(-1).push([s, v]);
    open = true;
  }
  return out;
}
function drawAxes(g, plot, box, ticks) {
  g.font = '11px system-ui, sans-serif';
  g.fillStyle = colour('muted');
  g.strokeStyle = colour('line');
  g.lineWidth = 1;
  g.setLineDash([]);
  g.textBaseline = 'middle';
  g.textAlign = 'right';
  for (const tick of ticks) {
    const y = Math.round(box.y(tick)) + .5;
    g.beginPath(); g.moveTo(kLeft, y); g.lineTo(box.width - kRight, y); g.stroke();
    g.fillText(plot.show(tick).replace(/\.0+ /, ' '), kLeft - 6, y);
  }
  const minute = box.view.length / (box.width < 320 ? 2 : 4);
  g.textBaseline = 'alphabetic';
  for (let back = 0; back <= box.view.length; back += minute) {
    const seconds = back / 1000;
    g.textAlign = back === 0 ? 'right' : back === box.view.length ? 'left' : 'center';
    g.fillText(back === 0 ? 'now' : seconds % 60 ? `−${seconds} s` : `−${seconds / 60} min`,
        box.x(box.view.end - back), box.height - 4);
  }
}
function drawSeries(g, plot, box, inView) {
  const base = new Map(inView.map(s => [s, 0]));
  for (const one of plot.series) {
    g.strokeStyle = g.fillStyle = colour(one.colour);
    g.lineWidth = one.width ?? 1.5;
    g.setLineDash(one.dash ?? []);
    g.lineJoin = g.lineCap = 'round';
    for (const run of runs(inView, one.value)) {
      const upper = run.map(([s, v]) => [box.x(s.t), box.y(base.get(s) + v)]);
      const lower = run.map(([s]) => [box.x(s.t), box.y(base.get(s))]);
      if (plot.stacked) {
        g.beginPath();
        for (const point of [...upper, ...lower.reverse()]) g.lineTo(...point);
        g.globalAlpha = plot.series.length > 1 ? .75 : .18;
        g.fill();
        g.globalAlpha = 1;
        for (const [s, v] of run) base.set(s, base.get(s) + v);
        // A status that does not occur gets no line on top of the others.
        if (run.every(([, v]) => v === 0)) continue;
      }
      g.beginPath();
      g.moveTo(...upper[0]);
      for (const point of upper) g.lineTo(...point);
      g.stroke();
    }
  }
}
function draw(canvas) {
  const plot = plots.get(canvas), width = canvas.clientWidth, height = canvas.clientHeight;
  if (!samples.length || !width) return;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);  // setting the size also clears the canvas
  canvas.height = Math.round(height * scale);
  const g = canvas.getContext('2d');
  g.scale(scale, scale);
  const view = viewOfAll();
  const inView = samples.filter(s => s.t >= view.start);
  const [ticks, low, high] = steps(plot, inView);
  const part = plot.log ? v => Math.log(Math.max(v, low) / low) / Math.log(high / low) :
      v => v / high;
  const box = {
    width, height, view,
    x: t => kLeft + (t - view.start) / view.length * (width - kLeft - kRight),
    y: v => height - kBottom - part(v) * (height - kBottom - kTop),
  };
  drawAxes(g, plot, box, ticks);
  drawSeries(g, plot, box, inView);
  if (cursor != null) {
    const x = Math.round(box.x(shown().t)) + .5;
    g.setLineDash([]); g.lineWidth = 1; g.strokeStyle = colour('text');
    g.beginPath(); g.moveTo(x, kTop); g.lineTo(x, height - kBottom); g.stroke();
  }
  canvas.setAttribute('aria-label', plot.say + ' ' + plot.series.map(one =>
      one.label + ' ' + plot.show(one.value(shown()))).join(', '));
}
function legend(list, series, show) {
  sync(list, series, one => one.label, one => {
    const item = document.createElement('li');
    const swatch = add(item, 'i');
    swatch.style.borderColor = `var(--${one.colour})`;
    if (one.dash?.length) swatch.style.borderTopStyle = 'dashed';
    if (one.width) swatch.style.borderTopWidth = Math.ceil(one.width) + 'px';
    add(item, 'span', '', one.label + ' ');
    add(item, 'b');
    return item;
  }, (item, one) => write(item.lastChild, show(one.value(shown()))));
}
function plotOn(canvas, list, plot) {
  if (!plots.has(canvas)) {
    canvas.addEventListener('pointermove', event => {
      if (!samples.length) return;
      const view = viewOfAll(), inner = canvas.clientWidth - kLeft - kRight;
      point(view.start + (event.offsetX - kLeft) / inner * view.length);
    });
    for (const end of ['pointerleave', 'blur']) canvas.addEventListener(end, () => point(null));
    canvas.addEventListener('keydown', event => {
      const at = samples.indexOf(shown()), move = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (move && samples[at + move]) { point(samples[at + move].t); event.preventDefault(); }
      if (event.key === 'Escape') point(null);
    });
  }
  plots.set(canvas, {...plot, list});
}
function point(time) {
  cursor = time;
  drawAll();
}
function drawAll() {
  if (!samples.length) return;
  for (const [canvas, plot] of plots) {
    if (!canvas.isConnected) { plots.delete(canvas); continue; }
    draw(canvas);
    legend(plot.list, plot.series.filter(one => !one.quiet?.()), plot.show);
  }
  write($('span'), cursor == null ? `the last ${viewOfAll().length / 60000} min` :
      'at ' + clock(shown().t));
}
