// SPDX-License-Identifier: LGPL-3.0-only
// Bundles the page and writes it as a C source that src/api/web.h describes.
// Usage: node web/build.mjs OUT.c [DEPFILE]
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const [out, depfile] = process.argv.slice(2);

const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: { app: "src/main.tsx", style: "src/style.css" },
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    target: ["es2022"],
    jsx: "automatic",
    jsxImportSource: "preact",
    entryNames: "[name]-[hash]",
    chunkNames: "part-[hash]",
    outdir: "/assets",
    write: false,
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
});

const hash = (data) => createHash("sha256").update(data).digest("hex").slice(0, 16);
const types = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8" };
const files = result.outputFiles.map((file) => ({
    name: file.path.replace("/assets/", ""),
    type: types[file.path.split(".").pop()],
    data: gzipSync(file.contents, { level: 9 }),
    gzip: true,
}));
const icon = readFileSync(join(here, "src/icon.svg"));
files.push({ name: `icon-${hash(icon)}.svg`, type: "image/svg+xml", data: gzipSync(icon), gzip: true });
files.sort((a, b) => (a.name < b.name ? -1 : 1));

const named = (start, end) => files.find((f) => f.name.startsWith(start) && f.name.endsWith(end)).name;
// What the first part imports is asked for together with it.
const outputs = result.metafile.outputs;
const first = Object.keys(outputs).find((name) => outputs[name].entryPoint === "src/main.tsx");
const preloads = outputs[first].imports
    .filter((one) => one.kind === "import-statement")
    .map((one) => `<link rel="modulepreload" href="/assets/${one.path.split("/").pop()}">\n`);
const html = readFileSync(join(here, "src/index.html"), "utf8")
    .replace("<script", `${preloads.join("")}<script`)
    .replace("APP.js", named("app-", ".js"))
    .replace("STYLE.css", named("style-", ".css"))
    .replace("ICON.svg", named("icon-", ".svg"));
files.unshift({ name: "", type: "text/html; charset=utf-8", data: Buffer.from(html), gzip: false });

const array = (data, i) => `static const unsigned char file_${i}[] = {${[...data].join(",")}};\n`;
const row = (file, i) =>
    `    {"${file.name}", "${file.type}", "\\"${hash(file.data)}\\"", ${file.gzip}, file_${i}, sizeof file_${i}},\n`;
writeFileSync(
    out,
    `// Made by web/build.mjs.\n#include "api/web.h"\n\n${files.map((f, i) => array(f.data, i)).join("")}` +
        `\nconst struct fr_web_file fr_web_files[] = {\n${files.map(row).join("")}};\n` +
        "const size_t fr_web_count = sizeof fr_web_files / sizeof fr_web_files[0];\n",
);
if (depfile) {
    const inputs = Object.keys(result.metafile.inputs).concat("src/index.html", "src/icon.svg", "build.mjs");
    writeFileSync(depfile, `${out}: ${inputs.map((f) => join(here, f)).join(" ")}\n`);
}
const kb = (n) => `${(n / 1000).toFixed(1)} kB`;
const total = files.reduce((sum, f) => sum + f.data.length, 0);
console.log(`page: ${files.length} files, ${kb(total)} packed`);
