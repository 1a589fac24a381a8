/** Between the page and the worker that runs Python: code in, plain data out. */
const MAX_MESSAGES = 5_000;
const KINDS = ["loading", "running", "output", "figure", "done", "failed"];
const isInstalled = document.documentElement.dataset.pyodide === "installed";
let worker;
let isStarting = false;

addEventListener("message", async ({ source, data }) => {
  if (source !== parent || data?.type !== "run" || isStarting) return;
  isStarting = true;
  try {
    worker ??= await startWorker();
    let count = 0;
    worker.onmessage = ({ data: said }) => {
      count += 1;
      if (count <= MAX_MESSAGES && KINDS.includes(said?.type)) tell(said);
    };
    worker.postMessage({ type: "run", code: String(data.code) });
  } catch (error) {
    tell({ type: "failed", error: String(error) });
  } finally {
    isStarting = false;
  }
});

/** From text: a page without an origin may start workers only of its own making. */
async function startWorker() {
  const script = await (await fetch("python.js")).text();
  const base = new URL("pyodide/", location.href).href;
  const source = `const PYODIDE = ${JSON.stringify(base)};\n${script}`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const started = new Worker(url);
  started.onerror = ({ message }) => tell({ type: "failed", error: message || "Python crashed." });
  return started;
}

function tell(message) {
  parent.postMessage(message, "*");
}

tell({ type: "ready", isInstalled });
