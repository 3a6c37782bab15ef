// What is wrong with a mail or a page as it stands in the browser now: a list of sentences, empty where all holds.
// Runs inside the page. `rtl`: the words around the articles run from right to left. `whole`: it is a page of its own,
// not what a mail program shows inside one.
({ rtl, imagesOff, whole }) => {
  const SMALLEST_TEXT = 14;
  const SMALLEST_TARGET = 24; // WCAG 2.2, 2.5.8
  const READABLE = 4.5; // WCAG 2.2, 1.4.3
  const SLACK = 1; // of a pixel: browsers lay out in fractions
  const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}]/u;
  const complaints = [];
  const complain = (sentence) => complaints.push(sentence);
  const quote = (text) => `'${text.trim().replace(/\s+/g, " ").slice(0, 40)}'`;

  const parsed = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
  };
  const over = (top, ground) => top.rgb.map((value, at) => value * top.alpha + ground[at] * (1 - top.alpha));
  const luminance = (rgb) =>
    rgb
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const groundOf = (element) => {
    if (!element) {
      // What a browser paints where nobody says anything: the canvas of the used color-scheme.
      const scheme = getComputedStyle(document.documentElement).colorScheme;
      const dark = matchMedia("(prefers-color-scheme: dark)").matches && /dark/.test(scheme);
      return dark ? [18, 18, 18] : [255, 255, 255];
    }
    const own = parsed(getComputedStyle(element).backgroundColor);
    return own.alpha === 1 ? own.rgb : over(own, groundOf(element.parentElement));
  };
  const rectsOf = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()].filter((rect) => rect.width > 0 && rect.height > 0);
  };
  // '3 min read' in a line of Arabic, where nothing keeps it apart: 'min read 3'.
  const turned = (node) => {
    const found = /^(\s*)(\d+)\s+(\p{Script=Latin}+)/u.exec(node.data);
    if (!found || rightToLeft.test(node.data)) return false;
    const boxOf = (from, length) => {
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, from + length);
      return range.getBoundingClientRect();
    };
    const number = boxOf(found[1].length, found[2].length);
    const word = boxOf(found[0].length - found[3].length, found[3].length);
    return Math.abs(number.top - word.top) < 4 && number.left > word.left;
  };
  const judgeText = (text, element, rects) => {
    const style = getComputedStyle(element);
    if (style.visibility !== "visible" || Number(style.opacity) < 1) complain(`${quote(text)} can't be seen`);
    const size = parseFloat(style.fontSize);
    if (size < SMALLEST_TEXT) complain(`${quote(text)} is ${size} px small`);
    const ground = groundOf(element);
    const found = contrast(over(parsed(style.color), ground), ground);
    if (found < READABLE) complain(`${quote(text)} has a contrast of ${found.toFixed(2)}: ${style.color} on rgb(${ground})`);
    if (rects.some((rect) => rect.left < -SLACK || rect.right > innerWidth + SLACK)) complain(`${quote(text)} runs out of the window`);
  };
  const hidden = (element) => element.closest("[style*='display:none'],[style*='display: none']") !== null;

  // How high a picture's words stand in its width, beside the sign that browsers put first.
  const heightOf = (image) => {
    const { font, lineHeight } = getComputedStyle(image);
    const width = image.hasAttribute("width") ? `${Math.max(0, image.clientWidth - 16)}px` : "max-content";
    const trial = document.createElement("div");
    trial.textContent = image.alt;
    Object.assign(trial.style, { font, lineHeight, position: "absolute", visibility: "hidden", width });
    document.body.append(trial);
    const { scrollHeight, scrollWidth, clientWidth } = trial;
    trial.remove();
    return scrollWidth > clientWidth + SLACK ? Infinity : scrollHeight;
  };

  const page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) complain(`it scrolls sideways: ${page.scrollWidth} px wide in a window of ${innerWidth} px`);

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const rects = rectsOf(node);
    if (!node.data.trim() || !rects.length || node.parentElement.closest("style,script,title,option,[aria-hidden=true]")) continue;
    texts += 1;
    if (turned(node)) complain(`${quote(node.data)} has its number behind its word`);
    judgeText(node.data, node.parentElement, rects);
  }
  if (!texts) complain("it shows no text at all");

  for (const image of document.images) {
    if (hidden(image)) continue;
    if (!image.hasAttribute("alt")) complain(`the picture ${image.src} has no alt`);
    if (!image.hasAttribute("height") || !(image.hasAttribute("width") || image.style.width === "auto")) complain(`the picture ${image.src} doesn't say its size`);
    if (!image.src.startsWith("https:")) complain(`the picture ${image.src} isn't https`);
    if (!imagesOff && !(image.complete && image.naturalWidth)) complain(`the picture ${image.src} isn't shown`);
    if (!image.alt) continue;
    const box = image.getBoundingClientRect();
    judgeText(image.alt, image, [box]);
    if (imagesOff && heightOf(image) > box.height + SLACK) complain(`with images off there is no room for ${quote(image.alt)}`);
  }

  for (const link of document.querySelectorAll("a[href]")) {
    const box = link.getBoundingClientRect();
    if (!box.width && !box.height) continue;
    if (box.height + 0.01 < SMALLEST_TARGET) complain(`the link ${quote(link.textContent)} is ${box.height.toFixed(1)} px high`);
    if (!link.textContent.trim() && ![...link.querySelectorAll("img")].some((image) => image.alt)) complain(`the link to ${link.href} has no words`);
  }

  const titles = [...document.querySelectorAll("h1")].filter((title) => title.getBoundingClientRect().height);
  if (titles.length !== 1) complain(`it has ${titles.length} visible h1`);

  // A block whose first strong letter runs from right to left starts at its cell's right edge; what stands in one table
  // with a headline goes along with the headline, and so does what is said of an article in a page's list.
  const frame = whole ? document.documentElement : document.querySelector("[role=article]");
  if (!frame) complain("it has no frame with role=article");
  else if ((getComputedStyle(frame).direction === "rtl") !== rtl) complain(`its frame runs ${getComputedStyle(frame).direction}`);
  const strong = /\p{L}/u;
  for (const block of document.querySelectorAll("h1,h2,h3,p,li")) {
    const headline =
      block.closest("table")?.querySelector(":scope > * > tr > td > h2, :scope > * > tr > td > h3") ??
      (block.matches("li > .hint") ? block.parentElement.querySelector(":scope > h2") : null);
    const first = (headline ?? block).textContent.match(strong);
    const rects = rectsOf(block);
    if (!first || !rects.length || !rightToLeft.test(first[0])) continue;
    const cell = block.closest("td") ?? block.parentElement;
    const { paddingRight, borderRightWidth } = getComputedStyle(cell);
    const edge = cell.getBoundingClientRect().right - parseFloat(paddingRight) - parseFloat(borderRightWidth);
    const top = Math.min(...rects.map((rect) => rect.top));
    const start = Math.max(...rects.filter((rect) => rect.top < top + 8).map((rect) => rect.right));
    if (Math.abs(edge - start) > 2) complain(`${quote(block.textContent)} starts ${Math.round(edge - start)} px from the right edge`);
  }
  return [...new Set(complaints)];
}
