import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FONTS = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

/**
 * Draws an SVG as a PNG of `width` pixels, with the fonts that come with vpsmon: a server has none. The library is loaded
 * when it is needed. Rejects where it cannot be (a platform without a binary, no memory): the caller does without.
 */
export async function rasterize(svg: string, width: number): Promise<Buffer> {
  const { Resvg } = await import('@resvg/resvg-js');
  const drawn = new Resvg(svg, {
    fitTo: { mode: 'width', value: width },
    font: { loadSystemFonts: false, fontFiles: fontFiles(), defaultFontFamily: 'DejaVu Sans' },
    logLevel: 'off',
  }).render();
  return drawn.asPng();
}

/** In `dist/fonts` beside the program; in the package they come from when the sources are run directly. */
export function fontFiles(): string[] {
  return FONTS.map((font) => {
    const places = [`./fonts/${font}`, `../../node_modules/dejavu-fonts-ttf/ttf/${font}`];
    const found = places
      .map((place) => fileURLToPath(new URL(place, import.meta.url)))
      .find((path) => existsSync(path));
    if (!found) throw new Error(`The font ${font} is missing: run \`npm run build\` again`);
    return found;
  });
}
