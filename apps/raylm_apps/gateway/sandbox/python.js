/** Runs one program at a time with Pyodide, and tells what it prints and draws. */
/* global PYODIDE -- the address of its files, put in by frame.js */
const FLUSH_MS = 50;
const MAX_OUTPUT_CHARS = 200_000;
const FILE = "document.py";
const PLOTS = `
def _show_figures(*_arguments, **_options):
    import base64, io, json, sys
    if "matplotlib.pyplot" not in sys.modules:
        return "[]"
    from matplotlib import pyplot
    drawn = []
    for number in pyplot.get_fignums():
        png = io.BytesIO()
        pyplot.figure(number).savefig(png, format="png", bbox_inches="tight")
        drawn.append(base64.b64encode(png.getvalue()).decode())
    pyplot.close("all")
    return json.dumps(drawn)
`;
let loading;

onmessage = async ({ data }) => {
  try {
    loading ??= load();
    await run(await loading, data.code);
  } catch (error) {
    postMessage({ type: "failed", error: traceback(error) });
  }
};

async function load() {
  postMessage({ type: "loading" });
  const { loadPyodide } = await import(`${PYODIDE}pyodide.mjs`);
  const pyodide = await loadPyodide({ indexURL: PYODIDE, env: { MPLBACKEND: "agg" } });
  // Figures are shown when the program ends, whether or not it calls show().
  pyodide.runPython("import warnings; warnings.filterwarnings('ignore', '.*is non-interactive')");
  return pyodide;
}

async function run(pyodide, code) {
  const output = new Output();
  pyodide.setStdout(output.writer("stdout"));
  pyodide.setStderr(output.writer("stderr"));
  const quiet = { messageCallback: () => {}, errorCallback: () => {} };
  await pyodide.loadPackagesFromImports(code, quiet).catch(() => undefined);
  const globals = pyodide.toPy({ __name__: "__main__" });
  const startedAt = performance.now();
  postMessage({ type: "running" });
  try {
    await pyodide.runPythonAsync(code, { globals, filename: FILE });
    for (const png of figures(pyodide)) postMessage({ type: "figure", png });
    output.flush();
    postMessage({ type: "done", durationMs: performance.now() - startedAt });
  } finally {
    output.flush();
    globals.destroy();
  }
}

function figures(pyodide) {
  const names = pyodide.toPy({});
  pyodide.runPython(PLOTS, { globals: names });
  const drawn = JSON.parse(pyodide.runPython("_show_figures()", { globals: names }));
  names.destroy();
  return drawn;
}

/** From the program's own frames on: those above are the interpreter's. */
function traceback(error) {
  const text = String(error?.message ?? error).trimEnd();
  const start = text.indexOf(`  File "${FILE}"`);
  return start < 0 ? text : `Traceback (most recent call last):\n${text.slice(start)}`;
}

/** What is printed, in few messages, and not without end. */
class Output {
  #pending = [];
  #length = 0;
  #flushedAt = 0;

  writer(stream) {
    const decoder = new TextDecoder();
    const write = (bytes) => {
      this.#add(stream, decoder.decode(bytes, { stream: true }));
      return bytes.length;
    };
    return { write };
  }

  #add(stream, text) {
    const room = MAX_OUTPUT_CHARS - this.#length;
    if (room <= 0) return;
    this.#length += text.length;
    this.#pending.push({ stream, text: text.slice(0, room) });
    if (text.length > room) this.#pending.push({ stream: "stderr", text: "\n[output cut]\n" });
    if (performance.now() - this.#flushedAt > FLUSH_MS) this.flush();
  }

  flush() {
    this.#flushedAt = performance.now();
    for (const { stream, text } of joined(this.#pending)) {
      postMessage({ type: "output", stream, text });
    }
    this.#pending = [];
  }
}

function joined(pieces) {
  const runs = [];
  for (const { stream, text } of pieces) {
    if (runs.at(-1)?.stream === stream) runs.at(-1).text += text;
    else runs.push({ stream, text });
  }
  return runs;
}
