"""A model that writes quickly, put into the page in the place of the gateway's answer."""

WORDS_A_SECOND = 200
WORDS = 800

FAST_MODEL = """
([words, rate]) => {
  const plain = window.fetch;
  const encode = (part) => new TextEncoder().encode(`data: ${JSON.stringify(part)}\\n\\n`);
  const end = (n) => (n % 40 ? " " : "\\n\\n");
  const word = (n) => ({ type: "text-delta", id: "0", delta: `word${n}${end(n)}` });
  window.fetch = async (input, init) => {
    if (init?.method !== "POST" || !String(input).endsWith("/api/chat")) return plain(input, init);
    const messageId = `fast-${performance.now()}`;
    const parts = [{ type: "start", messageId }, { type: "text-start", id: "0" }];
    for (let n = 0; n < words; n += 1) parts.push(word(n));
    parts.push({ type: "text-end", id: "0" }, { type: "finish" });
    const start = performance.now();
    const stream = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        let due = ((performance.now() - start) / 1000) * rate - (words + 4 - parts.length);
        for (; due > 0 && parts.length > 0; due -= 1) controller.enqueue(encode(parts.shift()));
        if (parts.length === 0) controller.close();
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  };
}
"""
"""Takes how many words, and how many in a second."""
