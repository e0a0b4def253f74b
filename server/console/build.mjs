// Bundles the page into `dist/`, which is committed and embedded into the server, so that `cargo build` needs no Node.
// The same sources and lock file give the same bytes, wherever they lie; a test builds again and compares.

import { build } from "esbuild";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** The whole page, brotli-compressed, is at most this large. */
const brotliBytesMax = 90_000;

process.chdir(import.meta.dirname);
await rm("dist", { recursive: true, force: true });
await mkdir("dist");

const { metafile } = await build({
  entryPoints: { app: "src/main.tsx" },
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
await build({
  entryPoints: { app: "src/style/app.css" },
  outdir: "dist",
  bundle: true,
  // `light-dark()` and nesting stay as written: browsers of the last two years know them.
  target: "esnext",
  minify: true,
  charset: "utf8",
  logLevel: "warning",
});
await cp("static", "dist", { recursive: true });
await writeFile("dist/licenses.txt", await licenses(Object.keys(metafile.inputs)));
await printSizes();

/** The licences of the packages in the bundle, as they ask to be passed on. */
async function licenses(inputs) {
  const byPackage = new Map();
  for (const path of inputs) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
    if (folder) byPackage.set(folder, [...(byPackage.get(folder) ?? []), path]);
  }
  const texts = [];
  for (const [folder, files] of byPackage) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    texts.push(`${name} ${version} (${license})\n\n${await licenseText(folder, files)}`);
  }
  texts.sort();
  texts.push(await readFile("../../LICENSE-APACHE", "utf8"));
  return texts.map((text) => text.trim()).join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}

/** A package's licence file; without one, the different notices at the head of the files that are used. */
async function licenseText(folder, files) {
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  if (file) return readFile(join(folder, file), "utf8");
  const notices = new Set();
  for (const path of files) {
    const head = /^(?:\/\/.*\n)+/.exec(await readFile(path, "utf8"))?.[0] ?? "";
    if (/copyright/i.test(head)) notices.add(head.replace(/^\/\/ ?/gm, "").trim());
  }
  return [...notices].sort().join("\n\n");
}

async function printSizes() {
  let total = 0;
  for (const file of (await readdir("dist")).sort()) {
    const bytes = await readFile(join("dist", file));
    const brotli = brotliCompressSync(bytes).length;
    if (file !== "licenses.txt") total += brotli;
    console.log(`${file}: ${bytes.length} bytes, gzip ${gzipSync(bytes).length}, brotli ${brotli}`);
  }
  console.log(`the page: brotli ${total} of at most ${brotliBytesMax}`);
  if (total > brotliBytesMax) process.exitCode = 1;
}
