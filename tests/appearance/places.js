// Where the first words of each text stand, and those of pictures that aren't shown, for the darkroom. Runs inside the page.
() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!/[\p{L}\p{N}]{2}/u.test(node.data) || node.parentElement.closest("style,script,title")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rect = [...range.getClientRects()].find((box) => box.width > 8 && box.height > 8);
    if (rect) found.push({ text: node.data.trim().slice(0, 40), x: rect.x + scrollX, y: rect.y + scrollY, width: rect.width, height: rect.height });
  }
  for (const image of document.images) {
    const { x, y, width, height } = image.getBoundingClientRect();
    const gap = 18; // the sign that browsers put before the words of a picture they don't have
    if (image.alt && !image.naturalWidth && width > gap) found.push({ text: image.alt.slice(0, 40), x: x + gap + scrollX, y: y + scrollY, width: width - gap, height });
  }
  return found;
}
