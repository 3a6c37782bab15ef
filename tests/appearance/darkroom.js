// The lowest contrast that a screenshot really shows among these places, for recolourings that no computed style
// tells of. Runs in an empty page. `shot`: a PNG, base64; `scale`: its pixels per pixel of the page;
// `places`: [{text, x, y, width, height}]. Gives [{text, contrast}], the lowest first.
async ({ shot, scale, places }) => {
  const bytes = Uint8Array.from(atob(shot), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const sheet = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  sheet.drawImage(bitmap, 0, 0);
  const linear = Array.from({ length: 256 }, (_, value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = (colour) => 0.2126 * linear[colour >> 16] + 0.7152 * linear[(colour >> 8) & 255] + 0.0722 * linear[colour & 255];
  const found = places.map(({ text, x, y, width, height }) => {
    const { data } = sheet.getImageData(Math.floor(x * scale), Math.floor(y * scale), Math.ceil(width * scale), Math.ceil(height * scale));
    const counts = new Map();
    for (let at = 0; at < data.length; at += 4) {
      const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    // The ground is the commonest colour; the ink is what stands off it most.
    const ground = luminance([...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0]);
    const contrasts = [...counts.keys()].map(luminance).map((ink) => (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05));
    return { text, contrast: contrasts.reduce((high, value) => Math.max(high, value), 1) };
  });
  return found.sort((one, other) => one.contrast - other.contrast);
}
