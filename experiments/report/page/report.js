'use strict';
(function () {
  const data = JSON.parse(document.getElementById('data').textContent);
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue('--' + name).trim();
  const byId = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const columnIndex = new Map(data.columns.map((column, i) => [column.name, i]));
  const cell = (row, name) => (columnIndex.has(name) ? row.cells[columnIndex.get(name)] : '');
  const number = (row, name) => {
    const text = cell(row, name);
    if (text === '' || text === undefined) return null;
    const value = Number(text);
    return Number.isFinite(value) ? value : null;
  };
  const shown = (value, digits) => {
    if (value === null || value === undefined) return '';
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString('en-US');
    return String(Number(value.toPrecision(digits || 4)));
  };
  const cellShown = (row, name) => {
    const value = number(row, name);
    if (value === null) return cell(row, name);
    return name === 'point' || data.swept.includes(name) ? cell(row, name) : shown(value, 5);
  };
  const rows = data.rows.map((entry, i) => ({cells: entry, position: i, feasible: data.feasible[i] === 1, front: data.front[i] === 1}));
  const plural = (count, noun) => count.toLocaleString('en-US') + ' ' + noun + (count === 1 ? '' : 's');
  const keysOf = (row) => data.swept.map((key, i) => data.swept_short[i] + ' ' + cell(row, key)).join(', ');

  // Header --------------------------------------------------------------------------------------------------------
  const countOf = (status) => rows.filter((row) => cell(row, 'status') === status).length;
  const statusText = ['ok', 'infeasible', 'failed', 'cancelled'].filter((status) => countOf(status) > 0).map((status) => countOf(status) + ' ' + status).join(', ');
  byId('subtitle').textContent = [plural(rows.length, 'design point') + ': ' + statusText,
    data.swept.length ? 'swept: ' + data.swept.join(', ') : '', data.constraints.length ? 'constraints: ' + data.constraints.join(' and ') : ''].filter(Boolean).join(' · ');
  const notice = (text) => byId('notices').append(make('p', 'notice', text));
  const hasAccuracy = rows.some((row) => number(row, 'miou') !== null);
  const hasHardware = rows.some((row) => number(row, 'latency_ms') !== null);
  if (countOf('cancelled') > 0) notice('The sweep is not complete: ' + plural(countOf('cancelled'), 'point') + ' not evaluated. The same command resumes it.');
  if (!hasAccuracy && rows.length > 0) {
    const reason = rows.map((row) => cell(row, 'reason')).find((text) => text !== '');
    notice('Accuracy is unknown in this sweep' + (reason ? ': ' + reason : '.'));
  }
  if (rows.some((row) => cell(row, 'bits_checked') === 'false')) notice('A bit check failed: the SystemC datapath and the integer engine differ. Do not use these results.');

  // Cards ---------------------------------------------------------------------------------------------------------
  const candidates = rows.some((row) => row.feasible) ? rows.filter((row) => row.feasible) : rows.filter((row) => cell(row, 'status') === 'ok');
  const card = (title, name, unit, larger, extra) => {
    let best = null;
    for (const row of candidates) {
      const value = number(row, name);
      if (value !== null && (best === null || (larger ? value > number(best, name) : value < number(best, name)))) best = row;
    }
    if (best === null) return;
    const box = make('div', 'card');
    box.append(make('div', 'name', title));
    const value = make('div', 'value', shown(number(best, name)) + ' ');
    value.append(make('small', '', unit));
    box.append(value, make('div', 'at', 'point ' + cell(best, 'point') + (data.swept.length ? ': ' + keysOf(best) : '') + (extra ? extra(best) : '')));
    byId('cards').append(box);
  };
  const several = rows.length > 1;
  card(several ? 'Best mIoU' : 'mIoU', 'miou', '', true, (row) => (number(row, 'miou_fp32') === null ? '' : ' (FP32: ' + shown(number(row, 'miou_fp32')) + ')'));
  card(several ? 'Lowest latency' : 'Latency', 'latency_ms', 'ms', false);
  card(several ? 'Lowest power' : 'Power', 'power_w', 'W', false);
  card(several ? 'Lowest energy' : 'Energy', 'energy_mj', 'mJ per image', false);

  // Scatter plots -------------------------------------------------------------------------------------------------
  Chart.defaults.animation = false;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.color = colour('quiet');
  Chart.defaults.borderColor = colour('line');
  Chart.defaults.plugins.legend.display = false;
  const unitOf = (name) => { const column = data.columns[columnIndex.get(name)]; return column && column.unit && column.unit !== 'fraction' ? name + ' (' + column.unit + ')' : name; };
  const isWide = (values) => values.length > 1 && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 30;

  // Equal values everywhere would otherwise get an axis from nowhere.
  const rangeOf = (values) => {
    const low = Math.min(...values), high = Math.max(...values);
    return low < high ? {grace: '6%'} : {min: low - 0.05 * Math.abs(low || 1), max: high + 0.05 * Math.abs(high || 1)};
  };

  // Best of one plot: the staircase of points that no other feasible one beats in both axes.
  const staircase = (points, largerIsBetter) => {
    const sign = largerIsBetter ? -1 : 1;
    const sorted = points.filter((p) => p.row.feasible).sort((a, b) => a.x - b.x || sign * (a.y - b.y));
    const line = [];
    for (const p of sorted) if (line.length === 0 || sign * p.y < sign * line[line.length - 1].y) line.push({x: p.x, y: p.y});
    return line;
  };

  const charts = [];
  const scatter = (xName, yName, yLarger) => {
    const points = rows.map((row) => ({x: number(row, xName), y: number(row, yName), row})).filter((p) => p.x !== null && p.y !== null);
    if (points.length === 0) return false;
    const figure = make('figure'), frame = make('div', 'plot'), canvas = make('canvas');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', yName + ' over ' + xName + ', ' + plural(points.length, 'point'));
    frame.append(canvas);
    figure.append(frame);
    const lacking = rows.length - points.length;
    if (lacking > 0) figure.append(make('figcaption', '', plural(lacking, 'point') + ' without ' + yName + ' or ' + xName));
    byId('plots').append(figure);
    const small = points.length > 300;
    const group = (filter, fill, border, radius) => ({
      type: 'scatter', data: points.filter((p) => filter(p.row)), backgroundColor: fill, borderColor: border, borderWidth: 1, radius: radius, hoverRadius: radius + 2, hitRadius: 6});
    const chart = new Chart(canvas, {
      data: {datasets: [
        group((row) => row.front, colour('accent'), '#ffffff', small ? 4 : 6),
        group((row) => row.feasible && !row.front, colour('light'), colour('mid'), small ? 2.5 : 5),
        group((row) => !row.feasible, '#ffffff', colour('light'), small ? 2.5 : 5),
        {type: 'line', data: staircase(points, yLarger), stepped: 'before', borderColor: colour('accent-soft'), borderWidth: 2, pointRadius: 0, hitRadius: 0, hoverRadius: 0},
      ]},
      options: {
        maintainAspectRatio: false,
        onClick: (event, hits) => { const hit = hits.find((h) => chart.data.datasets[h.datasetIndex].type === 'scatter'); if (hit) choose(chart.data.datasets[hit.datasetIndex].data[hit.index].row.position, true); },
        scales: {
          x: {type: isWide(points.map((p) => p.x)) ? 'logarithmic' : 'linear', title: {display: true, text: unitOf(xName)}, ...rangeOf(points.map((p) => p.x))},
          y: {title: {display: true, text: unitOf(yName)}, ...rangeOf(points.map((p) => p.y))},
        },
        plugins: {tooltip: {
          filter: (item) => item.dataset.type === 'scatter', displayColors: false, padding: 10,
          callbacks: {
            title: (items) => (items.length ? 'point ' + cell(items[0].raw.row, 'point') + (items[0].raw.row.front ? ', Pareto front' : '') : ''),
            label: (item) => data.swept.map((key) => key + ': ' + cell(item.raw.row, key)).concat(
              [yName + ': ' + shown(item.raw.y), xName + ': ' + shown(item.raw.x)],
              cell(item.raw.row, 'status') === 'ok' ? [] : [cell(item.raw.row, 'status') + ': ' + cell(item.raw.row, 'reason').slice(0, 80)]),
          }}},
      },
    });
    charts.push(chart);
    return true;
  };
  if (rows.length > 1) {  // one point is no trade-off
    const drawn = [scatter('latency_ms', 'miou', true), scatter('power_w', 'miou', true)].some(Boolean);
    if (!drawn) scatter('latency_ms', 'power_w', false);
  }
  if (rows.length < 2 || (!hasAccuracy && !hasHardware)) byId('front').hidden = true;
  const goals = data.maximize.map((name) => 'more ' + name).concat(data.minimize.map((name) => 'less ' + name));
  const numFront = rows.filter((row) => row.front).length;
  const leftOut = data.num_lacking > 0 ? ' ' + plural(data.num_lacking, 'point') + ' left out for lack of ' + data.lacked.join(', ') + '.' : '';
  byId('front-text').textContent = (goals.length === 0 ? 'No objectives: there is no Pareto front.'
    : numFront === 0 ? 'The Pareto front is empty.'
    : numFront + ' of ' + plural(rows.length, 'point') + (numFront === 1 ? ' is' : ' are') + ' on the Pareto front: for ' + goals.join(' or ') + ' something else has to be given up.') + leftOut;

  // Curves: accuracy, latency, resources and power along a swept key, one line for each setting of the others ---------
  const distinct = (keys) => [...new Set(rows.map((row) => keys.map((key) => cell(row, key)).join(', ')))];
  // Keys of one axis move together: not every combination of their values occurs.
  const axes = [];
  for (const key of data.swept.filter((key) => distinct([key]).length > 1)) {
    const joint = axes.find((axis) => distinct([...axis, key]).length < distinct(axis).length * distinct([key]).length);
    if (joint) joint.push(key);
    else axes.push([key]);
  }
  const kMaxLines = 24, lineColours = ['#0b6b6b', '#c4622d', '#4a5fa5', '#8a6d1f', '#8c3b6e', '#3f7d3a', '#5b6670', '#b03a3a', '#2a8fae', '#7a58a8'];
  const shortOf = (axis) => axis.map((key) => data.swept_short[data.swept.indexOf(key)]).join(', ');
  const drawable = axes;
  const hasBand = (lines) => hasAccuracy && lines.length <= 3;
  let curveCharts = [];
  const drawCurves = (axis) => {
    curveCharts.forEach((chart) => chart.destroy());
    curveCharts = [];
    const others = drawable.filter((other) => other !== axis).flat(), settings = distinct(others), places = distinct(axis);
    const lines = settings.slice(0, kMaxLines);
    const at = new Map(rows.map((row) => [others.map((key) => cell(row, key)).join(', ') + '|' + axis.map((key) => cell(row, key)).join(', '), row]));
    // Long settings have a letter in the plots and their meaning below.
    const kLongest = 14, letters = places.some((place) => place.length > kLongest) ? places.map((place, i) => (places.length <= 26 ? String.fromCharCode(65 + i) : String(i + 1))) : null;
    const plots = [];
    for (const name of ['miou', 'ap', 'latency_ms', 'power_w', 'energy_mj', 'lut', 'ff', 'dsp', 'bram36', 'uram']) {
      const values = rows.map((row) => number(row, name)).filter((value) => value !== null);
      if (values.length === 0 || (Math.min(...values) === Math.max(...values) && name !== 'miou' && name !== 'latency_ms')) continue;
      const figure = make('figure'), frame = make('div', 'plot'), canvas = make('canvas');
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', name + ' along ' + axis.join(', '));
      frame.append(canvas);
      figure.append(frame);
      plots.push(figure);
      byId('curve-plots').replaceChildren(...plots);
      const line = (setting, i, column, extra) => ({label: setting, data: places.map((place) => { const row = at.get(setting + '|' + place); return row && row.cells ? number(row, column) : null; }),
        borderColor: lineColours[i % lineColours.length], backgroundColor: lineColours[i % lineColours.length], borderWidth: 2, borderDash: i < lineColours.length ? [] : i < 2 * lineColours.length ? [6, 3] : [2, 3],
        pointRadius: 3, hoverRadius: 5, spanGaps: true, ...extra});
      const datasets = lines.map((setting, i) => line(setting, i, name, {}));
      if (name === 'miou' && hasBand(lines)) {
        lines.forEach((setting, i) => {
          const band = {borderWidth: 0, pointRadius: 0, hitRadius: 0, hoverRadius: 0, backgroundColor: lineColours[i] + '22'};
          datasets.push(line(setting, i, 'miou_ci95_low', {...band, fill: false}), line(setting, i, 'miou_ci95_high', {...band, fill: '-1'}));
        });
      }
      const numLines = lines.length;
      curveCharts.push(new Chart(canvas, {
        type: 'line', data: {labels: letters || places, datasets},
        options: {
          maintainAspectRatio: false,
          onClick: (event, hits) => { const hit = hits.find((h) => h.datasetIndex < numLines); const row = hit && at.get(settings[hit.datasetIndex] + '|' + places[hit.index]); if (row) choose(row.position, true); },
          scales: {x: {title: {display: !letters, text: shortOf(axis)}}, y: {type: isWide(values) ? 'logarithmic' : 'linear', title: {display: true, text: unitOf(name)}, grace: '5%'}},
          plugins: {tooltip: {displayColors: false, filter: (item) => item.datasetIndex < numLines,
            callbacks: {title: (items) => (items.length ? shortOf(axis) + ' ' + places[items[0].dataIndex] : ''), label: (item) => (item.dataset.label ? item.dataset.label + ': ' : '') + shown(item.raw)}}},
        },
      }));
    }
    byId('curve-text').textContent = (others.length === 0 ? '' : 'a line for each ' + drawable.filter((other) => other !== axis).map(shortOf).join(' and ')
      + (settings.length > kMaxLines ? '; the first ' + kMaxLines + ' of ' + settings.length : '')) + (hasBand(lines) ? ' · shaded: 95 % interval' : '');
    byId('curve-letters').textContent = letters ? shortOf(axis) + ':  ' + places.map((place, i) => letters[i] + ' = ' + place).join(';  ') : '';
    byId('curve-key-line').replaceChildren(...(others.length === 0 ? [] : lines.map((setting, i) => {
      const entry = make('span'), dot = make('i');
      dot.style.background = lineColours[i % lineColours.length];
      entry.append(dot, document.createTextNode(setting));
      return entry;
    })));
  };
    if (rows.length > 2 && drawable.length > 0 && (hasAccuracy || hasHardware)) {
    byId('curves').hidden = false;
    const longest = drawable.reduce((best, axis) => (distinct(axis).length > distinct(best).length ? axis : best));
    byId('curve-key').append(...drawable.map((axis, i) => { const option = make('option', '', axis.join(', ')); option.value = String(i); option.selected = axis === longest; return option; }));
    byId('curve-key').addEventListener('change', (event) => drawCurves(drawable[Number(event.target.value)]));
    drawCurves(longest);
  }

  // Tables that sort ----------------------------------------------------------------------------------------------
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    if (a !== '' && b !== '' && Number.isFinite(x) && Number.isFinite(y)) return x - y;
    if (a === '' || b === '') return a === b ? 0 : a === '' ? 1 : -1;
    return a < b ? -1 : a > b ? 1 : 0;
  };
  // columns: [{title, hint, text, value(entry), show(entry, td)}]; the first click on a header sorts ascending, the next one descending.
  const sortable = (table, columns, entries, decorate, click) => {
    const head = make('thead'), body = make('tbody'), line = make('tr');
    let sorted = -1, ascending = true;
    const fill = () => {
      body.replaceChildren(...entries.map((entry) => {
        const tr = make('tr');
        for (const column of columns) {
          const td = make('td', column.text ? 'text' : '');
          column.show(entry, td);
          tr.append(td);
        }
        if (decorate) decorate(entry, tr);
        if (click) tr.addEventListener('click', () => click(entry));
        return tr;
      }));
    };
    columns.forEach((column, i) => {
      const th = make('th', column.text ? 'text' : '', column.title);
      if (column.hint) th.title = column.hint;
      th.addEventListener('click', () => {
        ascending = sorted === i ? !ascending : true;
        sorted = i;
        const sign = ascending ? 1 : -1;
        entries.sort((a, b) => {
          const x = column.value(a), y = column.value(b);
          return x === '' || y === '' ? compare(x, y) : sign * compare(x, y);
        });
        line.querySelectorAll('th').forEach((other, k) => { if (k === i) other.setAttribute('aria-sort', ascending ? 'ascending' : 'descending'); else other.removeAttribute('aria-sort'); });
        fill();
      });
      line.append(th);
    });
    head.append(line);
    fill();
    table.replaceChildren(head, body);
  };

  // One point -----------------------------------------------------------------------------------------------------
  const band = (row, name) => {
    const low = number(row, name + '_low'), high = number(row, name + '_high');
    return low === null || high === null ? '' : shown(low, 3) + ' to ' + shown(high, 3) + ' (80 %)';
  };
  const factList = [
    ['miou', '', (row) => { const low = number(row, 'miou_ci95_low'), high = number(row, 'miou_ci95_high'); return low === null || high === null ? '' : shown(low, 3) + ' to ' + shown(high, 3) + ' (95 %)'; }],
    ['miou_fp32', ''], ['ap', ''], ['ap50', ''], ['ap75', ''], ['ap_fp32', ''], ['dice', ''], ['dice_fp32', ''], ['boundary_px', 'px'], ['hd95_px', 'px'], ['mask_agreement', ''], ['sqnr_db', 'dB'],
    ['latency_ms', 'ms', (row) => band(row, 'latency_ms'), 'latency_status'], ['fps', '1/s'], ['cycles', ''], ['encoder_cycles', ''], ['decoder_cycles', ''], ['bound', ''], ['stall_pct', '%'], ['pe_utilization', ''], ['gops', 'GOP/s'],
    ['power_w', 'W', (row) => band(row, 'power_w'), 'power_status'], ['static_w', 'W'], ['dynamic_w', 'W'], ['dram_power_w', 'W'], ['energy_mj', 'mJ', (row) => band(row, 'energy_mj')], ['gops_per_w', 'GOP/s/W'],
    ['dram_mb', 'MB'], ['weights_mb', 'MB'], ['bits_checked', ''],
  ];
  const showFacts = (row) => {
    byId('facts').replaceChildren(...factList.filter(([name]) => cell(row, name) !== '' && cell(row, name) !== undefined).map(([name, unit, range, status]) => {
      const tr = make('tr'), note = make('td', '', range ? range(row) + ' ' : '');
      const column = data.columns[columnIndex.get(name)], title = make('td', '', name);
      if (column && column.sentence) title.title = column.sentence;
      if (status && cell(row, status)) note.append(make('span', 'tag tag-' + cell(row, status), cell(row, status)));
      tr.append(title, make('td', '', cellShown(row, name) + (unit ? ' ' + unit : '')), note);
      return tr;
    }));
  };

  const showResources = (row) => {
    const name = cell(row, 'hw.device') || data.device, limits = data.devices[name];
    byId('device').textContent = limits ? 'on ' + name : '';
    const lines = [];
    for (const resource of ['lut', 'ff', 'dsp', 'bram36', 'uram']) {
      const used = number(row, resource);
      if (used === null) continue;
      const line = make('div', 'resource'), bar = make('div', 'bar');
      let figures = shown(used);
      if (limits && limits[resource] && limits[resource][0] > 0) {
        const [capacity, closure] = limits[resource], share = used / capacity;
        const filled = make('i'), mark = make('b');
        filled.style.width = Math.min(100, 100 * share) + '%';
        mark.style.left = 'calc(' + 100 * closure + '% - 1px)';
        mark.title = 'closes timing up to ' + shown(100 * closure) + ' %';
        if (share > closure) bar.classList.add('over');
        bar.append(filled, mark);
        figures += ' of ' + shown(capacity) + ' (' + (100 * share).toFixed(0) + ' %)';
      }
      line.append(make('span', '', resource.toUpperCase()), bar, make('span', 'figures', figures));
      lines.push(line);
    }
    const fits = cell(row, 'fits');
    if (fits) lines.push(make('p', 'quiet', (fits === 'true' ? 'Fits' : 'Does not fit') + (cell(row, 'limiting_resource') ? '; ' + cell(row, 'limiting_resource') + ' is the scarcest, ' + shown(number(row, 'max_util_pct'), 3) + ' % used' : '') + '. The mark is what the device closes timing with.'));
    if (cell(row, 'resource_status')) { const p = make('p'); p.append(make('span', 'tag tag-' + cell(row, 'resource_status'), cell(row, 'resource_status'))); lines.push(p); }
    byId('resources').replaceChildren(...(lines.length ? lines : [make('p', 'quiet', 'No resources are known of this point.')]));
  };

  const boundColour = {compute: colour('accent'), memory: colour('mid'), vector: colour('light')};
  const colourOf = (bound) => boundColour[bound] || colour('ink');
  // A bar in parts, the largest first, each [name, sum, colour].
  const showShares = (id, parts, unit) => {
    const total = parts.reduce((sum, part) => sum + part[1], 0) || 1, stack = make('div', 'stack'), legend = make('p', 'stack-key');
    for (const [name, sum, tone] of parts.filter((part) => part[1] > 0).sort((a, b) => b[1] - a[1])) {
      const part = make('i'), entry = make('span'), dot = make('i');
      part.style.width = 100 * sum / total + '%';
      part.style.background = dot.style.background = tone;
      stack.append(part);
      entry.append(dot, document.createTextNode(name + ': ' + (100 * sum / total).toFixed(1) + unit));
      legend.append(entry);
    }
    byId(id).replaceChildren(stack, legend);
  };
  let layerChart = null;
  const showLayers = (row) => {
    const layers = data.layers[cell(row, 'point')] || [], at = (name) => data.layer_columns.indexOf(name);
    const nameAt = at('layer'), cyclesAt = at('cycles'), boundAt = at('bound');
    const has = layers.length > 0 && nameAt >= 0 && cyclesAt >= 0;
    byId('bounds').hidden = byId('energies').hidden = !has;
    document.querySelector('.layer-plot').hidden = !has;
    byId('layer-table').hidden = !has;
    byId('layer-note').textContent = has ? '' : Object.keys(data.layers).length > 0 ? 'The layers of this point are in layers.csv; ' + plural(Object.keys(data.layers).length, 'point') + ' have them here.' : 'No layers are known of this point.';
    if (layerChart) { layerChart.destroy(); layerChart = null; }
    if (!has) return;
    const repeatsAt = at('repeats');  // equal segments are one row
    const cycles = layers.map((layer) => (Number(layer[cyclesAt]) || 0) * (repeatsAt >= 0 ? Number(layer[repeatsAt]) || 1 : 1)), bounds = layers.map((layer) => (boundAt >= 0 ? layer[boundAt] : ''));
    const total = cycles.reduce((a, b) => a + b, 0);
    const byBound = new Map();
    bounds.forEach((bound, i) => byBound.set(bound, (byBound.get(bound) || 0) + cycles[i]));
    showShares('bounds', [...byBound].map(([bound, sum]) => [(bound || 'unknown') + ' bound', sum, colourOf(bound)]), ' % of the cycles');
    const energyOf = (column) => layers.reduce((sum, layer) => sum + (Number(layer[at(column)]) || 0) * (repeatsAt >= 0 ? Number(layer[repeatsAt]) || 1 : 1), 0);
    const units = [['array_mj', 'PE array', 'accent'], ['dram_mj', 'DRAM', 'ink'], ['clock_mj', 'clock tree', 'quiet'], ['vector_mj', 'vector units', 'accent-soft'], ['buffers_mj', 'buffers', 'mid'],
      ['post_mj', 'post unit', 'light'], ['infrastructure_mj', 'DMA and control', 'line']].filter(([column]) => at(column) >= 0);
    byId('energies').hidden = units.length === 0;
    showShares('energies', units.map(([column, name, tone]) => [name, energyOf(column), colour(tone)]), ' % of the dynamic energy');
    layerChart = new Chart(byId('layer-plot'), {
      type: 'bar',
      data: {labels: layers.map((layer) => layer[nameAt]), datasets: [{data: cycles, backgroundColor: bounds.map(colourOf), categoryPercentage: 1, barPercentage: layers.length > 60 ? 1 : 0.85}]},
      options: {
        maintainAspectRatio: false,
        scales: {x: {ticks: {display: false}, grid: {display: false}, title: {display: true, text: 'layers, in the order of execution'}}, y: {title: {display: true, text: 'cycles'}}},
        plugins: {tooltip: {displayColors: false, callbacks: {label: (item) => data.layer_columns.map((name, k) => name + ': ' + layers[item.dataIndex][k]).slice(1)}}},
      },
    });
    const kSpare = 20, largest = layers.map((layer, i) => ({layer, cycles: cycles[i]})).sort((a, b) => b.cycles - a.cycles).slice(0, kSpare);
    const top = largest.length ? largest[0].cycles : 1;
    const isText = data.layer_columns.map((name, k) => layers.every((layer) => layer[k] === '' || !Number.isFinite(Number(layer[k]))));
    const columns = data.layer_columns.map((name, k) => ({
      title: name, text: isText[k], name, value: (entry) => entry.layer[k],
      show: (entry, td) => {
        const text = entry.layer[k] === undefined ? '' : entry.layer[k];
        td.textContent = text !== '' && Number.isFinite(Number(text)) ? shown(Number(text)) : text;
        if (isText[k] && text.length > 24) td.className = 'long';
      },
    }));
    columns.push({title: 'share', name: 'share', text: true, value: (entry) => entry.cycles, show: (entry, td) => {
      const bar = make('i');
      td.classList.add('share');
      bar.style.width = Math.max(1, 60 * entry.cycles / top) + 'px';
      bar.style.background = boundAt >= 0 ? colourOf(entry.layer[boundAt]) : '';
      td.append(bar, document.createTextNode(' ' + (100 * entry.cycles / total).toFixed(1) + ' %'));
    }});
    // The columns that fit; a row's title has all of them.
    const order = ['layer', 'share', 'cycles', 'repeats', 'bound', 'utilisation', 'M', 'K', 'N', 'bits', 'bytes', 'energy_mj', 'sqnr_db'];
    const isSaid = (column) => column.name === 'share' || layers.some((layer) => layer[at(column.name)] !== '' && !(column.name === 'repeats' && layer[at('repeats')] === '1'));
    const visible = columns.filter((column) => order.includes(column.name) && isSaid(column)).sort((x, y) => order.indexOf(x.name) - order.indexOf(y.name));
    const describe = (entry, tr) => { tr.title = data.layer_columns.map((name, k) => name + ': ' + entry.layer[k]).join('\n'); };
    sortable(byId('layer-table'), visible, largest, describe);
    byId('layer-note').textContent = layers.length > kSpare ? 'The ' + kSpare + ' layers with the most cycles of ' + layers.length + '; all are in layers.csv.' : '';
  };

  let chosen = -1;
  const choose = (position, scroll) => {
    if (position < 0 || position >= rows.length) return;
    chosen = position;
    const row = rows[position];
    byId('choose').value = String(position);
    byId('point-keys').textContent = data.swept.map((key) => key + ' = ' + cell(row, key)).join('   ') + (row.front ? '   · on the Pareto front' : '');
    byId('point-reason').hidden = cell(row, 'reason') === '' || (rows.length === 1 && cell(row, 'status') === 'ok');  // said above
    byId('point-reason').textContent = (cell(row, 'status') === 'ok' ? '' : cell(row, 'status') + ': ') + cell(row, 'reason');
    showFacts(row);
    showResources(row);
    showLayers(row);
    document.querySelectorAll('#table tr.chosen').forEach((tr) => tr.classList.remove('chosen'));
    const line = document.querySelector('#table tr[data-position="' + position + '"]');
    if (line) line.classList.add('chosen');
    if (scroll) byId('point').scrollIntoView({behavior: 'auto', block: 'start'});
  };
  byId('choose').append(...rows.map((row) => {
    const option = make('option', '', cell(row, 'point') + (row.front ? ' *' : '') + (data.swept.length ? '  ' + keysOf(row) : ''));
    option.value = String(row.position);
    return option;
  }));
  byId('choose').addEventListener('change', (event) => choose(Number(event.target.value), false));

  // All points ----------------------------------------------------------------------------------------------------
  const important = ['point'].concat(data.swept, ['miou', 'ap', 'dice', 'boundary_px', 'hd95_px', 'sqnr_db', 'latency_ms', 'bound', 'power_w', 'energy_mj', 'lut', 'dsp', 'bram36', 'uram', 'fits', 'max_util_pct', 'limiting_resource', 'bits_checked', 'status', 'reason']);
  const condition = (text) => {
    const parts = text.match(/^\s*([\w.]+)\s*(<=|>=|==|!=|<|>|=)\s*(\S+)\s*$/);
    const name = parts && data.columns.map((column) => column.name).filter((full) => full === parts[1] || full.endsWith('.' + parts[1]))[0];
    if (!name) return null;
    return (row) => {
      const value = cell(row, name);
      if (value === '') return false;
      const order = compare(value, parts[3]);
      return {'<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0, '==': order === 0, '=': order === 0, '!=': order !== 0}[parts[2]];
    };
  };
  // Whether a column says something: not empty, and beside the objectives not the same everywhere.
  const says = (name) => {
    if (!rows.some((row) => cell(row, name) !== '' && cell(row, name) !== undefined)) return false;
    return rows.length === 1 || ['miou', 'latency_ms', 'power_w'].includes(name) || rows.some((row) => cell(row, name) !== cell(rows[0], name));
  };
  const fillTable = () => {
    const text = byId('filter').value.trim(), test = condition(text), needle = text.toLowerCase();
    const visible = rows.filter((row) => (!byId('only-front').checked || row.front) && (!byId('only-feasible').checked || row.feasible)
      && (text === '' || (test ? test(row) : row.cells.some((value) => value.toLowerCase().includes(needle)))));
    const names = byId('all-columns').checked ? data.columns.map((column) => column.name) : important.filter((name) => name === 'point' || data.swept.includes(name) || says(name));
    const columns = names.map((name) => {
      const column = data.columns[columnIndex.get(name)], sweptAt = data.swept.indexOf(name);
      const isText = rows.every((row) => number(row, name) === null);
      return {
        title: sweptAt >= 0 && !byId('all-columns').checked ? data.swept_short[sweptAt] : name, text: isText,
        hint: [sweptAt >= 0 ? name : '', column.sentence, column.unit].filter(Boolean).join(' '),
        value: (row) => cell(row, name),
        show: (row, td) => { td.textContent = cellShown(row, name); if (isText && td.textContent.length > 40) td.className = 'long'; },
      };
    });
    sortable(byId('table'), columns, visible, (row, tr) => {
      tr.dataset.position = String(row.position);
      if (row.front) tr.classList.add('front');
      if (!row.feasible) tr.classList.add('infeasible');
      if (row.position === chosen) tr.classList.add('chosen');
    }, (row) => choose(row.position, true));
    byId('filter-count').textContent = visible.length === rows.length ? '' : visible.length + ' of ' + rows.length;
  };
  for (const id of ['filter', 'only-front', 'only-feasible', 'all-columns']) byId(id).addEventListener('input', fillTable);
  fillTable();

  // Comparison ------------------------------------------------------------------------------------------------------
  if (data.comparison) {
    const {by, others, pairs, lacking} = data.comparison, signed = (value) => (value === null ? '' : (value < 0 ? '\u2212' : '+') + Math.abs(value).toFixed(4));
    const text = (title, value) => ({title, text: true, value, show: (pair, td) => { td.textContent = value(pair); }});
    const figure = (title, value, print, hint) => ({title, hint, value: (pair) => String(value(pair) === null ? '' : value(pair)), show: (pair, td) => { td.textContent = print(value(pair), pair); }});
    const columns = others.map((name, k) => text(name, (pair) => pair.setting[k])).concat([
      text('A', (pair) => pair.a), text('B', (pair) => pair.b),
      figure('mIoU A', (pair) => pair.miou_a, (value) => value.toFixed(4)), figure('mIoU B', (pair) => pair.miou_b, (value) => value.toFixed(4)),
      figure('B \u2212 A', (pair) => pair.difference, signed),
      figure('95 % interval', (pair) => pair.low, (value, pair) => (value === null ? 'one image' : signed(value) + ' to ' + signed(pair.high)), 'paired bootstrap over images'),
      {title: 'B is', text: true, value: (pair) => pair.verdict, show: (pair, td) => { td.textContent = pair.verdict; if (pair.verdict !== 'undecided') td.classList.add('decided'); }},
    ]);
    const decided = pairs.filter((pair) => pair.verdict !== 'undecided').length;
    byId('comparison-text').textContent = 'Along ' + by + ', all else equal: mean IoU of B minus that of A over the same prompts, with the 95 % interval of a paired bootstrap over images. '
      + decided + ' of ' + plural(pairs.length, 'difference') + (decided === 1 ? ' is' : ' are') + ' more than chance.'
      + (lacking.length ? ' Left out for lack of accuracy: point ' + lacking.join(', ') + '.' : '');
    sortable(byId('comparison-table'), columns, pairs.slice(), null, (pair) => choose(rows.findIndex((row) => cell(row, 'point') === String(pair.point_b)), true));
    byId('comparison').hidden = false;
  }

  // Masks -----------------------------------------------------------------------------------------------------------
  const tile = (sample, mask, alt) => {
    const box = make('div', 'tile');
    for (const [source, text] of [[sample.picture, ''], [mask.image, alt]]) {
      const image = make('img');
      image.src = source;
      image.alt = text;
      box.append(image);
    }
    const mark = make('i', sample.box ? 'box' : 'dot'), percent = (fraction) => 100 * fraction + '%';
    const [left, top, right, bottom] = sample.box || sample.point;
    mark.style.left = percent(left);
    mark.style.top = percent(top);
    if (sample.box) {
      mark.style.width = percent(right - left);
      mark.style.height = percent(bottom - top);
    }
    box.append(mark);
    return box;
  };
  const captioned = (sample, mask, alt) => {
    const td = make('td'), caption = make('div', 'caption');
    if (mask.iou === undefined) caption.append(document.createTextNode(sample.name));
    else caption.append(document.createTextNode('IoU '), make('b', '', mask.iou.toFixed(3)));
    td.append(tile(sample, mask, alt), caption);
    return td;
  };
  if (data.masks) {
    const points = data.masks.points.map((point) => rows.find((row) => cell(row, 'point') === String(point)));
    const head = make('tr'), title = (name, note, row) => {
      const th = make('th', row ? 'link' : '');
      th.append(make('b', '', name), document.createTextNode(note));
      if (row) th.addEventListener('click', () => choose(row.position, true));
      head.append(th);
    };
    title('Ground truth', 'and the prompt');
    title('FP32', 'the unquantized model');
    for (const row of points) title('Point ' + cell(row, 'point') + (row.front && numFront < rows.length ? ' *' : ''), data.swept.length ? keysOf(row) : 'mIoU ' + shown(number(row, 'miou')), row);
    const body = make('tbody'), names = ['Ground truth', 'FP32'].concat(points.map((row) => 'point ' + cell(row, 'point')));
    for (const sample of data.masks.samples) {
      const tr = make('tr');
      tr.append(...[sample.truth, sample.reference].concat(sample.answers).map((mask, i) => captioned(sample, mask, names[i] + ', ' + sample.name)));
      body.append(tr);
    }
    const top = make('thead');
    top.append(head);
    byId('mask-table').append(top, body);
    byId('masks').hidden = false;
    byId('mask-point-key').hidden = points.length === 0;
    byId('masks-text').textContent = 'The largest object asked for on each of the first ' + plural(data.masks.samples.length, 'evaluated picture') + ', not chosen by what came out.'
      + (points.length > 1 ? ' Design points from the fewest bits of weights to the most accurate' + (points.some((row) => row.front) ? ', all on the Pareto front' : '') + '.' : '');
  }

  // Provenance, configuration ---------------------------------------------------------------------------------------
  const statusRows = [['latency', 'latency_status'], ['power and energy', 'power_status'], ['resources', 'resource_status'], ['operand toggles', 'toggle_source']].map(([title, name]) => {
    const counts = new Map();
    for (const row of rows) if (cell(row, name)) counts.set(cell(row, name), (counts.get(cell(row, name)) || 0) + 1);
    if (counts.size === 0) return null;
    const tr = make('tr'), tags = make('td');
    for (const [status, count] of counts) tags.append(make('span', 'tag tag-' + status, status), document.createTextNode(' ' + plural(count, 'point') + '  '));
    tr.append(make('td', '', title), make('td'), tags);
    return tr;
  }).filter(Boolean);
  byId('statuses').append(...(statusRows.length ? statusRows : [make('tr')]));
  const meaning = make('p', 'quiet', 'measured on hardware; calibrated: fitted to tool reports; published: from a data sheet or paper; assumed: none of these. A row carries the worst status among the figures it uses; --strict refuses assumed ones.');
  byId('statuses').after(meaning);
  const warnings = new Map(data.warnings.map((text) => [text, []]));
  for (const row of rows) {
    for (const text of cell(row, 'warnings').split('; ').filter(Boolean)) {
      if (!warnings.has(text)) warnings.set(text, []);
      warnings.get(text).push(cell(row, 'point'));
    }
  }
  byId('warnings').append(...(warnings.size ? [...warnings].slice(0, 40).map(([text, points]) => make('li', '', text + (points.length ? ' (point' + (points.length === 1 ? ' ' : 's ') + points.slice(0, 12).join(', ') + (points.length > 12 ? ', ...' : '') + ')' : ''))) : [make('li', 'quiet', 'none')]));
  byId('resolved').textContent = data.resolved_yaml;
  byId('footer').textContent = 'Prelude ' + data.version + ' · ' + data.source;

  if (rows.length > 0) {
    const first = rows.find((row) => row.front && data.layers[cell(row, 'point')]) || rows.find((row) => row.feasible) || rows[0];
    choose(first.position, false);
  } else {
    byId('point').hidden = true;
  }
  window.addEventListener('beforeprint', () => { for (const chart of charts) chart.resize(); if (layerChart) layerChart.resize(); });
  document.body.dataset.ready = String(charts.length);  // what a test waits for
})();
