// What of a page's form is too small to be hit, or stands out of its place: sentences, none where all holds (look.md §7).
() => {
  const FIELD = 48;
  const ROW = 44;
  const SLACK = 0.01;
  const complaints = [];
  const sizeOf = (element) => element.getBoundingClientRect();
  const named = (element) => element.outerHTML.slice(0, 90);
  const seen = (element) => sizeOf(element).height > 1 && !element.closest("[aria-hidden=true]");
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);

  for (const field of all("button,select,textarea,input:not([type=radio],[type=checkbox],[type=hidden])"))
    if (sizeOf(field).height + SLACK < FIELD) complaints.push(`${named(field)} is ${sizeOf(field).height} px high`);
  for (const row of all(".choice,summary"))
    if (sizeOf(row).height + SLACK < ROW) complaints.push(`${named(row)} is ${sizeOf(row).height} px high`);

  // Whatever is hit in a row ticks it.
  for (const row of all(".choice")) {
    row.scrollIntoView({ block: "center" });
    const { left, right, top, bottom } = sizeOf(row);
    for (const [x, y] of [[left + 4, top + 4], [right - 4, bottom - 4], [(left + right) / 2, (top + bottom) / 2]]) {
      const hit = document.elementFromPoint(x, y)?.closest("label,input");
      if (!hit || !row.contains(hit)) complaints.push(`${named(row)} can't be ticked at ${x - left}, ${y - top}`);
    }
  }

  // What traps machines is out of sight, and out of the way of a keyboard.
  for (const trap of document.querySelectorAll("[aria-hidden=true]")) {
    const { right, left } = sizeOf(trap);
    if (right > 0 && left < innerWidth) complaints.push(`${named(trap)} can be seen`);
    for (const field of trap.querySelectorAll("input")) if (field.tabIndex !== -1) complaints.push(`${named(field)} can be reached`);
  }
  scrollTo(0, 0);
  return complaints;
};
