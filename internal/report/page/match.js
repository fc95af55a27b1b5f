(() => {
  const { $, unpack, el, num } = page;
  const step = 20;
  let data, rows = [], shown = 0, turn = 0;
  const chunks = new Map();
  const chunk = (c) => {
    if (!chunks.has(c)) chunks.set(c, unpack('chunk' + c));
    return chunks.get(c);
  };
  const textOf = async (i) => (await chunk(Math.floor(i / data.chunk)))[i % data.chunk];

  const right = (k, i) => data.right[k][i] === '1';
  const wrong = (k, i) => data.right[k][i] === '0';
  const choices = () => {
    const every = data.subjects.map((_, k) => k), out = [];
    out.push(['differ', 'right with some, wrong with others', (i) => every.some((k) => right(k, i)) && every.some((k) => wrong(k, i))]);
    out.push(['all', 'all examples', () => true]);
    for (let k = 1; k < every.length; k++) {
      out.push(['broken:' + k, 'broken by ' + data.subjects[k], (i) => right(0, i) && wrong(k, i)]);
      out.push(['fixed:' + k, 'fixed by ' + data.subjects[k], (i) => wrong(0, i) && right(k, i)]);
    }
    out.push(['wrong', 'wrong with all', (i) => every.every((k) => wrong(k, i))]);
    return out;
  };

  const card = async (i) => {
    const t = await textOf(i), seg = data.segments[data.segment[i]];
    const box = el('div', { class: 'match', 'data-example': data.ids[i] });
    box.append(el('p', { class: 'caption' }, data.ids[i] + (seg ? ' · ' + seg : '')));
    box.append(el('p', { class: 'text asked', dir: 'auto' }, t.i), el('p', { class: 'text', dir: 'auto' }, 'Expected: ' + t.e));
    const sides = el('div', { class: 'sides' });
    data.subjects.forEach((name, k) => {
      const state = data.right[k][i], side = el('div', { class: 'side ' + (state === '1' ? 'right' : state === '0' ? 'wrong' : '') });
      const word = state === '1' ? 'right' : state === '0' ? 'wrong' : 'not asked';
      side.append(el('h4', {}, name + ': ' + word + (state === '-' ? '' : ', ' + data.metric + ' ' + Number(data.values[k][i].toFixed(3)))));
      if (t.a[k]) side.append(el('p', { class: 'text', dir: 'auto' }, t.a[k]));
      if (t.m[k]) side.append(el('p', { class: 'caption' }, t.m[k]));
      sides.append(side);
    });
    box.append(sides);
    return box;
  };

  const more = async () => {
    const mine = turn, next = rows.slice(shown, shown + step);
    shown += next.length;
    $('more').hidden = shown >= rows.length;
    const cards = await Promise.all(next.map(card));
    if (mine === turn) $('list').append(...cards);
  };

  const choose = async () => {
    const mine = ++turn, wanted = choices().find((c) => c[0] === $('show').value)[2], seg = $('segment').value;
    const find = $('find').value.trim().toLowerCase();
    let found = data.ids.map((_, i) => i).filter((i) => wanted(i) && (seg === '' || String(data.segment[i]) === seg));
    if (find) {
      const kept = [];
      for (const i of found) {
        if (data.ids[i].toLowerCase().includes(find)) { kept.push(i); continue; }
        const t = await textOf(i);
        if (mine !== turn) return;
        if ((t.i + '\n' + t.e + '\n' + t.a.join('\n')).toLowerCase().includes(find)) kept.push(i);
      }
      found = kept;
    }
    rows = found; shown = 0;
    $('list').replaceChildren();
    $('found').textContent = num(rows.length) + ' of ' + num(data.ids.length) + ' examples';
    await more();
  };

  (async () => {
    data = await unpack('index');
    for (const [value, name] of choices()) $('show').append(el('option', { value }, name));
    $('segment').append(el('option', { value: '' }, 'all'));
    data.segments.forEach((s, i) => $('segment').append(el('option', { value: String(i) }, s || '(none)')));
    $('choose').addEventListener('submit', (e) => e.preventDefault());
    for (const id of ['show', 'segment']) $(id).addEventListener('change', choose);
    let wait;
    $('find').addEventListener('input', () => { clearTimeout(wait); wait = setTimeout(choose, 200); });
    $('more').addEventListener('click', more);
    await choose();
    performance.measure('ready'); // from the beginning of the navigation
    document.documentElement.dataset.ready = 'yes';
  })();
})();
