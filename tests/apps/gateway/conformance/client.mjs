// One real AI SDK client against a live gateway: node client.mjs PACKAGE BASE_URL COOKIE
// Prints a JSON object of what the client ended up with; the Python test judges it.
const [packageName, baseUrl, cookie] = process.argv.slice(2);
const {
  AbstractChat,
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses: isDecided,
} = await import(packageName);

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) => (this.messages = this.messages.with(index, message));
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor({ id, model, messages = [], body = {} }) {
    const data = [];
    const state = new State();
    state.messages = messages;
    super({
      id,
      sendAutomaticallyWhen: isDecided,
      state,
      onData: (part) => data.push(part),
      transport: new DefaultChatTransport({
        api: `${baseUrl}/api/chat`,
        body: { selectedChatModel: model, ...body },
        fetch: gatewayFetch,
      }),
    });
    this.data = data;
  }
  get outcome() {
    return {
      status: this.status,
      error: this.error?.message ?? null,
      data: this.data,
      messages: this.messages,
    };
  }
}

const gatewayFetch = (url, init = {}) =>
  fetch(url, { ...init, headers: { ...init.headers, cookie } });
const newId = () => crypto.randomUUID();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const stop = (id) => gatewayFetch(`${baseUrl}/api/chat/${id}/stop`, { method: "POST" });
const until = async (condition) => {
  for (let i = 0; i < 500 && !condition(); i++) await pause(10);
};

async function send() {
  const chat = new Chat({ id: newId(), model: "mock/reasoning" });
  await chat.sendMessage({ text: "Why is the sky blue?" });
  return chat.outcome;
}

async function sendTwiceAndRegenerate() {
  const chat = new Chat({ id: newId(), model: "mock/echo" });
  await chat.sendMessage({ text: "first question" });
  await chat.sendMessage({ text: "second question" });
  const before = chat.messages.at(-1).id;
  await chat.regenerate();
  return { ...chat.outcome, before };
}

async function resumeThenStop() {
  const id = newId();
  const first = new Chat({ id, model: "mock/slow" });
  const sending = first.sendMessage({ text: "one two three" });
  await until(() => first.status === "streaming");
  const second = new Chat({ id, model: "mock/slow" });
  const resuming = second.resumeStream();
  await until(() => second.status === "streaming");
  const stopped = await (await stop(id)).json();
  await Promise.all([sending, resuming]);
  return { stopped, first: first.outcome, second: second.outcome };
}

async function stopBeforeFirstToken() {
  const id = newId();
  const chat = new Chat({ id, model: "mock/silent" });
  const sending = chat.sendMessage({ text: "say nothing" });
  await until(() => chat.status === "submitted");
  let stopped = { success: false };
  for (let i = 0; i < 100 && !stopped.success; i++) {
    await pause(10);
    stopped = await (await stop(id)).json();
  }
  await sending;
  return { stopped, ...chat.outcome };
}

async function resumeNothing() {
  const id = newId();
  const chat = new Chat({ id, model: "mock/echo" });
  await chat.sendMessage({ text: "done already" });
  const late = new Chat({ id, model: "mock/echo" });
  await late.resumeStream();
  return late.outcome;
}

async function fail() {
  const chat = new Chat({ id: newId(), model: "mock/flaky" });
  await chat.sendMessage({ text: "one two three four five six seven" });
  return chat.outcome;
}

async function breakOff(body = {}) {
  const chat = new Chat({ id: newId(), model: "sure", body });
  await chat.sendMessage({ text: "one two three four five six seven" });
  return chat.outcome;
}

async function refuse() {
  const chat = new Chat({ id: newId(), model: "mock/unknown" });
  await chat.sendMessage({ text: "anyone there?" });
  return chat.outcome;
}

async function callTools() {
  const chat = new Chat({ id: newId(), model: "mock/tools" });
  const cities = ["Paris", "Nowhere"].map((city) => `getWeather({"city": "${city}"})`);
  await chat.sendMessage({ text: [...cities, "getWeather({bad)"].join(" ") });
  return chat.outcome;
}

async function stopATool() {
  const id = newId();
  const chat = new Chat({ id, model: "mock/tools" });
  const sending = chat.sendMessage({ text: 'demo_wait({"seconds": 60})' });
  await until(() => chat.messages.at(-1)?.parts.some((part) => part.preliminary));
  const shown = structuredClone(chat.messages.at(-1).parts.at(-1).output);
  const stopped = await (await stop(id)).json();
  await sending;
  return { shown, stopped, ...chat.outcome };
}

async function decide(approved) {
  if (!isDecided) return null;
  const id = newId();
  const body = { toolApproval: true };
  const asking = new Chat({ id, model: "mock/tools", body });
  await asking.sendMessage({ text: `demo_note({"text": "${id}"})` });
  const waiting = structuredClone(asking.messages);
  const chat = new Chat({ id, model: "mock/tools", body, messages: waiting });
  await chat.addToolApprovalResponse({ id: waiting[1].parts.at(-1).approval.id, approved });
  await until(() => chat.status === "ready" && chat.messages[1].parts.length > 3);
  return { id, waiting: asking.outcome, ...chat.outcome };
}

async function neverAsk() {
  const chat = new Chat({ id: newId(), model: "mock/tools" });
  await chat.sendMessage({ text: 'demo_note({"text": "unasked"})' });
  return chat.outcome;
}

async function drawAndCite() {
  const chat = new Chat({ id: newId(), model: "mock/picture" });
  await chat.sendMessage({ text: "A dot, please." });
  await chat.sendMessage({ text: "Another." });
  return chat.outcome;
}

const cases = {
  send,
  drawAndCite,
  sendTwiceAndRegenerate,
  resumeThenStop,
  stopBeforeFirstToken,
  resumeNothing,
  fail,
  goOn: () => breakOff(),
  beginAgain: () => (packageName === "ai-7" ? breakOff({ resetStep: true }) : null),
  refuse,
  callTools,
  stopATool,
  allow: () => decide(true),
  deny: () => decide(false),
  neverAsk,
};
const outcomes = {};
for (const [name, run] of Object.entries(cases)) outcomes[name] = await run();
console.log(JSON.stringify(outcomes));
